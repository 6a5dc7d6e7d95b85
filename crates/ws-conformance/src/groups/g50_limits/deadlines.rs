//! Section 50.2: deadlines. No RFC row names a number, so that a peer without a deadline within
//! the patience of the run is non-strict, and where waiting is a policy it is only noted.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::arena::{Arena, Refused};
use crate::carrier::Carrier;
use crate::case::{Case, Judges, Play, Playing, Weight};
use crate::judge::{Behavior, CloseBehavior, Verdict};
use crate::link::{Next, WriteMode};
use crate::wire::frame::Frame;
use crate::wire::stream::Wire;

pub(super) fn cases() -> Vec<Case> {
    use Silence::{
        AnswerDripped, AnswerMissing, AnswerPartial, HandshakeDripped, HandshakePartial, Idle,
        MessageOpen, NothingSent, Unread,
    };
    let table = [
        (NothingSent, "Connects and sends nothing.", Judges::Servers),
        (HandshakePartial, "Sends half a handshake and then nothing.", Judges::Servers),
        (HandshakeDripped, "Sends a handshake, an octet every 200 ms.", Judges::Servers),
        (AnswerMissing, "Leaves a client's handshake unanswered.", Judges::Clients),
        (AnswerPartial, "Answers a client's handshake by half.", Judges::Clients),
        (AnswerDripped, "Answers a client's handshake, an octet every 200 ms.", Judges::Clients),
        (Unread, "Sends messages and never reads the echoes.", Judges::Both),
        (Idle, "Opens a WebSocket and is silent; pings are not answered.", Judges::Both),
        (MessageOpen, "Begins a message and never ends it.", Judges::Both),
    ];
    (1..)
        .zip(table)
        .map(|(number, (silence, does, judges))| {
            let expects = if silence.is_policy() {
                "Informational: how long the peer keeps the connection."
            } else {
                "The peer ends the connection within the patience of the run."
            };
            let carriers: &[Carrier] = match silence {
                AnswerMissing | Unread | Idle | MessageOpen => {
                    &[Carrier::H1, Carrier::H2, Carrier::H3]
                }
                _ => &[Carrier::H1],
            };
            Case::new(&[50, 2, number], silence)
                .over(carriers)
                .does(does)
                .expects(expects)
                .cites(&["WS-10.4-01", "WS-10.7-01", "WS-7.2.2-01"])
                .judges(judges)
                .weighs(Weight::Waiting)
        })
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    NothingSent,
    HandshakePartial,
    HandshakeDripped,
    AnswerMissing,
    AnswerPartial,
    AnswerDripped,
    Unread,
    Idle,
    MessageOpen,
}

impl Silence {
    fn is_policy(self) -> bool {
        matches!(self, Self::Idle | Self::MessageOpen)
    }
}

impl Play for Silence {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let deadline = Instant::now() + arena.settings.patience;
            match self {
                Self::NothingSent | Self::HandshakePartial | Self::HandshakeDripped => {
                    let wire = arena.dial().await?;
                    let request = arena.request(&crate::wire::http::fresh_key(), None)?;
                    let sent = if *self == Self::NothingSent { "" } else { request.as_str() };
                    Ok(self.linger(wire, sent, arena, deadline).await)
                }
                Self::AnswerMissing | Self::AnswerPartial | Self::AnswerDripped => {
                    let wire = arena.visitor().await?.into_wire();
                    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                                  X-Long: and so on, and so on, and so on, and so on\r\n";
                    let sent = if *self == Self::AnswerMissing { "" } else { answer };
                    Ok(self.linger(wire, sent, arena, deadline).await)
                }
                Self::Unread => unread(arena, deadline).await,
                Self::Idle | Self::MessageOpen => self.hold(arena, deadline).await,
            }
        })
    }
}

