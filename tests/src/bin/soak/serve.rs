//! An echo server on every carrier that tells each second how many tasks its runtime has, and how
//! many KiB it has allocated.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lexopt::Arg::Long;
use lexopt::ValueExt as _;
use ws_stack::tokio::{AcceptOptions, WebSocket, server};
use ws_tests::certificates;

use crate::{ALLOCATOR, Failure, say};

pub(crate) async fn run(arguments: Vec<String>) -> Result<(), Failure> {
    let mut authority = None;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("ca-out") => authority = Some(PathBuf::from(parser.value()?.string()?)),
            other => return Err(other.unexpected().into()),
        }
    }
    let certificates = certificates();
    if let Some(file) = authority {
        std::fs::write(file, &certificates.authority_pem)?;
    }
    // Everything else is as it comes: what is tested is what users get.
    let options = AcceptOptions { deflate: Some(Default::default()), ..AcceptOptions::default() };
    let address = "127.0.0.1:0".parse()?;
    let server = server().with_options(options);
    let server =
        server.listen(address)?.listen_tls_and_h3(address, Arc::clone(&certificates.server))?;
    for url in server.urls() {
        say(&format!("listening {url}"))?;
    }
    let mut serving = tokio::spawn(server.serve(echo));
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            drained = &mut serving => {
                drained?;
                return Ok(());
            }
            _ = seconds.tick() => {
                let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
                let memory = ALLOCATOR.stats();
                let held = memory.bytes_allocated.saturating_sub(memory.bytes_deallocated);
                say(&format!("tasks={tasks} held={}", held / 1024))?;
            }
        }
    }
}

async fn echo(mut websocket: WebSocket) {
    while let Some(Ok(message)) = websocket.next().await {
        if message.data_kind().is_some() {
            // Refused once a goodbye is under way, which `next` sees to its end.
            let _ = websocket.feed(message).await;
        }
    }
}
