//! An echo server with a page to try it from: `cargo run --release -p ws-examples --bin echo_server`,
//! then open the address it prints, with `http` for `ws`, in a browser. What it does with a
//! connection, and its options, stand in `ws_examples::echo`.

use std::error::Error;

use ws_examples::echo::{Options, echo};
use ws_stack::tokio::Tokio;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    ws_examples::logging();
    let options = Options::read();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = options.threads {
        runtime.worker_threads(threads.max(1));
    }
    runtime.enable_all().build()?.block_on(run(options))
}

async fn run(options: Options) -> Result<(), Box<dyn Error + Send + Sync>> {
    // Sockets of tokio are made where its reactor runs.
    let server = options.server(Tokio)?;
    let shutdown = server.shutdown_handle();
    tokio::spawn(async move {
        ws_examples::told_to_end().await;
        shutdown.drain(options.drain);
    });
    server.serve(echo).await;
    Ok(())
}
