//! Every operation of the driver over a transport whose n-th call goes wrong, for n from the first
//! call on until the operation has no more of them: it fails, finds the end, is pending for ever, or
//! moves a single byte. No panic, no hang, a typed outcome, and the end is told once.

use std::convert::Infallible;
use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use ws_close::CloseCode;
use ws_frame::{DataKind, Message};
use ws_io::{
    AcceptOptions, Arrival, ConnectOptions, Duplex, Error, Flow, Handler, Page, Peer, Refusal,
    Runtime as _, Transport as _, WsUri, accept, connect, duplex, mailbox, receive, receive_any,
    run,
};
use ws_session::{Cause, Config, Outcome};

use crate::support::{Fault, Hostile, Plan, Sim, Socket, client, echo, join, server, server_with};

/// An operation over this transport, with the peer of its choice at the other end: what became of it.
type Operation = fn(&Sim, Hostile, Duplex) -> Result<(), Error>;

fn survives(operation: Operation) {
    for fault in Fault::ALL {
        for n in 0.. {
            let sim = Sim::new();
            let (left, right) = duplex(200);
            let transport = Hostile::new(right, Plan::at(fault, n));
            let counts = transport.counts();
            let result = operation(&sim, transport, left);
            assert!(
                sim.elapsed() <= Duration::from_secs(120),
                "{fault:?} {n}: {:?}",
                sim.elapsed()
            );
            if let Err(error) = &result {
                let reason = error.reason();
                assert!(REASONS.contains(&reason), "{fault:?} {n}: {reason}");
                assert_ne!(
                    fault,
                    Fault::OneByte,
                    "a slow transport is no failure: {reason} at {n}"
                );
            }
            let calls = counts.lock().unwrap().calls;
            assert!(calls < n + 150, "{fault:?} {n}: {calls} calls, it runs in circles");
            if calls <= n {
                assert!(result.is_ok(), "{fault:?} was not met: {result:?}");
                assert!(n > 1, "the operation uses its transport");
                break;
            }
        }
    }
}

/// What such a transport may be told as.
const REASONS: [&str; 5] =
    ["transport_error", "idle", "write_stalled", "message_stalled", "closed"];

/// Closes, and checks that the end is told once at most, with what was told of it before.
async fn end(mut socket: Socket<Hostile>, told: usize) {
    let outcome = socket.close(CloseCode::NORMAL, "").await;
    assert!(outcome.is_ok());
    let mut told = told;
    while let Some(message) = socket.next().await {
        told += usize::from(message.is_err());
    }
    assert!(told <= 1 && socket.next().await.is_none(), "the end was told {told} times");
    assert!(socket.outcome().is_some());
    assert!(socket.send(Message::text("late")).await.is_err());
}

/// A peer that sends these and then answers everything with itself.
fn peer(sim: &Sim, left: Duplex, messages: &'static [&'static str]) {
    let mut peer = client(sim, left);
    sim.spawn(async move {
        for message in messages {
            if peer.send(Message::text(*message)).await.is_err() {
                return;
            }
        }
        let _ended = echo(&mut peer).await;
    });
}

/// A peer that only reads, until the end, and then ends its side too.
fn reading(sim: &Sim, mut left: Duplex) {
    sim.spawn(async move {
        let mut read = bytes::BytesMut::new();
        while matches!(poll_fn(|cx| left.poll_read(cx, &mut read, 100)).await, Ok(1..)) {}
        let _ended = poll_fn(|cx| left.poll_shutdown(cx)).await;
    });
}

#[test]
fn next_survives_a_fault_at_any_call() {
    survives(|sim, transport, left| {
        peer(sim, left, &["one", "two"]);
        let mut socket = server(sim, transport);
        sim.block_on(async {
            for _ in 0..2 {
                match socket.next().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        end(socket, 1).await;
                        return Err(error);
                    }
                    None => break,
                }
            }
            end(socket, 0).await;
            Ok(())
        })
    });
}

