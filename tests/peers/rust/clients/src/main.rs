//! `ws-peer-clients NAME URL` calls the URL with another crate's client, echoes until the server
//! ends, and says on the standard error stream what ended it otherwise.
//!
//! Each is the loop that its crate's documentation shows, with a message limit of 64 MiB. None of
//! them speaks TLS here.

mod fastwebsockets;
mod tungstenite;

use std::error::Error;
use std::process::ExitCode;

/// What every client is told to accept at most.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let echoed: Result<(), Box<dyn Error>> = match arguments.as_slice() {
        [name, url] if name == "tungstenite" => tungstenite::echo(url).await.map_err(Into::into),
        [name, url] if name == "fastwebsockets" => fastwebsockets::echo(url).await,
        _ => Err("usage: ws-peer-clients tungstenite|fastwebsockets ws://HOST:PORT/PATH".into()),
    };
    match echoed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
