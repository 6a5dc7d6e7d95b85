//! What `h2_client` and `h3_client` share: many WebSockets on one connection, timed.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;

use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt as _;
use tokio::task::JoinSet;
use tokio::time::Instant;
use ws_stack::tokio::{CloseCode, ConnectOptions, HttpPolicy, Message, WebSocket};

use crate::{arguments, certificates};

/// What the command line asks for.
#[derive(Debug)]
pub struct Many {
    url: String,
    count: usize,
    messages: usize,
    ca: Option<PathBuf>,
    insecure: bool,
}

type Failure = Box<dyn Error + Send + Sync>;

impl Many {
    /// Reads the command line; ends the program if it asks for help or is wrong.
    #[must_use]
    pub fn read(usage: &str) -> Self {
        Self::parse(usage).unwrap_or_else(|error| arguments::refuse(error))
    }

    /// Opens the WebSockets, has all of them talk at once, and says how long it took.
    ///
    /// # Errors
    ///
    /// The server is not reached by `policy`, or does not echo.
    pub async fn run(self, policy: HttpPolicy) -> Result<(), Failure> {
        let mut client = ws_stack::tokio::client().with_http(policy);
        if self.insecure {
            client = client.with_tls(certificates::trusting_anyone()?);
        } else if let Some(file) = &self.ca {
            client = client.with_tls(certificates::trusting(&std::fs::read(file)?)?);
        }
        let mut stdout = std::io::stdout();

        let start = Instant::now();
        let options = ConnectOptions::default();
        let first = client.connect(&self.url, &options).await?;
        let version = first.transport().http_version();
        writeln!(stdout, "connected over {version} in {:?}", start.elapsed())?;

        // The client keeps the connection: these are streams of the same one.
        let start = Instant::now();
        let mut opening = JoinSet::new();
        for _ in 1..self.count {
            let (client, url, options) = (client.clone(), self.url.clone(), options.clone());
            opening.spawn(async move { client.connect(&url, &options).await });
        }
        let mut websockets = vec![first];
        while let Some(opened) = opening.join_next().await {
            websockets.push(opened??);
        }
        let elapsed = start.elapsed();
        writeln!(stdout, "{} more WebSockets opened in {elapsed:?}", websockets.len() - 1)?;

        let start = Instant::now();
        let mut talking = JoinSet::new();
        for websocket in websockets {
            talking.spawn(talk(websocket, self.messages));
        }
        while let Some(talked) = talking.join_next().await {
            talked??;
        }
        let elapsed = start.elapsed();
        let total = self.count * self.messages;
        writeln!(stdout, "{total} messages echoed in {elapsed:?}")?;
        // The last frames are written by tasks, which end with the program.
        client.wait_idle().await;
        Ok(())
    }

    fn parse(usage: &str) -> Result<Self, lexopt::Error> {
        let mut many =
            Self { url: String::new(), count: 100, messages: 100, ca: None, insecure: false };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("count") => many.count = arguments::value(&mut parser)?,
                Long("messages") => many.messages = arguments::value(&mut parser)?,
                Long("ca") => many.ca = Some(arguments::value(&mut parser)?),
                Long("insecure") => many.insecure = true,
                Long("help") | Short('h') => arguments::help(usage),
                Value(url) if many.url.is_empty() => many.url = url.string()?,
                other => return Err(other.unexpected()),
            }
        }
        many.count = many.count.max(1);
        if many.url.is_empty() { Err("which URL".into()) } else { Ok(many) }
    }
}

/// Says something, checks the echo, `messages` times; then says goodbye.
async fn talk(mut websocket: WebSocket, messages: usize) -> Result<(), Failure> {
    for number in 0..messages {
        let message = Message::text(format!("message {number}"));
        websocket.feed(message.clone()).await?;
        let back = websocket.next().await.ok_or("the server ended the connection")??;
        if back != message {
            return Err(format!("{message:?} came back as {back:?}").into());
        }
    }
    let outcome = websocket.close(CloseCode::NORMAL, "").await?;
    if outcome.clean { Ok(()) } else { Err(format!("no orderly end: {outcome:?}").into()) }
}