impl Silence {
    /// Sends the text by half, or octet by octet, and waits for the end.
    async fn linger(
        &self,
        mut wire: Wire,
        text: &str,
        arena: &Arena,
        deadline: Instant,
    ) -> Verdict {
        let began = Instant::now();
        let mut drip = text.bytes().cycle().take(if text.is_empty() { 0 } else { usize::MAX });
        let dripped = matches!(self, Self::HandshakeDripped | Self::AnswerDripped);
        if !dripped {
            let (half, _) = text.split_at(text.len() / 2);
            wire.write(half.as_bytes()).await;
        }
        let mut left = text.len().saturating_sub(4);
        while Instant::now() < deadline {
            if dripped {
                // A request that came to its end would be answered: fields are dripped instead.
                let octet = if left > 0 { drip.next().unwrap_or(b'x') } else { b'x' };
                left = left.saturating_sub(1);
                if !wire.write(&[octet]).await {
                    break;
                }
            }
            let answered = timeout(Duration::from_millis(200), wire.fill()).await;
            if matches!(answered, Ok(false)) || !wire.buffered().is_empty() {
                break;
            }
        }
        let took = began.elapsed();
        if Instant::now() < deadline {
            arena.log.note("the peer gave up");
            let why = format!("the peer gave up after {:.1} s", took.as_secs_f64());
            return Verdict::plain(Behavior::Ok, why);
        }
        let why = format!("the peer still waited after {:.1} s", took.as_secs_f64());
        Verdict::plain(Behavior::NonStrict, why)
    }

    async fn hold(&self, arena: &mut Arena, deadline: Instant) -> Result<Verdict, Refused> {
        let mut link = arena.open().await?;
        let began = Instant::now();
        if *self == Self::MessageOpen {
            link.send(&[Frame::text("begun").open()], WriteMode::OneGo).await;
        }
        let ended = link.idle_until_end(deadline).await;
        let took = began.elapsed().as_secs_f64();
        let why = if ended {
            format!("the peer ended the connection after {took:.1} s")
        } else {
            format!("the peer kept the connection for {took:.1} s")
        };
        let close = CloseBehavior::Informational;
        Ok(Verdict::on(&link, Behavior::Informational, close, why))
    }
}

/// A peer that is not read must stop reading, and end it after a while.
async fn unread(arena: &mut Arena, deadline: Instant) -> Result<Verdict, Refused> {
    const ENOUGH: usize = 512 * 1024 * 1024;
    let mut link = arena.open().await?;
    let bytes = Frame::binary(vec![7; 64 * 1024]).encode(link.suite_is_client());
    let (mut sent, mut offset, mut stalled) = (0, 0, false);
    while sent < ENOUGH && Instant::now() < deadline {
        let rest = bytes.get(offset..).unwrap_or_default();
        match timeout(Duration::from_secs(1), link.wire().write_blindly(rest)).await {
            Ok(Ok(0) | Err(_)) => {
                let why = format!("the peer cut the connection after {sent} octets");
                return Ok(Verdict::plain(Behavior::Ok, why));
            }
            Ok(Ok(written)) => {
                sent += written;
                offset = (offset + written) % bytes.len();
            }
            Err(_) => {
                stalled = true;
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
    link.log().note(format!("{sent} octets were taken"));
    if !stalled {
        let why = format!("{sent} octets were taken while no echo was read: there is no limit");
        return Ok(Verdict::plain(Behavior::NonStrict, why));
    }
    // Whether the peer gave up meanwhile is known once its backlog has been read.
    let mut quiet = Instant::now();
    while quiet.elapsed() < Duration::from_millis(500) {
        match link.next(quiet + Duration::from_millis(500)).await {
            Next::Ended | Next::Closed => {
                let why = format!("the peer took {sent} octets, waited, and gave up");
                return Ok(Verdict::plain(Behavior::Ok, why));
            }
            Next::Event(_) => quiet = Instant::now(),
            Next::Late => break,
        }
    }
    let why = format!("the peer took {sent} octets and then waited for ever to be read");
    Ok(Verdict::plain(Behavior::NonStrict, why))
}
