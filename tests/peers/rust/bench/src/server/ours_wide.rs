//! This project's server with room for more streams on a connection than is default.

use std::io;

use ws_h3::QuicOptions;
use ws_tokio::H2Options;

use super::ours;

/// More than is measured.
const STREAMS: u32 = 1024;

/// The room as HTTP/3 has it.
pub fn quic() -> QuicOptions {
    let mut options = QuicOptions::default();
    options.max_requests = STREAMS;
    options
}

/// HTTP/2 in cleartext.
pub async fn serve_h2() -> io::Result<()> {
    let mut options = H2Options::default();
    options.max_streams = STREAMS;
    ours::serve(ws_tokio::server().with_h2(options)).await
}
