//! Sending from tasks that do not own the connection.

use std::time::Duration;

use ws_close::CloseCode;
use ws_frame::Message;
use ws_io::{Runtime as _, TrySendError, duplex};
use ws_session::SendError;

use crate::support::{Sim, client, pair, server, texts};

#[test]
fn messages_of_other_tasks_arrive_in_order_while_the_connection_waits() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    let mut sender = server.sender(2);
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
    let mut sender = server.sender(0);
    // One message per handle, beyond the capacity of none.
    sender.try_send(Message::text("1")).unwrap();
    let refused = sender.try_send(Message::text("2"));
    assert_eq!(refused, Err(TrySendError::Full(Message::text("2"))));
    let mut clone = sender.clone();
    clone.try_send(Message::text("3")).unwrap();
    drop(server);
    let refused = sender.try_send(Message::text("4"));
    assert_eq!(refused, Err(TrySendError::Closed(Message::text("4"))));
    assert!(sender.is_closed());
}

#[test]
fn an_acknowledged_send_is_ready_when_the_bytes_have_left() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let (mut client, mut server) = (client(&sim, left), server(&sim, right));
    let mut sender = server.sender(1);
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
    let mut sender = server.sender(1);
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
    let mut sender = server.sender(1);
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
        let mut sender = server.sender(count);
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
