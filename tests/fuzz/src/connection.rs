//! A whole connection of the driver: a client and a server, or raw bytes and a server, over
//! transports that do what the bytes say, on a virtual clock. Nothing panics, nothing gets stuck, the
//! end is told once, and messages arrive in order or not at all.

mod transport;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use ws_io::{
    AcceptOptions, Chunk, CloseCode, ConnectOptions, DataKind, Message, Transport, UpgradeInfo,
    WebSocket, WsUri, accept, connect, duplex,
};
use ws_session::{Config, Limits, MaskKeys, Session};

use crate::sim::{Sim, join};
use crate::source::Source;
use transport::Fickle;

/// Panics when a promise of the driver is broken.
pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let flags = source.byte();
    let capacity = usize::from(source.byte()) * 8 + 16;
    let (plan_len, ops_len) = (usize::from(source.byte()), usize::from(source.byte()));
    let plan = source.bytes(plan_len).to_vec();
    let ops = source.bytes(ops_len).to_vec();
    let rest = source.rest().to_vec();
    let sim = Sim::new();
    let (left, right) = duplex(capacity);
    let right = Fickle::new(right, plan);
    match flags % 3 {
        0 => two(&sim, left, right, ops, rest, flags & 0x80 != 0),
        1 => raw(&sim, left, right, ops, rest),
        _ => handshake(&sim, left, right, ops, rest),
    }
    assert!(sim.elapsed() < Duration::from_secs(100_000), "time that nothing accounts for");
}

fn config() -> Arc<Config> {
    let mut config = Config::default();
    config.limits =
        Limits::default().with_max_frame(1000).with_max_message(1500).with_max_fragments(20);
    config.high_water = 500;
    config.into()
}

fn server<T: Transport>(sim: &Sim, transport: T) -> WebSocket<T, Sim> {
    let session = Session::server(config());
    WebSocket::from_parts(transport, sim.clone(), session, UpgradeInfo::new("/"))
}

fn client<T: Transport>(sim: &Sim, transport: T) -> WebSocket<T, Sim> {
    let session = Session::client(config(), MaskKeys::new(|| [1, 2, 3, 4]));
    WebSocket::from_parts(transport, sim.clone(), session, UpgradeInfo::new("/"))
}

/// What one end sent or received, as the numbers in its messages.
type Numbers = Arc<Mutex<Vec<u16>>>;

/// Two of ours; either may be the one with the fickle transport.
fn two(
    sim: &Sim,
    left: ws_io::Duplex,
    right: Fickle,
    left_ops: Vec<u8>,
    right_ops: Vec<u8>,
    swapped: bool,
) {
    let logs: [Numbers; 4] = std::array::from_fn(|_| Numbers::default());
    let [a_sent, a_received, b_sent, b_received] = logs.clone();
    sim.block_on(async {
        if swapped {
            let a = play(sim, server(sim, left), left_ops, a_sent, a_received);
            let b = play(sim, client(sim, right), right_ops, b_sent, b_received);
            join(a, b).await;
        } else {
            let a = play(sim, client(sim, left), left_ops, a_sent, a_received);
            let b = play(sim, server(sim, right), right_ops, b_sent, b_received);
            join(a, b).await;
        }
    });
    let log = |n: usize| logs[n].lock().expect("one thread").clone();
    assert!(log(0).starts_with(&log(3)), "{:?} sent, {:?} received", log(0), log(3));
    assert!(log(2).starts_with(&log(1)), "{:?} sent, {:?} received", log(2), log(1));
}

/// A server of ours and a peer that writes bytes, waits, and goes.
fn raw(sim: &Sim, mut left: ws_io::Duplex, right: Fickle, ops: Vec<u8>, bytes: Vec<u8>) {
    let peer = async {
        for piece in bytes.chunks(40) {
            let mut unwritten = piece;
            let mut read = bytes::BytesMut::new();
            let mut wait = pin!(sim.sleep(Duration::from_secs(u64::from(piece[0] % 4) * 3)));
            // It reads what comes or not, and writes what it can until its patience is over.
            poll_fn(|cx| {
                if piece[0] & 4 != 0 {
                    let _read = left.poll_read(cx, &mut read, 100);
                }
                if !unwritten.is_empty() {
                    let _written = left.poll_write(cx, &mut unwritten);
                }
                wait.as_mut().poll(cx)
            })
            .await;
        }
        let _ended = poll_fn(|cx| left.poll_shutdown(cx)).await;
    };
    let (sent, received) = (Numbers::default(), Numbers::default());
    sim.block_on(join(play(sim, server(sim, right), ops, sent, received), peer));
}