// THREAT: endless-loop
#[test]
fn a_conversation_survives_a_fault_at_any_call() {
    survives(|sim, transport, left| {
        let mut talker = client(sim, left);
        sim.spawn(async move {
            for _ in 0..3 {
                let _sent = talker.send(Message::binary(vec![1; 100])).await;
            }
            for _ in 0..3 {
                let _echoed = talker.next().await;
            }
            let _closed = talker.close(CloseCode::NORMAL, "").await;
        });
        let mut socket = server(sim, transport);
        sim.block_on(async {
            let mut failure = None;
            while let Some(message) = socket.next().await {
                match message {
                    Ok(message) if message.data_kind().is_some() => {
                        // A failure met here is told by `next` as well.
                        let _sent = socket.send(message).await;
                    }
                    Ok(_) => {}
                    Err(error) => assert!(failure.replace(error).is_none(), "told twice"),
                }
            }
            let outcome = socket.outcome().unwrap();
            let is_orderly = matches!(outcome.cause, Cause::Normal | Cause::Remote);
            assert_eq!(failure.is_none(), is_orderly, "{outcome:?}");
            end(socket, usize::from(failure.is_some())).await;
            failure.map_or(Ok(()), Err)
        })
    });
}

#[test]
fn a_chunk_survives_a_fault_at_any_call() {
    survives(|sim, transport, left| {
        peer(sim, left, &["a message that is longer than what is read of it at once"; 3]);
        let mut socket = server(sim, transport);
        sim.block_on(async {
            for _ in 0..3 {
                match socket.next_chunk().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        end(socket, 1).await;
                        return Err(error);
                    }
                    None => break,
                }
            }
            end(socket, 0).await;
            Ok(())
        })
    });
}

#[test]
fn send_survives_a_fault_at_any_call() {
    survives(|sim, transport, left| {
        peer(sim, left, &[]);
        let mut socket = server(sim, transport);
        sim.block_on(async {
            let mut sent = Ok(());
            for size in [10, 500, 3000] {
                sent = sent.and(socket.send(Message::binary(vec![1; size])).await);
            }
            end(socket, 0).await;
            sent
        })
    });
}

#[test]
fn feed_and_flush_survive_a_fault_at_any_call() {
    survives(|sim, transport, left| {
        reading(sim, left);
        let mut config = Config::default();
        // Met by the second message, so that the third has to wait.
        config.high_water = 500;
        let mut socket = server_with(sim, transport, config.into());
        sim.block_on(async {
            let mut fed = Ok(());
            for _ in 0..4 {
                fed = fed.and(socket.feed(Message::binary(vec![1; 400])).await);
            }
            fed = fed.and(socket.flush().await);
            end(socket, 0).await;
            fed
        })
    });
}

#[test]
fn fragments_survive_a_fault_at_any_call() {
    survives(|sim, transport, left| {
        peer(sim, left, &[]);
        let mut socket = server(sim, transport);
        sim.block_on(async {
            let mut sent = Ok(());
            for last in [false, false, true] {
                let data = Bytes::from_static(b"a part");
                sent = sent.and(socket.feed_fragment(DataKind::Binary, data, last).await);
                sent = sent.and(socket.flush().await);
            }
            end(socket, 0).await;
            sent
        })
    });
}

#[test]
fn close_survives_a_fault_at_any_call() {
    survives(|sim, transport, left| {
        peer(sim, left, &["one"]);
        let socket = server(sim, transport);
        sim.block_on(end(socket, 0));
        Ok(())
    });
}

#[test]
fn split_halves_survive_a_fault_at_any_call() {
    survives(|sim, transport, left| {
        peer(sim, left, &["one"]);
        let (mut reader, mut writer) = server(sim, transport).split();
        sim.block_on(async {
            let reading = async {
                let mut errors = Vec::new();
                while let Some(message) = reader.next().await {
                    errors.extend(message.err());
                }
                assert!(errors.len() <= 1 && reader.next().await.is_none());
                errors
            };
            let writing = async {
                let mut sent = Ok(());
                for _ in 0..3 {
                    sent = sent.and(writer.send(Message::binary(vec![1; 300])).await);
                }
                assert!(writer.close(CloseCode::NORMAL, "").await.is_ok());
                sent
            };
            let (errors, sent) = join(reading, writing).await;
            let socket = reader.reunite(writer).unwrap();
            assert!(socket.outcome().is_some());
            errors.into_iter().next().map_or(sent, Err)
        })
    });
}

#[test]
fn a_sender_survives_a_fault_at_any_call() {
    survives(|sim, transport, left| {
        peer(sim, left, &[]);
        let mut socket = server(sim, transport);
        let sender = socket.sender(1);
        let sent = sim.spawn_collect(async move {
            let mut sent = Ok(());
            for _ in 0..3 {
                sent = sent.and(sender.send_acknowledged(Message::binary(vec![1; 300])).await);
            }
            // Refused when the connection is gone.
            let _closing = sender.close(CloseCode::NORMAL, "").await;
            sent
        });
        sim.block_on(async {
            let mut errors = 0;
            while let Some(message) = socket.next().await {
                errors += usize::from(message.is_err());
            }
            end(socket, errors).await;
            sent.output().await.map_err(Error::from)
        })
    });
}

