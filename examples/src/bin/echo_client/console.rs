//! Lines from the keyboard go out, messages come in.

use std::io::Write as _;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use ws_stack::tokio::{CloseCode, Message, WebSocket};

use crate::Failure;

/// Runs until the end of the connection; the end of the input begins the goodbye, so that answers
/// still on their way are shown.
pub(crate) async fn run(
    websocket: &mut WebSocket,
    code: CloseCode,
    reason: &str,
) -> Result<(), Failure> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut typing = true;
    loop {
        // Both futures may be dropped without losing anything.
        tokio::select! {
            line = lines.next_line(), if typing => match line? {
                Some(line) => websocket.send(Message::text(line)).await?,
                None => {
                    typing = false;
                    websocket.start_close(code, reason)?;
                }
            },
            message = websocket.next() => match message {
                Some(message) => show(&message?)?,
                None if typing => return Err("the server ended the connection".into()),
                None => return Ok(()),
            },
        }
    }
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
