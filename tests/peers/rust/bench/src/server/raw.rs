//! The limit: the same echo without any protocol, on the same runtime.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::ready;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use super::scratch;

/// Sends back what comes in, one read and one write a turn, out of one buffer for all connections.
pub async fn echo(stream: TcpStream) -> io::Result<()> {
    echo_on(stream).await
}

/// The same on any stream.
pub async fn echo_on(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    while let Some(unsent) = turn(&mut stream).await? {
        stream.write_all(&unsent).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// What the socket would not take at once, or `None` at the end of the stream.
async fn turn(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<Option<Vec<u8>>> {
    poll_fn(|cx| {
        scratch::with(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            let input = buffer.filled();
            if input.is_empty() {
                return std::task::Poll::Ready(Ok(None));
            }
            let written = Pin::new(&mut *stream).poll_write(cx, input)?;
            let sent = if let std::task::Poll::Ready(sent) = written { sent } else { 0 };
            std::task::Poll::Ready(Ok(Some(input[sent..].to_vec())))
        })
    })
    .await
}
