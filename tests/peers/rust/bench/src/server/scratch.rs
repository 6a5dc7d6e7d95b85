//! One read buffer for the thread: what a server needs when it answers before it waits again.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SIZE]);
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// More than any one message of the small and middle cases, so that a read is one call.
const SIZE: usize = 256 * 1024;

/// Lends the buffer.
pub fn with<R>(run: impl FnOnce(&mut [u8]) -> R) -> R {
    SCRATCH.with_borrow_mut(|scratch| run(scratch))
}

/// What a turn left to be done by the connection itself.
pub struct Left {
    /// Not yet accepted by the socket.
    pub unsent: Vec<u8>,
    /// Not yet answered.
    pub rest: Vec<u8>,
}

/// Waits for bytes, has `answer` append the reply to the second buffer and say how many bytes it
/// has consumed, and writes the reply if the socket takes it. `None` at the end of the stream.
pub async fn turn(
    stream: &mut TcpStream,
    mut answer: impl FnMut(&mut [u8], &mut Vec<u8>) -> usize,
) -> io::Result<Option<Left>> {
    poll_fn(|cx| {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            let input = buffer.filled_mut();
            if input.is_empty() {
                return Poll::Ready(Ok(None));
            }
            OUTPUT.with_borrow_mut(|output| {
                output.clear();
                let consumed = answer(input, output);
                let mut sent = 0;
                if !output.is_empty()
                    && let Poll::Ready(count) = Pin::new(&mut *stream).poll_write(cx, output)?
                {
                    sent = count;
                }
                let unsent = output[sent..].to_vec();
                Poll::Ready(Ok(Some(Left { unsent, rest: input[consumed..].to_vec() })))
            })
        })
    })
    .await
}
