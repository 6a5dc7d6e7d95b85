//! A whole conversation with an echo server, each answer verified.

use std::io::Write as _;

use bytes::Bytes;
use rand::{Rng as _, RngCore as _};
use ws_stack::endpoint::{Message, Net, WebSocket};
use ws_stack::frame::DataKind;

use crate::Failure;

/// Around every boundary of the length encoding (RFC 6455 §5.2), and one large message.
const SIZES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 1_048_576];

/// Runs the conversation; the first wrong answer ends it.
pub(crate) async fn run<N: Net>(
    websocket: &mut WebSocket<N>,
    ping_between: bool,
) -> Result<(), Failure> {
    for size in SIZES {
        echoed(websocket, Message::text(text(size)), &format!("text of {size} bytes")).await?;
        echoed(websocket, Message::binary(binary(size)), &format!("binary of {size} bytes"))
            .await?;
    }
    echoed(websocket, Message::text("κόσμε, 世界, 🌍"), "text beyond ASCII").await?;
    fragments(websocket, ping_between).await?;
    echoed(websocket, Message::binary(repeats()), "repeats far apart").await?;
    ping(websocket).await?;
    pipelined(websocket).await
}

async fn echoed<N: Net>(
    websocket: &mut WebSocket<N>,
    message: Message,
    name: &str,
) -> Result<(), Failure> {
    websocket.send(message.clone()).await?;
    expect(websocket, &message, name).await?;
    report(name)
}

/// The next data message is `expected`.
async fn expect<N: Net>(
    websocket: &mut WebSocket<N>,
    expected: &Message,
    name: &str,
) -> Result<(), Failure> {
    loop {
        match websocket.next().await {
            Some(Ok(message)) if message == *expected => return Ok(()),
            Some(Ok(message)) if message.data_kind().is_some() => {
                let (kind, size) = (message.opcode(), message.payload().len());
                return Err(format!("{name}: {kind:?} of {size} bytes came back").into());
            }
            Some(Ok(_control)) => {}
            Some(Err(error)) => return Err(format!("{name}: {error}").into()),
            None => return Err(format!("{name}: the server ended the connection").into()),
        }
    }
}

/// A message in frames of several sizes, cut inside characters, with a ping in between unless the
/// server is known to lose the thread there.
async fn fragments<N: Net>(
    websocket: &mut WebSocket<N>,
    ping_between: bool,
) -> Result<(), Failure> {
    let whole = "Grüße, κόσμε. ".repeat(1000);
    let mut rest = Bytes::from(whole.clone());
    for size in [0, 1, 2, 3, 125, 1000] {
        let piece = rest.split_to(size);
        websocket.feed_fragment(DataKind::Text, piece, false).await?;
    }
    if ping_between {
        websocket.feed(Message::Ping(Bytes::from_static(b"in between"))).await?;
    }
    websocket.feed_fragment(DataKind::Text, rest, true).await?;
    websocket.flush().await?;
    expect(websocket, &Message::text(whole), "fragments").await?;
    report(if ping_between { "fragments, with a ping in between" } else { "fragments" })
}

async fn ping<N: Net>(websocket: &mut WebSocket<N>) -> Result<(), Failure> {
    let payload = Bytes::from_static(b"are you there?");
    websocket.send(Message::Ping(payload.clone())).await?;
    loop {
        match websocket.next().await {
            Some(Ok(Message::Pong(answer))) if answer == payload => return report("ping"),
            Some(Ok(Message::Pong(_) | Message::Ping(_))) => {}
            Some(Ok(other)) => return Err(format!("ping: {:?} came back", other.opcode()).into()),
            Some(Err(error)) => return Err(format!("ping: {error}").into()),
            None => return Err("ping: the server ended the connection".into()),
        }
    }
}

async fn pipelined<N: Net>(websocket: &mut WebSocket<N>) -> Result<(), Failure> {
    const COUNT: usize = 1000;
    for number in 0..COUNT {
        websocket.feed(Message::text(format!("message {number}"))).await?;
    }
    for number in 0..COUNT {
        expect(websocket, &Message::text(format!("message {number}")), "pipelined").await?;
    }
    report("1000 messages on their way at once")
}

/// The same bytes twice with more than 4 kB of others between them, which a compressor with a
/// small window must not remember and one with a large window must.
fn repeats() -> Vec<u8> {
    let phrase = binary(512);
    [&phrase[..], &binary(6000), &phrase, &binary(40_000), &phrase].concat()
}

/// Random text of exactly `size` bytes.
pub(crate) fn text(size: usize) -> String {
    const LETTERS: [&str; 6] = ["a", "Z", " ", "é", "€", "🌍"];
    let mut rng = rand::rng();
    let mut text = String::with_capacity(size + 4);
    while text.len() < size {
        let letter = LETTERS.get(rng.random_range(0..LETTERS.len())).copied().unwrap_or("a");
        text.push_str(if text.len() + letter.len() > size { "x" } else { letter });
    }
    text
}

/// Random bytes.
pub(crate) fn binary(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

fn report(name: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout().lock(), "ok  {name}")?;
    Ok(())
}
