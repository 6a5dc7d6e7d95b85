//! A client's life by its behaviour.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::Rng as _;
use rustls::ClientConfig;
use ws_stack::frame::DataKind;
use ws_stack::tokio::{Client, CloseCode, Config, ConnectOptions, Message, WebSocket, client};
use ws_tests::Carrier;

use crate::check::Conversation;
use crate::load::pause;
use crate::tally::Tally;
use crate::{Failure, rude};

/// What kind of client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Talks, checks every echo, leaves in order.
    Good,
    /// The same, but does not read for seconds.
    Slow,
    /// Breaks rules.
    Rude,
    /// Is gone without a word, with echoes on their way.
    Vanishing,
}

impl Behaviour {
    pub(crate) const ALL: [Self; 4] = [Self::Good, Self::Slow, Self::Rude, Self::Vanishing];

    /// Of twenty, twelve are good, three slow, three rude, and two vanish.
    pub(crate) fn of(number: usize) -> Self {
        match number % 20 {
            0..=11 => Self::Good,
            12..=14 => Self::Slow,
            15..=17 => Self::Rude,
            _ => Self::Vanishing,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Slow => "slow",
            Self::Rude => "rude",
            Self::Vanishing => "vanishing",
        }
    }
}

/// Where the server is, and whom to trust.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) plain: String,
    pub(crate) tls: String,
    pub(crate) trust: Arc<ClientConfig>,
}

impl Server {
    pub(crate) fn client(&self, carrier: Carrier) -> Client {
        client().with_tls(Arc::clone(&self.trust)).with_http(carrier.policy())
    }

    pub(crate) fn url(&self, carrier: Carrier) -> &str {
        if carrier.is_secure() { &self.tls } else { &self.plain }
    }
}

/// A client, ready to connect.
pub(crate) struct Life {
    pub(crate) server: Arc<Server>,
    pub(crate) client: Client,
    pub(crate) carrier: Carrier,
    pub(crate) deflate: bool,
    pub(crate) behaviour: Behaviour,
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deflate = if self.deflate { "+z" } else { "" };
        write!(f, "{} client over {}{deflate}", self.behaviour.name(), self.carrier.name())
    }
}

impl Life {
    /// From the handshake to the end.
    pub(crate) async fn run(&self, tally: &Tally) -> Result<(), Failure> {
        match self.behaviour {
            Behaviour::Good => self.good(tally).await,
            Behaviour::Slow => self.slow(tally).await,
            Behaviour::Rude => self.rude(tally).await,
            Behaviour::Vanishing => self.vanish(tally).await,
        }
    }

    async fn connect(&self) -> Result<WebSocket, Failure> {
        let deflate = self.deflate.then(Default::default);
        let mut options = ConnectOptions { deflate, ..ConnectOptions::default() };
        // A machine full of clients may be slow without anybody being at fault. The server has its
        // ordinary deadlines.
        let mut session = Config::default();
        session.close_timeout = PATIENCE;
        options.session = Arc::new(session);
        (options.handshake_timeout, options.silence_timeout) = (PATIENCE, PATIENCE);
        let connecting = self.client.connect(self.server.url(self.carrier), &options);
        connecting.await.map_err(|error| {
            let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            format!("not connected: {error}{source}").into()
        })
    }

    async fn good(&self, tally: &Tally) -> Result<(), Failure> {
        let mut talk = Conversation::new(self.connect().await?, tally);
        let (count, depth) = {
            let mut rng = rand::rng();
            (rng.random_range(10..100), rng.random_range(1..8))
        };
        for _ in 0..count {
            for _ in 0..depth {
                talk.say(size()).await?;
            }
            talk.hear_all().await?;
            pause(Duration::from_millis(400)).await;
        }
        talk.leave().await
    }

    async fn slow(&self, tally: &Tally) -> Result<(), Failure> {
        let mut talk = Conversation::new(self.connect().await?, tally);
        for _ in 0..3 {
            for _ in 0..12 {
                talk.say(4096).await?;
            }
            talk.flush().await?;
            pause(Duration::from_secs(8)).await;
            talk.hear_all().await?;
        }
        talk.leave().await
    }

    async fn vanish(&self, tally: &Tally) -> Result<(), Failure> {
        let mut talk = Conversation::new(self.connect().await?, tally);
        for _ in 0..8 {
            talk.say(size()).await?;
        }
        talk.hear_some(4).await?;
        for _ in 0..8 {
            talk.say(8192).await?;
        }
        // Written, so that the echoes of it have nowhere to go.
        talk.flush().await
    }

    async fn rude(&self, tally: &Tally) -> Result<(), Failure> {
        if matches!(self.carrier, Carrier::H1 | Carrier::H1Tls) {
            return rude::octets(self.server.url(self.carrier)).await;
        }
        let mut websocket = self.connect().await?;
        let kind = rand::rng().random_range(0..3);
        match kind {
            // A message that is never finished, and no goodbye.
            0 => {
                let piece = Bytes::from_static(b"and so on");
                websocket.feed_fragment(DataKind::Text, piece, false).await?;
                websocket.flush().await?;
                pause(Duration::from_secs(2)).await;
            }
            // Pings whose pongs nobody reads.
            1 => {
                for _ in 0..200 {
                    websocket.feed(Message::Ping(Bytes::from_static(&[7; 125]))).await?;
                }
                websocket.flush().await?;
            }
            // A goodbye to which the answer is not awaited.
            _ => {
                websocket.start_close(CloseCode::GOING_AWAY, "not waiting")?;
                websocket.flush().await?;
            }
        }
        tally.echoed(0);
        Ok(())
    }
}

/// How long a client waits for what takes no time on a machine that is not full.
const PATIENCE: Duration = Duration::from_secs(60);

/// Mostly small, now and then large.
fn size() -> usize {
    let mut rng = rand::rng();
    match rng.random_range(0..100) {
        0..=79 => rng.random_range(0..300),
        80..=97 => rng.random_range(300..8192),
        _ => rng.random_range(8192..200_000),
    }
}
