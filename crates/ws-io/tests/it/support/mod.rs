//! What the tests run on: a simulated runtime and a hostile transport.

mod buffered;
mod dice;
mod hostile;
mod sim;

use std::future::poll_fn;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::BytesMut;
use ws_frame::{MaskKeys, Message};
use ws_io::{Duplex, Error, Runtime as _, Transport, UpgradeInfo, WebSocket, duplex};
use ws_session::{Config, Session};

pub(crate) use buffered::Buffered;
pub(crate) use dice::Dice;
pub(crate) use hostile::{Counts, Fault, Hostile, Plan};
pub(crate) use sim::{Sim, give_up_after, join, yield_now};

pub(crate) type Socket<T = Duplex> = WebSocket<T, Sim>;

/// The server's end of an open connection over `transport`.
pub(crate) fn server<T: Transport>(sim: &Sim, transport: T) -> Socket<T> {
    server_with(sim, transport, shared_config())
}

pub(crate) fn server_with<T: Transport>(sim: &Sim, transport: T, config: Arc<Config>) -> Socket<T> {
    let session = Session::server(config);
    WebSocket::from_parts(transport, sim.clone(), session, UpgradeInfo::new("/"))
}

/// The client's end of an open connection over `transport`.
pub(crate) fn client<T: Transport>(sim: &Sim, transport: T) -> Socket<T> {
    client_with(sim, transport, shared_config())
}

/// Has a client send a message for which the transport has no room, and take something once in two seconds.
pub(crate) fn send_large_and_take_slowly(client: Socket, sim: &Sim) {
    let (mut taking, mut sending) = client.split();
    sim.spawn(async move { sending.send(Message::binary(vec![7; 5000])).await.unwrap() });
    let clock = sim.clone();
    sim.spawn(async move {
        loop {
            clock.sleep(Duration::from_secs(2)).await;
            let _something = give_up_after(1, taking.next_chunk()).await;
        }
    });
}

pub(crate) fn client_with<T: Transport>(sim: &Sim, transport: T, config: Arc<Config>) -> Socket<T> {
    let keys = MaskKeys::new(|| [0x12, 0x34, 0x56, 0x78]);
    let session = Session::client(config, keys);
    WebSocket::from_parts(transport, sim.clone(), session, UpgradeInfo::new("/"))
}

/// Connections share their configuration, as they do in a server.
fn shared_config() -> Arc<Config> {
    static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(Arc::default);
    Arc::clone(&CONFIG)
}

/// Both ends of an open connection in memory.
pub(crate) fn pair(sim: &Sim) -> (Socket, Socket) {
    let (left, right) = duplex(64 * 1024);
    (client(sim, left), server(sim, right))
}

/// Answers every data message with itself until the end; returns what ended it.
pub(crate) async fn echo<T: Transport>(websocket: &mut Socket<T>) -> Result<(), Error> {
    while let Some(message) = websocket.next().await {
        let message = message?;
        if message.data_kind().is_some() {
            websocket.feed(message).await?;
        }
    }
    Ok(())
}

/// A masked frame as a client sends it, key zero: `first` is the first header byte.
pub(crate) fn frame(first: u8, payload: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::from(&[first][..]);
    match payload.len() {
        len @ ..=125 => bytes.extend_from_slice(&[0x80 | len as u8]),
        len @ ..=0xffff => {
            bytes.extend_from_slice(&[0xfe]);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.extend_from_slice(&[0xff]);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// Writes all of it.
pub(crate) async fn write(raw: &mut Duplex, bytes: impl AsRef<[u8]>) {
    let mut bytes = bytes.as_ref();
    while !bytes.is_empty() {
        poll_fn(|cx| raw.poll_write(cx, &mut bytes)).await.unwrap();
    }
}

/// What comes until the end, or a failure.
pub(crate) async fn read_to_end(raw: &mut Duplex) -> String {
    let mut bytes = BytesMut::new();
    while matches!(poll_fn(|cx| raw.poll_read(cx, &mut bytes, 1000)).await, Ok(1..)) {}
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().filter_map(Message::as_text).collect()
}
