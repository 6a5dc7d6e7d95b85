//! Sending from tasks that do not own the connection.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use ws_close::CloseCode;
use ws_frame::Message;
use ws_io::{Runtime as _, Sender, Transport, TrySendError, duplex};
use ws_session::{Config, Prepared, SendError};

use crate::support::{Sim, Socket, client, give_up_after, join, pair, server, server_with, texts};

#[test]
fn messages_of_other_tasks_arrive_in_order_while_the_connection_waits() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    let sender = server.sender(2);
    sim.spawn(async move { while server.next().await.is_some() {} });
    let sleeper = sim.clone();
    sim.spawn(async move {
        sleeper.sleep(Duration::from_secs(1)).await;
        for n in 0..20 {
            sender.send(Message::text(n.to_string())).await.unwrap();
        }
        sender.close(CloseCode::NORMAL, "").await.unwrap();
    });
    let received = sim.block_on(async {
        let mut received = Vec::new();
        while let Some(message) = client.next().await {
            received.push(message.unwrap());
        }
        received
    });
    let expected: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    assert_eq!(texts(&received), expected);
}

#[test]
fn a_full_queue_makes_senders_wait_and_refuses_those_who_will_not() {
    let sim = Sim::new();
    let (_client, mut server) = pair(&sim);
    // None counts as one.
    let sender = server.sender(0);
    sender.try_send(Message::text("1")).unwrap();
    let refused = sender.try_send(Message::text("2"));
    assert_eq!(refused, Err(TrySendError::Full(Message::text("2"))));
    let refused = server.sender(0).try_send(Message::text("3"));
    assert_eq!(refused, Err(TrySendError::Full(Message::text("3"))));
    drop(server);
    let refused = sender.try_send(Message::text("4"));
    assert_eq!(refused, Err(TrySendError::Closed(Message::text("4"))));
    assert!(sender.is_closed());
}

/// A server whose client has been sent all that it takes while it does not read.
fn stuck(sim: &Sim, config: Config, capacity: usize) -> (Socket, Socket, Sender) {
    let (left, right) = duplex(1000);
    let mut server = server_with(sim, right, Arc::new(config));
    let sender = server.sender(capacity);
    sender.try_send(Message::binary(vec![0; 1000 + 128 * 1024])).unwrap();
    assert!(poll(pin!(server.next())).is_pending());
    (client(sim, left), server, sender)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

// THREAT: memory-amplification
#[test]
fn no_number_of_clones_crosses_the_capacity() {
    const COUNT: usize = 20_000;
    let sim = Sim::new();
    let (_client, mut server, sender) = stuck(&sim, Config::default(), 16);
    let payload = vec![5; 16 * 1024];
    let members = HashMap::from([(7, sender)]);
    let mut taken = 0;
    let info = allocation_counter::measure(|| {
        for _ in 0..COUNT {
            let sender = members.get(&7).cloned().unwrap();
            taken += usize::from(sender.try_send(Message::binary(payload.clone())).is_ok());
            assert!(poll(pin!(server.next())).is_pending());
        }
    });
    assert_eq!(taken, 16);
    assert!(info.bytes_current < 16 * 17 * 1024, "{} bytes", info.bytes_current);
}

// THREAT: memory-amplification
#[test]
fn no_capacity_lets_more_wait_than_the_budget_of_the_connection() {
    const BUDGET: usize = 1024 * 1024;
    for (len, least, most) in [
        (0, 5_000, BUDGET / size_of::<Message>()),
        (100, 4_000, BUDGET / 100),
        (100 * 1024, 10, 10),
        (BUDGET, 1, 1),
        (2 * BUDGET, 1, 1),
    ] {
        let sim = Sim::new();
        let mut config = Config::default();
        config.memory_budget = BUDGET;
        let (_client, _server, sender) = stuck(&sim, config, usize::MAX);
        let message = Message::binary(vec![5; len]);
        let prepared = Prepared::new(message.clone()).unwrap();
        let mut taken = 0;
        while sender.clone().try_send(message.clone()).is_ok() {
            taken += 1;
            taken += usize::from(sender.try_send_prepared(&prepared).is_ok());
        }
        assert!((least..=most).contains(&taken), "{taken} messages of {len}");
        assert!(poll(pin!(sender.send(message))).is_pending());
    }
}

#[test]
fn the_end_is_told_to_those_who_wait() {
    let sim = Sim::new();
    let (client, mut server, sender) = stuck(&sim, Config::default(), 1);
    let mut queued = pin!(sender.send_acknowledged(Message::text("queued")));
    let mut waiting = pin!(sender.send(Message::text("waiting")));
    assert!(poll(queued.as_mut()).is_pending());
    assert!(poll(waiting.as_mut()).is_pending());
    drop(client);
    sim.block_on(async { while server.next().await.is_some() {} });
    assert!(matches!(poll(queued), Poll::Ready(Err(SendError::Closed))));
    assert!(matches!(poll(waiting), Poll::Ready(Err(SendError::Closed))));
    assert!(sender.is_closed());
    // A handle that was asked for too late.
    let sender = server.sender(1);
    assert!(sender.is_closed());
    let mut late = pin!(sender.send_acknowledged(Message::text("late")));
    assert!(matches!(poll(late.as_mut()), Poll::Ready(Err(SendError::Closed))));
}

#[test]
fn a_send_that_was_given_up_sends_nothing_and_lets_the_next_one_in() {
    let sim = Sim::new();
    let (mut client, mut server, sender) = stuck(&sim, Config::default(), 1);
    sender.try_send(Message::text("queued")).unwrap();
    let mut given_up = Box::pin(sender.send(Message::text("given up")));
    let mut waiting = pin!(sender.send(Message::text("waiting")));
    assert!(poll(given_up.as_mut()).is_pending());
    assert!(poll(waiting.as_mut()).is_pending());
    sim.spawn(async move { while server.next().await.is_some() {} });
    sim.block_on(async {
        assert!(client.next().await.unwrap().is_ok());
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("queued"));
        drop(given_up);
        waiting.await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("waiting"));
    });
}

