//! What the examples share, so that each of them shows nothing but its subject: certificates made
//! at start, the pages a browser opens, the parts of a command line, and what all echo servers do.

pub mod arguments;
pub mod certificates;
pub mod echo;
pub mod limits;
pub mod many;
pub mod page;

use std::future::pending;

#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};

/// Waits until the program is to end: Ctrl-C, or the `SIGTERM` of a service manager. For ever where
/// neither can be heard.
pub async fn told_to_end() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => drop(terminated.recv().await),
            Err(_) => pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}

/// Writes to the standard error what the stack traces, as `RUST_LOG` asks for it:
/// `RUST_LOG=ws_endpoint=debug`, for example. Nothing by default.
pub fn logging() {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
}
