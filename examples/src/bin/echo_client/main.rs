//! A WebSocket client for the command line: `echo_client ws://127.0.0.1:9001/`, type a line, see
//! the echo. It can also check a server, measure it, and reflect what it sends.

mod check;
mod console;
mod load;
mod options;

use std::error::Error;

use options::{Mode, Options};
use ws_examples::{arguments, certificates};
use ws_stack::tokio::{CloseCode, WebSocket};

/// What ends a run before its time, in words for the user.
type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    ws_examples::logging();
    let options = Options::read().unwrap_or_else(|error| arguments::refuse(error));
    let status = match run(&options).await {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{}", chain(&*error));
            1
        }
    };
    // Not by returning: the runtime would wait for its thread that reads the keyboard.
    std::process::exit(status)
}

async fn run(options: &Options) -> Result<(), Failure> {
    let mut websocket = connect(options).await?;
    let (code, reason) = &options.close;
    match &options.mode {
        Mode::Console => console::run(&mut websocket, *code, reason).await?,
        Mode::Check => check::run(&mut websocket).await?,
        Mode::Load(load) => load::run(&mut websocket, load).await?,
        Mode::Reflect => return reflect(&mut websocket).await,
        Mode::CloseOnly => {}
    }
    close(&mut websocket, *code, reason).await
}

async fn connect(options: &Options) -> Result<WebSocket, Failure> {
    let mut client = ws_stack::tokio::client().with_http(options.over);
    if options.insecure {
        client = client.with_tls(certificates::trusting_anyone()?);
    } else if let Some(file) = &options.ca {
        let pem = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        client = client.with_tls(certificates::trusting(&pem)?);
    }
    match &options.unix {
        #[cfg(unix)]
        Some(path) => Ok(client.connect_unix(path, &options.url, &options.connect).await?),
        #[cfg(not(unix))]
        Some(_) => Err("this system has no Unix sockets".into()),
        None => Ok(client.connect(&options.url, &options.connect).await?),
    }
}

/// Sends every data message back until the server ends; right if it ended in order.
async fn reflect(websocket: &mut WebSocket) -> Result<(), Failure> {
    while let Some(message) = websocket.next().await {
        let message = message?;
        if message.data_kind().is_some() {
            websocket.feed(message).await?;
        }
    }
    match websocket.outcome() {
        Some(outcome) if outcome.clean => Ok(()),
        outcome => Err(format!("the connection did not end in order: {outcome:?}").into()),
    }
}

/// Says goodbye; right if the server answers with the same code.
async fn close(websocket: &mut WebSocket, code: CloseCode, reason: &str) -> Result<(), Failure> {
    let outcome = websocket.close(code, reason).await?;
    if outcome.clean && outcome.code == code {
        return Ok(());
    }
    Err(format!("the close frame with {} was not answered in kind: {outcome:?}", code.get()).into())
}

/// An error and what is behind it, on one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
