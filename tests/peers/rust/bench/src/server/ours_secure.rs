//! This project's server over HTTP/3, as its documentation shows.

use std::io;
use std::sync::Arc;

use super::{announce, certificate, ours};

pub async fn serve() -> io::Result<()> {
    let (tls, der) = certificate::make().map_err(io::Error::other)?;
    let server = ws_tokio::server().listen_h3(([127, 0, 0, 1], 0).into(), Arc::new(tls))?;
    let address = server.local_addrs().next().expect("it listens on one address");
    certificate::publish(address.port(), &der).map_err(io::Error::other)?;
    announce(address.port())?;
    server.serve(ours::echo).await;
    Ok(())
}
