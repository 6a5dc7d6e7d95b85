//! Datagrams that leave in one call, and those that must not.

use std::sync::Arc;

use ws_endpoint::{Client, ConnectOptions, HttpPolicy, Message, QuicOptions, Server};

use crate::certificates::{Certificates, certificates};
use crate::hostile::Fault;
use crate::net::{Memory, Mishap, Side};
use crate::sim::Sim;

const NO_MISHAP: Mishap = Mishap { side: Side::Client, fault: Fault::Error, number: usize::MAX };

/// How often a conversation hands several datagrams to a socket at once, when both sides may or must not.
fn segmented(may: bool) -> usize {
    let sim = Sim::new();
    sim.block_on(async {
        let (near, far) = Memory::new(&sim, NO_MISHAP);
        near.air().take_segments(10);
        let Certificates { server: identity, trust, .. } = certificates();
        let mut options = QuicOptions::default();
        assert!(options.segmentation_offload, "by default");
        options.segmentation_offload = may;
        let server = Server::new(far)
            .listen_h3(([127, 0, 0, 1], 0).into(), Arc::clone(identity))
            .unwrap()
            .with_quic(options.clone());
        let url = server.urls().next().unwrap().replace("127.0.0.1", "localhost");
        sim.spawn_collect(server.serve(|mut websocket| async move {
            while let Some(Ok(message)) = websocket.next().await {
                if message.data_kind().is_some() && websocket.send(message).await.is_err() {
                    break;
                }
            }
        }));
        let client = Client::new(near.clone())
            .with_tls(Arc::clone(trust))
            .with_http(HttpPolicy::H3)
            .with_quic(options);
        let mut websocket = client.connect(&url, &ConnectOptions::default()).await.unwrap();
        let message = Message::binary(vec![7; 100_000]);
        websocket.send(message.clone()).await.unwrap();
        assert_eq!(websocket.next().await.unwrap().unwrap(), message);
        near.air().segmented()
    })
}

#[test]
fn without_segmentation_offload_each_datagram_is_sent_by_itself() {
    assert!(segmented(true) > 0, "this network can do it");
    assert_eq!(segmented(false), 0);
}