/// Sends each message back, and counts how often it was told of the end.
#[derive(Default)]
struct Echo {
    terminated: usize,
}

impl Handler for Echo {
    type Info = Infallible;
    type Error = Error;

    async fn on_message(
        &mut self,
        message: Message,
        peer: &mut Peer<'_, Infallible>,
    ) -> Result<Flow, Error> {
        if message.data_kind().is_none() {
            return Ok(Flow::Continue);
        }
        let is_last = message.as_text() == Some("last");
        peer.send(message).await?;
        Ok(if is_last { Flow::Stop } else { Flow::Continue })
    }

    async fn on_terminate(&mut self, _: &Outcome) {
        self.terminated += 1;
    }
}

#[test]
fn a_handler_survives_a_fault_at_any_call() {
    survives(|sim, transport, mut left| {
        // A peer that does not echo: the handler does.
        let mut talker = crate::support::frame(0x81, b"one");
        talker.extend_from_slice(&crate::support::frame(0x81, b"last"));
        sim.spawn(async move {
            let _sent = poll_fn(|cx| left.poll_write(cx, &mut talker)).await;
            let mut read = bytes::BytesMut::new();
            while matches!(poll_fn(|cx| left.poll_read(cx, &mut read, 100)).await, Ok(1..)) {}
        });
        let socket = server(sim, transport);
        let (_mailbox, inbox) = mailbox(1);
        let ended = sim.block_on(run(socket, Echo::default(), inbox));
        assert_eq!(ended.handler.terminated, 1);
        assert!(!ended.outcome().cause.reason().is_empty());
        match ended.fault {
            Some(ws_io::Fault::Failed(error)) => Err(error),
            Some(fault) => panic!("{fault:?}"),
            None => Ok(()),
        }
    });
}

fn uri() -> WsUri {
    "ws://chat.example/".parse().unwrap()
}

/// A client that asks, and goes when it has its answer.
fn asking(sim: &Sim, left: Duplex) {
    let runtime = sim.clone();
    sim.spawn(async move {
        let options = ConnectOptions::default();
        if let Ok(mut socket) = connect(left, runtime, &uri(), &options).await {
            let _ended = echo(&mut socket).await;
        }
    });
}

#[test]
fn the_handshake_of_a_server_survives_a_fault_at_any_call() {
    survives(|sim, transport, left| {
        asking(sim, left);
        sim.block_on(async {
            let socket = accept(transport, sim.clone(), AcceptOptions::default()).await?;
            end(socket, 0).await;
            Ok(())
        })
    });
}

#[test]
fn the_handshake_of_a_client_survives_a_fault_at_any_call() {
    survives(|sim, transport, left| {
        let runtime = sim.clone();
        sim.spawn(async move {
            if let Ok(mut socket) = accept(left, runtime, AcceptOptions::default()).await {
                let _ended = echo(&mut socket).await;
            }
        });
        let options = ConnectOptions::default();
        sim.block_on(async {
            let socket = connect(transport, sim.clone(), &uri(), &options).await?;
            end(socket, 0).await;
            Ok(())
        })
    });
}

#[test]
fn a_refusal_survives_a_fault_at_any_call() {
    survives(|sim, transport, left| {
        asking(sim, left);
        sim.block_on(async {
            let incoming = receive(transport, sim.clone(), AcceptOptions::default()).await?;
            incoming.refuse(Refusal::new(403).unwrap().with_body(&b"no"[..])).await
        })
    });
}

#[test]
fn a_page_survives_a_fault_at_any_call() {
    survives(|sim, transport, mut left| {
        sim.spawn(async move {
            let mut request = &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..];
            let _sent = poll_fn(|cx| left.poll_write(cx, &mut request)).await;
            let mut read = bytes::BytesMut::new();
            while matches!(poll_fn(|cx| left.poll_read(cx, &mut read, 100)).await, Ok(1..)) {}
        });
        sim.block_on(async {
            let options = AcceptOptions::default();
            match receive_any(transport, sim.clone(), options).await? {
                Arrival::Page(request) => request.answer(&Page::html("hello")).await,
                _ => panic!("a request for a page"),
            }
        })
    });
}
