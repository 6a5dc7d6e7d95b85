//! The suite as a server: judges clients that are started for it, or that a driver sends.

mod command;
mod driver;

pub use command::judge_client;
pub use driver::listen;

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::arena::Visitor;
use crate::wire::http;
use crate::wire::stream::Wire;

/// Reads the request of a client that has called.
pub(crate) async fn receive(stream: TcpStream) -> io::Result<Visitor> {
    stream.set_nodelay(true)?;
    let mut wire = Wire::new(stream);
    let limit = Duration::from_secs(10);
    match timeout(limit, http::read_head(&mut wire)).await {
        Ok(Some((request, _))) => Ok(Visitor { wire, request }),
        _ => Err(io::Error::other("the client called but sent no whole request")),
    }
}
