//! The echo server on async-std, with the options of `echo_server`:
//! `cargo run --release -p ws-examples --bin async_std_echo`. No tokio runtime is started.

use std::error::Error;

use ws_examples::echo::{Options, echo};
use ws_stack::async_std::AsyncStd;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    ws_examples::logging();
    let server = Options::read().server(AsyncStd)?;
    async_std::task::block_on(server.serve(echo));
    Ok(())
}
