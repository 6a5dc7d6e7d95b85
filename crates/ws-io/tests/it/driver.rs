//! When the driver reads, writes and looks at the clock: the policy that decides the speed.

use std::future::Future as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ws_frame::Message;
use ws_io::{CloseCode, Runtime as _, duplex};

use crate::support::{Hostile, Plan, Sim, client, echo, server};

#[test]
fn a_burst_of_messages_is_answered_with_one_write() {
    let sim = Sim::new();
    let (left, right) = duplex(64 * 1024);
    let mut client = client(&sim, left);
    let transport = Hostile::new(right, Plan::default());
    let counts = transport.counts();
    let mut server = server(&sim, transport);
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    sim.block_on(async {
        for _ in 0..64 {
            client.feed(Message::text("0123456789abcdef")).await.unwrap();
        }
        for _ in 0..64 {
            client.next().await.unwrap().unwrap();
        }
    });
    let counts = counts.lock().unwrap();
    assert_eq!(counts.writes, 1);
    assert!(counts.reads <= 3, "{counts:?}");
}

#[test]
fn a_message_of_64_kib_takes_few_reads_once_the_size_is_known() {
    let sim = Sim::new();
    let (left, right) = duplex(1024 * 1024);
    let mut client = client(&sim, left);
    let transport = Hostile::new(right, Plan::default());
    let counts = transport.counts();
    let mut server = server(&sim, transport);
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    sim.block_on(async {
        for _ in 0..20 {
            client.send(Message::binary(vec![0; 65_536])).await.unwrap();
            client.next().await.unwrap().unwrap();
        }
    });
    let counts = counts.lock().unwrap();
    assert!(counts.reads <= 20 * 4, "{counts:?}");
    assert!(counts.writes <= 20 * 2, "{counts:?}");
}

#[test]
fn a_deadline_that_moves_away_does_not_move_the_timer() {
    let sim = Sim::new();
    let (left, right) = duplex(64 * 1024);
    let (mut client, mut server) = (client(&sim, left), server(&sim, right));
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    sim.block_on(async {
        client.send(Message::text("first")).await.unwrap();
        client.next().await.unwrap().unwrap();
        let before = sim.timer_moves();
        for _ in 0..100 {
            sim.advance(Duration::from_millis(1));
            client.send(Message::text("next")).await.unwrap();
            client.next().await.unwrap().unwrap();
        }
        assert!(sim.timer_moves() - before <= 4, "{} moves", sim.timer_moves() - before);
    });
}

// THREAT: endless-loop
#[test]
fn a_peer_that_never_pauses_does_not_keep_the_thread() {
    let sim = Sim::new();
    let (left, right) = duplex(100);
    let plan = Plan { read: 1, ..Plan::default() };
    let transport = Hostile::new(right, plan);
    let counts = transport.counts();
    let mut server = server(&sim, transport);
    let mut client = client(&sim, left);
    sim.block_on(async {
        client.send(Message::binary(vec![0; 80])).await.unwrap();
        let next = std::future::poll_fn(|cx| {
            let mut next = std::pin::pin!(server.next());
            std::task::Poll::Ready(next.as_mut().poll(cx).is_ready())
        });
        assert!(!next.await, "80 bytes, one per read, are more than one turn may take");
    });
    assert!(counts.lock().unwrap().reads <= 32);
}

#[test]
fn one_flag_ends_a_connection_with_1001() {
    let sim = Sim::new();
    let (left, right) = duplex(64 * 1024);
    let (mut client, mut server) = (client(&sim, left), server(&sim, right));
    let leaving = Arc::new(AtomicBool::new(false));
    server.leave_when(Arc::clone(&leaving));
    sim.spawn(async move { while server.next().await.is_some() {} });
    sim.block_on(async {
        client.send(Message::text("before")).await.unwrap();
        client.flush().await.unwrap();
        leaving.store(true, Ordering::Release);
        // This wakes the server.
        client.send(Message::text("after")).await.unwrap();
        while let Some(message) = client.next().await {
            message.unwrap();
        }
        assert_eq!(client.outcome().unwrap().code, CloseCode::GOING_AWAY);
    });
}