#[test]
fn an_acknowledged_send_is_ready_when_the_bytes_have_left() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let (mut client, mut server) = (client(&sim, left), server(&sim, right));
    let sender = server.sender(1);
    sim.spawn(async move { while server.next().await.is_some() {} });
    let clock = sim.clone();
    let left_at = sim.spawn_collect(async move {
        sender.send_acknowledged(Message::binary(vec![0; 5000])).await.unwrap();
        clock.elapsed()
    });
    sim.block_on(async {
        sim.sleep(Duration::from_secs(3)).await;
        assert!(client.next().await.unwrap().is_ok());
        sim.sleep(Duration::from_secs(1)).await;
    });
    assert_eq!(left_at.take(), Some(Duration::from_secs(3)));
}

#[test]
fn a_sender_learns_that_the_connection_ended() {
    let sim = Sim::new();
    let (client, mut server) = pair(&sim);
    let sender = server.sender(1);
    drop(client);
    sim.block_on(async { while server.next().await.is_some() {} });
    sim.block_on(async {
        let unsent = sender.send_acknowledged(Message::text("late")).await;
        assert!(matches!(unsent, Err(SendError::Closed)));
        assert!(matches!(sender.send(Message::text("late")).await, Err(SendError::Closed)));
    });
}

#[test]
fn what_the_session_refuses_is_told_to_the_acknowledged_sender() {
    let sim = Sim::new();
    let (_client, mut server) = pair(&sim);
    let sender = server.sender(1);
    sim.spawn(async move { while server.next().await.is_some() {} });
    sim.block_on(async {
        let refused = sender.close(CloseCode::new(1005), "").await;
        assert!(matches!(refused, Err(SendError::InvalidCloseCode { .. })));
        sender.send_acknowledged(Message::text("still open")).await.unwrap();
    });
}

#[test]
fn what_is_above_high_water_leaves_without_the_help_of_the_peer() {
    for size in [1024, 100 * 1024] {
        let sim = Sim::new();
        let (left, right) = duplex(64 << 20);
        let (mut client, mut server) = (client(&sim, left), server(&sim, right));
        let count = (1 << 20) / size;
        let sender = server.sender(count);
        for _ in 0..count {
            sender.try_send(Message::binary(vec![7; size])).unwrap();
        }
        sim.spawn(async move { while server.next().await.is_some() {} });
        sim.block_on(async {
            for _ in 0..count {
                client.next().await.unwrap().unwrap();
            }
        });
        assert!(sim.elapsed() < Duration::from_secs(1), "{:?}", sim.elapsed());
    }
}

