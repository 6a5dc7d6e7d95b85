//! The echo server on smol, with the options of `echo_server`:
//! `cargo run --release -p ws-examples --bin smol_echo`. No tokio runtime is started.

use std::error::Error;

use ws_examples::echo::{Options, echo};
use ws_stack::smol::Smol;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    ws_examples::logging();
    let server = Options::read().server(Smol)?;
    smol::block_on(server.serve(echo));
    Ok(())
}
