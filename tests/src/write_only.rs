//! A transport for the one thing that a client over HTTP/1.1 cannot do without.

use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};

/// A transport that cannot be read during the handshake.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a unit for tests")]
pub struct WriteOnly;

impl ws_io::Transport for WriteOnly {
    fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        _: &mut BytesMut,
        _: usize,
    ) -> Poll<std::io::Result<usize>> {
        panic!("it said that it cannot be read")
    }

    fn poll_write(&mut self, _: &mut Context<'_>, _: &mut dyn Buf) -> Poll<std::io::Result<usize>> {
        panic!("nothing is sent to a transport that cannot be read")
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn supports_handshake_recv(&self) -> bool {
        false
    }

    fn name(&self) -> &'static str {
        "write-only"
    }
}