fn handshake(sim: &Sim, left: ws_io::Duplex, right: Fickle, ops: Vec<u8>, more: Vec<u8>) {
    let uri: WsUri = "ws://a.example/".parse().expect("a URI");
    let logs: [Numbers; 4] = std::array::from_fn(|_| Numbers::default());
    let [a_sent, a_received, b_sent, b_received] = logs.clone();
    sim.block_on(async {
        let a = async {
            let options = ConnectOptions::default();
            if let Ok(websocket) = connect(left, sim.clone(), &uri, &options).await {
                play(sim, websocket, ops, a_sent, a_received).await;
            }
        };
        let b = async {
            let options = AcceptOptions::default();
            if let Ok(websocket) = accept(right, sim.clone(), options).await {
                play(sim, websocket, more, b_sent, b_received).await;
            }
        };
        join(a, b).await;
    });
    let log = |n: usize| logs[n].lock().expect("one thread").clone();
    assert!(log(0).starts_with(&log(3)) && log(2).starts_with(&log(1)));
}

/// Does what `ops` say, then closes and waits for the end.
async fn play<T: Transport>(
    sim: &Sim,
    mut websocket: WebSocket<T, Sim>,
    ops: Vec<u8>,
    sent: Numbers,
    received: Numbers,
) {
    let mut errors = 0;
    let mut number = 0_u16;
    let note = |message: &Message| {
        if let Message::Binary(bytes) = message {
            if let Some(number) = bytes.first_chunk() {
                received.lock().expect("one thread").push(u16::from_be_bytes(*number));
            }
        }
    };
    for op in ops {
        let size = usize::from(op >> 4);
        match op & 0x0f {
            0..=3 => {
                number += 1;
                let mut payload = number.to_be_bytes().to_vec();
                payload.resize(2 + size * 60, op);
                let message = Message::binary(payload);
                let fed = if op & 1 == 0 {
                    within(sim, 2, websocket.feed(message)).await
                } else {
                    within(sim, 2, websocket.send(message)).await
                };
                // A message whose sending was given up may be queued; then it is the last.
                sent.lock().expect("one thread").push(number);
                if !matches!(fed, Some(Ok(()))) {
                    break;
                }
            }
            4 => {
                let _flushed = within(sim, 2, websocket.flush()).await;
            }
            5..=8 => match within(sim, u64::from(op >> 4), websocket.next()).await {
                Some(Some(Ok(message))) => note(&message),
                Some(Some(Err(_))) => errors += 1,
                Some(None) => break,
                None => {}
            },
            9 => {
                let ping = Message::Ping(Bytes::from(vec![op; size]));
                let _sent = within(sim, 2, websocket.send(ping)).await;
            }
            10 => {
                sim.sleep(Duration::from_secs(u64::from(op >> 4) * 8)).await;
            }
            11 => {
                let _begun = websocket.start_close(CloseCode::NORMAL, "");
            }
            12 => {
                // Cut off before it is done: nothing may be lost by that.
                let _unfinished = within(sim, 0, websocket.flush()).await;
            }
            13 => {
                let (mut reader, mut writer) = websocket.split();
                let next = within(sim, 3, reader.next());
                let pong = within(sim, 3, writer.send(Message::Pong(Bytes::new())));
                match join(next, pong).await.0 {
                    Some(Some(Ok(message))) => note(&message),
                    Some(Some(Err(_))) => errors += 1,
                    _ => {}
                }
                websocket = reader.reunite(writer).expect("they belong together");
            }
            14 => {
                let sender = websocket.sender(4);
                let _queued = sender.try_send(Message::Pong(Bytes::new()));
            }
            _ => match within(sim, 3, websocket.next_chunk()).await {
                Some(Some(Ok(Chunk::Data { data, last: true, .. }))) => {
                    note(&Message::Binary(data));
                }
                Some(Some(Ok(Chunk::Data { kind: DataKind::Binary, .. }))) => break,
                Some(Some(Err(_))) => errors += 1,
                _ => {}
            },
        }
    }
    let outcome = websocket.close(CloseCode::NORMAL, "bye").await;
    assert!(outcome.is_ok(), "a goodbye that may be said");
    assert!(websocket.outcome().is_some());
    assert!(errors <= 1, "the end is told once");
    assert!(websocket.next().await.is_none(), "the end is the end");
    assert!(websocket.send(Message::text("late")).await.is_err());
}

/// The output of `future`, if it comes within this many seconds.
async fn within<F: Future>(sim: &Sim, seconds: u64, future: F) -> Option<F::Output> {
    let mut timer = pin!(sim.sleep(Duration::from_secs(seconds)));
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}