#[test]
fn a_goodbye_does_not_wait_for_the_end_of_a_message_in_fragments() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    let sender = server.sender(1);
    let last = sim.block_on(async {
        let kind = ws_session::DataKind::Text;
        server.feed_fragment(kind, "never ended".into(), false).await.unwrap();
        sim.spawn(async move { while server.next().await.is_some() {} });
        sender.close(CloseCode::GOING_AWAY, "").await.unwrap();
        client.next().await.unwrap().unwrap()
    });
    assert!(matches!(last, Message::Close(Some(frame)) if frame.code == CloseCode::GOING_AWAY));
    assert!(sim.elapsed() < Duration::from_secs(1));
}

/// Takes all at once, and for each write another task queues as much as there is room for.
#[derive(Debug, Default)]
struct Refilled {
    sender: Arc<OnceLock<Sender>>,
    writes: usize,
}

impl Transport for Refilled {
    fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        _: &mut BytesMut,
        _: usize,
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_write(&mut self, _: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        self.writes += 1;
        assert!(self.writes < 1000, "it does not let go of its thread");
        let len = buf.remaining();
        buf.advance(len);
        let sender = self.sender.get().unwrap();
        while sender.try_send(Message::binary(vec![7; 100_000])).is_ok() {}
        Poll::Ready(Ok(len))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn name(&self) -> &'static str {
        "refilled"
    }
}

#[test]
fn senders_as_fast_as_the_transport_do_not_keep_the_thread() {
    let sim = Sim::new();
    let transport = Refilled::default();
    let place = Arc::clone(&transport.sender);
    let mut server = server(&sim, transport);
    let sender = place.get_or_init(|| server.sender(4));
    while sender.try_send(Message::binary(vec![7; 100_000])).is_ok() {}
    assert!(sim.block_on(give_up_after(1, server.next())).is_none());
}

#[test]
fn messages_of_other_tasks_leave_behind_one_that_is_sent_in_fragments() {
    for is_split in [false, true] {
        let sim = Sim::new();
        let (mut client, mut server) = pair(&sim);
        let sender = server.sender(8);
        let kind = ws_session::DataKind::Text;
        let sending = async {
            if is_split {
                let (mut reader, mut writer) = server.split();
                sim.spawn(async move { while reader.next().await.is_some() {} });
                writer.feed_fragment(kind, "frag".into(), false).await.unwrap();
                sender.send(Message::text("behind")).await.unwrap();
                sim.sleep(Duration::from_millis(10)).await;
                writer.feed_fragment(kind, "ment".into(), true).await.unwrap();
            } else {
                server.feed_fragment(kind, "frag".into(), false).await.unwrap();
                sender.send(Message::text("behind")).await.unwrap();
                assert!(give_up_after(1, server.next()).await.is_none());
                server.feed_fragment(kind, "ment".into(), true).await.unwrap();
                assert!(give_up_after(2, server.next()).await.is_none());
            }
        };
        let receiving = async {
            let mut received = Vec::new();
            while received.len() < 2 {
                received.push(client.next().await.unwrap().unwrap());
            }
            received
        };
        let (received, ()) = sim.block_on(join(receiving, sending));
        assert_eq!(texts(&received), ["fragment", "behind"]);
        assert!(sim.elapsed() < Duration::from_secs(1));
    }
}

#[test]
fn who_waits_for_room_gets_it_though_the_receiver_does_not_wait_again() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    let sender = server.sender(1);
    sender.try_send(Message::text("first")).unwrap();
    let queued = sim.spawn_collect(async move { sender.send(Message::text("second")).await });
    sim.block_on(async {
        sim.sleep(Duration::from_millis(1)).await;
        client.send(Message::text("question")).await.unwrap();
        assert!(queued.is_empty(), "there is no room yet");
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text("question"));
        // It is busy with that from here on.
        sim.sleep(Duration::from_millis(1)).await;
        assert_eq!(queued.take(), Some(Ok(())));
    });
}
