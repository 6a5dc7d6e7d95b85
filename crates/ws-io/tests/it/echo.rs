//! Messages there and back, over kind and over hostile transports.

use bytes::Bytes;
use ws_close::CloseCode;
use ws_frame::Message;
use ws_io::{Runtime as _, duplex};

use crate::support::{Hostile, Plan, Sim, client, echo, join, pair, server};

#[test]
fn messages_of_all_sizes_come_back_in_order() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    let messages: Vec<Message> = [0, 1, 125, 126, 2048, 65_535, 65_536, 300_000]
        .into_iter()
        .flat_map(|len| [Message::text("x".repeat(len)), Message::binary(vec![7; len])])
        .collect();
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    let received = sim.block_on(async {
        let mut received = Vec::new();
        for message in &messages {
            client.send(message.clone()).await.unwrap();
            received.push(client.next().await.unwrap().unwrap());
        }
        let outcome = client.close(CloseCode::NORMAL, "done").await.unwrap();
        assert_eq!((outcome.code, outcome.clean), (CloseCode::NORMAL, true));
        received
    });
    assert!(received == messages);
}

#[test]
fn an_echo_survives_every_transport_that_keeps_its_promises() {
    for read in [1, 3, usize::MAX] {
        for write in [1, 5, usize::MAX] {
            for pending_every in [None, Some(2), Some(3)] {
                let plan = Plan { read, write, pending_every, ..Plan::default() };
                let sim = Sim::new();
                let (left, right) = duplex(100);
                let mut client = client(&sim, Hostile::new(left, plan.clone()));
                let mut server = server(&sim, Hostile::new(right, plan));
                let payload = Bytes::from(vec![9; 700]);
                let (received, served) = sim.block_on(join(
                    async {
                        client.send(Message::text("hello")).await.unwrap();
                        client.send(Message::Binary(payload.clone())).await.unwrap();
                        let first = client.next().await.unwrap().unwrap();
                        let second = client.next().await.unwrap().unwrap();
                        client.close(CloseCode::NORMAL, "").await.unwrap();
                        [first, second]
                    },
                    echo(&mut server),
                ));
                served.unwrap();
                assert_eq!(received, [Message::text("hello"), Message::Binary(payload)]);
            }
        }
    }
}
