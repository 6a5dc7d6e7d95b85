//! A WebSocket client for the command line: `echo_client ws://127.0.0.1:9001/`, type a line, see
//! the echo. It can also check a server, measure it, and reflect what it sends.

mod check;
mod console;
mod load;
mod options;

use std::error::Error;
use std::process::ExitCode;

use options::{Mode, Options, Platform};
use ws_examples::{arguments, certificates};
use ws_stack::async_std::AsyncStd;
use ws_stack::endpoint::{Client, CloseCode, Net, WebSocket};
use ws_stack::smol::Smol;
use ws_stack::tokio::Tokio;

/// What ends a run before its time, in words for the user.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    ws_examples::logging();
    let options = Options::read().unwrap_or_else(|error| arguments::refuse(error));
    let ended = match options.platform {
        Platform::Tokio => tokio_block_on(run(Tokio, &options)),
        Platform::AsyncStd => async_std::task::block_on(run(AsyncStd, &options)),
        Platform::Smol => smol::block_on(run(Smol, &options)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn tokio_block_on(run: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run)
}

async fn run<N: Net>(net: N, options: &Options) -> Result<(), Failure> {
    let client = client(net.clone(), options)?;
    let ended = talk(&net, &client, options).await;
    // The last frames are on their way before the program ends.
    client.wait_idle().await;
    ended
}

async fn talk<N: Net>(net: &N, client: &Client<N>, options: &Options) -> Result<(), Failure> {
    let mut websocket = connect(client, options).await?;
    let (code, reason) = &options.close;
    match &options.mode {
        Mode::Console => console::run(&mut websocket, *code, reason).await?,
        Mode::Check { ping_between } => check::run(&mut websocket, *ping_between).await?,
        Mode::Load(load) => load::run(net, &mut websocket, load).await?,
        Mode::Reflect => return reflect(&mut websocket).await,
        Mode::CloseOnly => {}
    }
    close(&mut websocket, *code, reason).await
}

fn client<N: Net>(net: N, options: &Options) -> Result<Client<N>, Failure> {
    let mut client = Client::new(net).with_http(options.over);
    if options.insecure {
        client = client.with_tls(certificates::trusting_anyone()?);
    } else if let Some(file) = &options.ca {
        let pem = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        client = client.with_tls(certificates::trusting(&pem)?);
    }
    Ok(client)
}

async fn connect<N: Net>(client: &Client<N>, options: &Options) -> Result<WebSocket<N>, Failure> {
    match &options.unix {
        #[cfg(unix)]
        Some(path) => Ok(client.connect_unix(path, &options.url, &options.connect).await?),
        #[cfg(not(unix))]
        Some(_) => Err("this system has no Unix sockets".into()),
        None => Ok(client.connect(&options.url, &options.connect).await?),
    }
}

/// Sends every data message back until the server ends; right if it ended in order.
async fn reflect<N: Net>(websocket: &mut WebSocket<N>) -> Result<(), Failure> {
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
async fn close<N: Net>(
    websocket: &mut WebSocket<N>,
    code: CloseCode,
    reason: &str,
) -> Result<(), Failure> {
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
