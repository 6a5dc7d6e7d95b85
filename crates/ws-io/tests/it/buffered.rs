//! A transport that takes more than it can pass on: what it holds is not written yet.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use ws_io::{CloseCode, Duplex, Error, Message, Runtime as _, Transport as _, WebSocket, duplex};

use crate::support::{Buffered, Sim, client, frame, give_up_after, server};

const MESSAGE: usize = 60_000;
/// A frame header for that many bytes.
const HEADER: usize = 4;

/// Takes this much at a time, until the end, and counts; an error when the end is no orderly one.
async fn take(sim: &Sim, raw: &mut Duplex, most: usize, each: Duration) -> io::Result<usize> {
    let mut bytes = BytesMut::new();
    while poll_fn(|cx| raw.poll_read(cx, &mut bytes, most)).await? > 0 {
        sim.sleep(each).await;
    }
    Ok(bytes.len())
}

async fn write(raw: &mut Duplex, mut bytes: BytesMut) {
    while !bytes.is_empty() {
        poll_fn(|cx| raw.poll_write(cx, &mut bytes)).await.unwrap();
    }
}

// RFC: WS-6.1-02
#[test]
fn a_peer_that_takes_slowly_what_the_transport_holds_is_not_cut() {
    for held in [usize::MAX, 45_000] {
        let sim = Sim::new();
        let (mut raw, right) = duplex(1000);
        let mut server = server(&sim, Buffered::holding(right, held));
        let clock = sim.clone();
        sim.spawn(async move {
            let _cut = take(&clock, &mut raw, 1000, Duration::from_secs(1)).await;
        });
        sim.block_on(server.send(Message::binary(vec![7; MESSAGE]))).expect("it takes all of it");
        assert!(sim.elapsed() > Duration::from_secs(55), "{:?}", sim.elapsed());
    }
}

#[test]
fn each_message_leaves_the_transport_and_not_only_the_first() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(1000);
    let mut server = server(&sim, Buffered::new(right));
    sim.block_on(async {
        for is_sent in [true, true, false, false] {
            let message = Message::text("on its way");
            if is_sent {
                server.send(message).await.unwrap();
            } else {
                server.feed(message).await.unwrap();
                assert!(give_up_after(1, server.next()).await.is_none());
            }
            let mut bytes = BytesMut::new();
            let read = poll_fn(|cx| raw.poll_read(cx, &mut bytes, 1000));
            assert!(give_up_after(1, read).await.is_some(), "sent: {is_sent}");
        }
    });
}

// THREAT: write-stall
#[test]
fn what_the_transport_takes_for_a_peer_that_takes_nothing_is_no_progress() {
    let sim = Sim::new();
    let (_raw, right) = duplex(1000);
    let mut server = server(&sim, Buffered::new(right));
    let error = sim.block_on(async {
        server.feed(Message::binary(vec![7; MESSAGE])).await.unwrap();
        loop {
            match give_up_after(1, server.send(Message::text("more"))).await {
                None => sim.sleep(Duration::from_secs(7)).await,
                Some(sent) => break sent.unwrap_err(),
            }
        }
    });
    assert!(matches!(error, Error::WriteStalled), "{error:?}");
    assert_eq!(sim.elapsed(), Duration::from_secs(35), "the first send after 30 seconds");
}

#[test]
fn the_end_waits_for_what_the_transport_holds() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(1000);
    let mut server = server(&sim, Buffered::new(right));
    sim.spawn(async move {
        server.feed(Message::binary(vec![7; MESSAGE])).await.unwrap();
        while server.next().await.is_some() {}
    });
    let taken = sim.block_on(async {
        write(&mut raw, frame(0x88, &1000_u16.to_be_bytes())).await;
        take(&sim, &mut raw, 1000, Duration::from_millis(66)).await
    });
    assert_eq!(taken.unwrap(), HEADER + MESSAGE + 4, "the close frame too");
    assert!(sim.elapsed() > Duration::from_secs(3), "{:?}", sim.elapsed());
}

// RFC: M1-9.8-01
#[test]
fn a_client_that_waits_no_longer_ends_its_direction_in_order() {
    let sim = Sim::new();
    let (left, mut raw) = duplex(1000);
    let mut client = client(&sim, Buffered::new(left));
    let outcome = sim.spawn_collect(async move {
        client.close(CloseCode::NORMAL, "").await.map(|outcome| outcome.clean)
    });
    sim.block_on(async {
        write(&mut raw, BytesMut::from(&b"\x88\x02\x03\xe8"[..])).await;
        let taken = take(&sim, &mut raw, 1000, Duration::ZERO).await;
        assert_eq!(taken.unwrap(), 8, "its close frame, and then an end");
    });
    assert_eq!(sim.elapsed(), Duration::from_millis(1500));
    assert!(matches!(outcome.take(), Some(Ok(true))));
}

#[test]
fn a_transport_that_changes_hands_is_flushed() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(1000);
    let mut server = server(&sim, Buffered::new(right));
    sim.block_on(async {
        let stuck = give_up_after(1, server.send(Message::binary(vec![7; 1500]))).await;
        assert!(stuck.is_none(), "there is room for a thousand bytes");
        let parts = server.into_parts();
        let mut again =
            WebSocket::from_parts(parts.transport, parts.runtime, parts.session, parts.info);
        assert!(give_up_after(1, again.flush()).await.is_none(), "it holds the rest");
        let mut bytes = BytesMut::new();
        poll_fn(|cx| raw.poll_read(cx, &mut bytes, 1000)).await.unwrap();
        again.flush().await.unwrap();
        poll_fn(|cx| raw.poll_read(cx, &mut bytes, 1000)).await.unwrap();
        assert_eq!(bytes.len(), HEADER + 1500);
    });
}
