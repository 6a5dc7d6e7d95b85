//! This project's crates with room for more streams on a connection than is default.

use std::io;
use std::sync::Arc;

use http::Response;
use tokio::net::{TcpListener, TcpStream};
use ws_h2::{Request, Server, ServerConfig};
use ws_h3::QuicOptions;
use ws_io::{UpgradeInfo, WebSocket};
use ws_session::{Config, Session};
use ws_tokio::Tokio;

use super::{announce, ours};

/// More than is measured.
const STREAMS: u32 = 1024;

/// The room as HTTP/3 has it.
pub fn quic() -> QuicOptions {
    let mut options = QuicOptions::default();
    options.max_requests = STREAMS;
    options
}

/// HTTP/2 in cleartext, on the crate of the carrier: the server around it cannot be told.
pub async fn serve_h2() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?.port())?;
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        tokio::spawn(serve(tcp));
    }
}

async fn serve(tcp: TcpStream) {
    let mut config = ServerConfig::default();
    config.max_streams = STREAMS;
    let Ok(mut server) = Server::accept(tcp, None, Tokio, &config).await else { return };
    let config: Arc<Config> = Arc::default();
    while let Some(request) = server.next().await {
        let Request::WebSocket(request) = request else { continue };
        let Ok(stream) = request.accept(Response::new(())) else { continue };
        let (session, info) = (Session::server(Arc::clone(&config)), UpgradeInfo::default());
        tokio::spawn(ours::echo(WebSocket::from_parts(stream, Tokio, session, info)));
    }
}
