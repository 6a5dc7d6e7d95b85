//! Few bytes that inflate to many, and the other connections of the thread.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use ws_frame::{MaskKeys, Message};
use ws_io::{CloseCode, Config, Duplex, Runtime as _, UpgradeInfo, duplex};
use ws_session::Session;
use ws_session::deflate::{self, client, server};

use crate::support::{Sim, Socket, give_up_after};

/// Both ends of a connection that compresses.
fn pair(sim: &Sim) -> (Socket<Duplex>, Socket<Duplex>) {
    let config = deflate::Config::default();
    let (at_server, answer) =
        server::negotiate(&config, &[client::offer(&config)]).expect("the same defaults");
    let at_client = client::accept(&config, &answer).expect("an answer to the offer");
    let keys = MaskKeys::new(|| [0x12, 0x34, 0x56, 0x78]);
    let (left, right) = duplex(256 * 1024);
    let at_client =
        Session::client(Arc::<Config>::default(), keys).with_deflate(at_client, &config);
    let at_server = Session::server(Arc::<Config>::default()).with_deflate(at_server, &config);
    let open = |transport, session| {
        Socket::from_parts(transport, sim.clone(), session, UpgradeInfo::new("/"))
    };
    (open(left, at_client), open(right, at_server))
}

// THREAT: isolation
#[test]
fn what_a_few_bytes_inflate_to_does_not_keep_the_thread() {
    const MESSAGES: usize = 16;
    const SIZE: usize = 4 * 1024 * 1024;
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    sim.block_on(async {
        for _ in 0..MESSAGES {
            client.send(Message::binary(vec![0; SIZE])).await.unwrap();
        }
        let received = Cell::new(0);
        let mut turns = 0;
        while received.get() < MESSAGES {
            let receiving = async {
                while let Some(message) = server.next().await {
                    assert_eq!(message.unwrap().payload().len(), SIZE);
                    received.set(received.get() + 1);
                }
            };
            assert!(give_up_after(1, receiving).await.is_none(), "the connection is open");
            turns += 1;
        }
        assert!(turns >= MESSAGES, "{MESSAGES} messages of {SIZE} bytes in {turns} turns");
        server.start_close(CloseCode::NORMAL, "").unwrap();
    });
}

#[test]
fn a_peer_is_not_idle_because_what_it_sent_takes_long() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    sim.block_on(async {
        for _ in 0..6 {
            client.send(Message::binary(vec![0; 4 * 1024 * 1024])).await.unwrap();
        }
        // It answers pings as soon as they come.
        sim.spawn(async move { while client.next().await.is_some() {} });
        for _ in 0..6 {
            let message = server.next().await.unwrap();
            assert!(message.is_ok(), "{message:?}");
            sim.sleep(Duration::from_secs(31)).await;
        }
    });
}
