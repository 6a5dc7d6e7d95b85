//! Lines from the keyboard go out, messages come in.

use std::io::Write as _;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use ws_stack::tokio::{Message, WebSocket};

use crate::Failure;

/// Runs until the end of the input, or of the connection.
pub(crate) async fn run(websocket: &mut WebSocket) -> Result<(), Failure> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        // Both futures may be dropped without losing anything.
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => websocket.send(Message::text(line)).await?,
                None => return Ok(()),
            },
            message = websocket.next() => match message {
                Some(message) => show(&message?)?,
                None => return Err("the server ended the connection".into()),
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
