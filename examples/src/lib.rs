//! What the examples share, so that each of them shows nothing but its subject: certificates made
//! at start, the pages a browser opens, the parts of a command line, and what all echo servers do.

pub mod arguments;
pub mod certificates;
pub mod echo;
pub mod limits;
pub mod many;
pub mod page;

/// Writes to the standard error what the stack traces, as `RUST_LOG` asks for it:
/// `RUST_LOG=ws_endpoint=debug`, for example. Nothing by default.
pub fn logging() {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
}
