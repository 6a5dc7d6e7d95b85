//! Lines from the keyboard go out, messages come in.

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::pin::{Pin, pin};
use std::task::Poll;

use futures_channel::mpsc::{self, UnboundedReceiver};
use futures_core::Stream as _;
use ws_stack::endpoint::{CloseCode, Error, Message, Net, WebSocket};

use crate::Failure;

/// Runs until the end of the connection; the end of the input begins the goodbye, so that answers
/// still on their way are shown.
pub(crate) async fn run<N: Net>(
    websocket: &mut WebSocket<N>,
    code: CloseCode,
    reason: &str,
) -> Result<(), Failure> {
    let mut lines = lines();
    let mut typing = true;
    loop {
        match next(&mut lines, typing, websocket).await {
            Happening::Line(Some(line)) => websocket.send(Message::text(line?)).await?,
            Happening::Line(None) => {
                typing = false;
                websocket.start_close(code, reason)?;
            }
            Happening::Message(Some(message)) => show(&message?)?,
            Happening::Message(None) if typing => {
                return Err("the server ended the connection".into());
            }
            Happening::Message(None) => return Ok(()),
        }
    }
}

enum Happening {
    Line(Option<io::Result<String>>),
    Message(Option<Result<Message, Error>>),
}

/// Whatever comes first; nothing is lost of the other.
async fn next<N: Net>(
    lines: &mut UnboundedReceiver<io::Result<String>>,
    typing: bool,
    websocket: &mut WebSocket<N>,
) -> Happening {
    let mut message = pin!(websocket.next());
    poll_fn(|cx| {
        if typing && let Poll::Ready(line) = Pin::new(&mut *lines).poll_next(cx) {
            return Poll::Ready(Happening::Line(line));
        }
        message.as_mut().poll(cx).map(Happening::Message)
    })
    .await
}

/// The lines of the input, read by a thread of their own: reading from a keyboard blocks, and the
/// end of the program does not wait for the thread.
fn lines() -> UnboundedReceiver<io::Result<String>> {
    let (sender, receiver) = mpsc::unbounded();
    #[expect(clippy::disallowed_methods, reason = "reading from a keyboard blocks")]
    std::thread::spawn(move || {
        for line in io::stdin().lines() {
            if sender.unbounded_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn show(message: &Message) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match message {
        // The server chose this text: what is not printable is escaped.
        Message::Text(text) => writeln!(stdout, "< {}", text.as_str().escape_debug()),
        Message::Close(Some(frame)) => {
            writeln!(stdout, "closed with {} {:?}", frame.code.get(), frame.reason)
        }
        other => writeln!(stdout, "< {:?}, {} bytes", other.opcode(), other.payload().len()),
    }
}
