//! Many WebSockets on one HTTP/3 connection: `h3_client wss://127.0.0.1:9002/ --insecure` opens a
//! hundred to an echo server, has them talk at the same time, and prints how long it took.

use std::error::Error;

use ws_examples::many::Many;
use ws_stack::tokio::HttpPolicy;

const USAGE: &str = "\
Opens many WebSockets on one HTTP/3 connection to an echo server, and times them.

usage: h3_client [options] URL

  URL                     wss://…
  --count N               how many WebSockets (100)
  --messages N            how many messages each sends and gets back (100)
  --ca FILE               trust the authorities in this PEM file instead of the system's
  --insecure              trust anyone";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    ws_examples::logging();
    Many::read(USAGE).run(HttpPolicy::H3).await
}
