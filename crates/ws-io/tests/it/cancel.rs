//! Every future may be dropped at every await: nothing is lost, doubled or torn.

use bytes::Bytes;
use ws_close::CloseCode;
use ws_frame::Message;
use ws_io::{Runtime as _, duplex};

use crate::support::{Hostile, Plan, Sim, Socket, client, echo, give_up_after, server, yield_now};

/// A client and a server over transports that are pending every other call, one byte at a time.
fn slow_pair(sim: &Sim) -> (Socket<Hostile>, Socket<Hostile>) {
    let plan = Plan { read: 1, write: 1, pending_every: Some(2), ..Plan::default() };
    let (left, right) = duplex(64);
    (client(sim, Hostile::new(left, plan.clone())), server(sim, Hostile::new(right, plan)))
}

#[test]
fn a_dropped_next_loses_no_message() {
    for polls in 1..40 {
        let sim = Sim::new();
        let (mut client, mut server) = slow_pair(&sim);
        sim.spawn(async move { echo(&mut server).await.unwrap() });
        let received = sim.block_on(async {
            for n in 0..3_u8 {
                client.feed(Message::binary(vec![n; 3])).await.unwrap();
            }
            let mut received = Vec::new();
            while received.len() < 3 {
                match give_up_after(polls, client.next()).await {
                    Some(message) => received.push(message.unwrap().unwrap()),
                    None => yield_now().await,
                }
            }
            client.close(CloseCode::NORMAL, "").await.unwrap();
            received
        });
        let expected: Vec<_> = (0..3_u8).map(|n| Message::binary(vec![n; 3])).collect();
        assert_eq!(received, expected, "dropped after {polls} polls");
    }
}

#[test]
fn a_dropped_send_has_queued_its_message_whole_or_not_at_all() {
    for polls in 1..40 {
        let sim = Sim::new();
        let (mut client, mut server) = slow_pair(&sim);
        let received = sim.spawn_collect(async move {
            let mut received = Vec::new();
            while let Some(message) = server.next().await {
                match message.unwrap() {
                    Message::Binary(data) => received.push(data),
                    _ => break,
                }
            }
            while server.next().await.is_some() {}
            received
        });
        let received = sim.block_on(async {
            for n in 0..3_u8 {
                // An interrupted `send` has queued the message here: the queue has room.
                let _ = give_up_after(polls, client.send(Message::binary(vec![n; 5]))).await;
            }
            while give_up_after(polls, client.flush()).await.is_none() {
                yield_now().await;
            }
            while give_up_after(polls, client.close(CloseCode::NORMAL, "")).await.is_none() {
                yield_now().await;
            }
            received.output().await
        });
        let expected: Vec<_> = (0..3_u8).map(|n| Bytes::from(vec![n; 5])).collect();
        assert_eq!(received, expected, "dropped after {polls} polls");
    }
}

#[test]
fn a_feed_dropped_above_high_water_queues_nothing() {
    let sim = Sim::new();
    let (left, _right) = duplex(1000);
    let mut client = client(&sim, left);
    sim.block_on(async {
        let big = || Message::binary(vec![0; 300_000]);
        client.feed(big()).await.unwrap();
        let before = client.outcome().is_none();
        for _ in 0..4 {
            let dropped = give_up_after(1, client.feed(big())).await;
            assert!(dropped.is_none(), "{dropped:?}");
        }
        assert!(before && client.outcome().is_none());
        let parts = client.into_parts();
        let mut session = parts.session;
        assert!(session.transmit().len() < 300_100, "one message and its header, minus what left");
    });
}
