//! What lies unread on the streams of all connections, against the budget they share.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use ws_h2::{Client, ClientConfig, Error, H2Stream, Request, Server, ServerConfig};
use ws_io::{Charge, SharedBudget};

use crate::support::*;
use crate::wire::*;

const MIB: usize = 1024 * 1024;
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];

fn sharing(budget: &SharedBudget) -> ServerConfig {
    let mut config = ServerConfig::default();
    config.budget = Some(budget.clone());
    config
}

async fn connected(budget: &SharedBudget) -> (Server, Client) {
    pair(&sharing(budget), &ClientConfig::default()).await
}

/// What others hold that leave room for `left` bytes.
fn use_up(budget: &SharedBudget, left: usize) -> Vec<Charge> {
    let mut charges = Vec::new();
    while budget.max() - budget.used() > left {
        let mut charge = budget.open();
        assert!(charge.set((budget.max() - budget.used() - left).min(64 * 1024)));
        charges.push(charge);
    }
    charges
}

/// Sends `len` bytes that nobody reads, as far as they go.
async fn fill(stream: &mut H2Stream, len: usize) {
    let mut bytes = pattern(len);
    let filled = tokio::time::timeout(Duration::from_millis(20), stream.write(&mut bytes)).await;
    drop(filled);
    settle().await;
}

fn reason(error: &std::io::Error) -> &'static str {
    error.get_ref().and_then(|error| error.downcast_ref::<Error>()).map_or("other", Error::reason)
}

// RFC: H2-WIN-01
// THREAT: memory-amplification, isolation
#[tokio::test(start_paused = true)]
async fn the_stream_that_holds_most_makes_room_and_its_neighbours_go_on() {
    let budget = SharedBudget::new(MIB);
    let (mut server, client) = connected(&budget).await;
    let (mut lively, mut neighbour) = open(&mut server, &client).await;
    let mut hoarders = Vec::new();
    for round in 0..20 {
        let (here, mut there) = open(&mut server, &client).await;
        // The first is the largest, and the first to go.
        fill(&mut there, if round == 0 { 200_000 } else { 100_000 }).await;
        hoarders.push((here, there));
        assert!(budget.used() <= budget.max(), "{budget:?}");
        neighbour.write(&mut &b"still well?"[..]).await.unwrap();
        assert_eq!(lively.read_len(11).await.unwrap(), "still well?");
    }
    let mut unread = 0;
    let mut ends = Vec::new();
    for (here, there) in &mut hoarders {
        let mut buf = BytesMut::new();
        let end = loop {
            match tokio::time::timeout(Duration::from_millis(20), here.read(&mut buf)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    assert_eq!(reason(&error), "budget_exceeded", "{error:?}");
                    assert!(buf.is_empty(), "it was thrown away");
                    let error = here.write(&mut &b"late"[..]).await.unwrap_err();
                    assert_eq!(reason(&error), "budget_exceeded", "{error:?}");
                    let error = there.read(&mut BytesMut::new()).await.unwrap_err();
                    assert_eq!(reason(&error), "stream_reset", "{error:?}");
                    break true;
                }
                Err(_) => break false,
            }
        };
        unread += buf.len();
        ends.push(end);
    }
    assert!(ends[0] && !ends[1], "{ends:?}");
    assert!((MIB / 2..MIB).contains(&unread), "{unread} bytes of {MIB}");
    drop((hoarders, lively, neighbour));
    settle().await;
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn small_messages_that_come_and_go_leave_the_charge_alone() {
    let budget = SharedBudget::new(MIB);
    let (mut server, client) = connected(&budget).await;
    let (mut here, mut there) = open(&mut server, &client).await;
    assert_eq!(budget.used(), 0, "nothing has come");
    for len in [1, 1000, 100_000, 3000, 1, 1024] {
        there.write(&mut pattern(len)).await.unwrap();
        settle().await;
        assert!((1024..=len.next_multiple_of(1024)).contains(&budget.used()), "{len}: {budget:?}");
        assert_eq!(here.read_len(len).await.unwrap().len(), len);
        assert_eq!(budget.used(), 1024, "{len}");
    }
}

// THREAT: memory-amplification
#[tokio::test]
async fn a_body_that_nobody_reads_is_charged_and_its_request_still_answered() {
    let budget = SharedBudget::new(MIB);
    let (mut server, mut wire) = Wire::connect(&sharing(&budget), &[]).await;
    let _others = use_up(&budget, 40 * 1024);
    // `POST http://a/`
    wire.send(&frame(HEADERS, END_HEADERS, 1, b"\x83\x84\x86\x41\x01a")).await;
    let Some(Request::Http(mut request)) = server.next().await else { panic!("no request") };
    for _ in 0..8 {
        wire.send(&frame(DATA, 0, 1, &[7; 8000])).await;
        settle().await;
        assert!(budget.used() <= budget.max(), "{budget:?}");
    }
    assert!(budget.used() <= MIB - 40 * 1024 + 1024, "{budget:?}");
    assert_eq!(request.body(MIB).await.unwrap_err().reason(), "budget_exceeded");
    request.respond(Response::new(Bytes::from_static(b"too much"))).unwrap();
    wire.next_of(HEADERS).await.unwrap();
    assert_eq!(wire.next_of(DATA).await.unwrap().payload, b"too much");
}

#[tokio::test]
async fn a_websocket_that_floods_before_it_is_accepted_is_reset_when_it_is() {
    let budget = SharedBudget::new(MIB);
    let (mut server, mut wire) = Wire::connect(&sharing(&budget), &[]).await;
    let _others = use_up(&budget, 10 * 1024);
    wire.send(&connect(1)).await;
    let Some(Request::WebSocket(request)) = server.next().await else { panic!("no websocket") };
    for _ in 0..3 {
        wire.send(&frame(DATA, 0, 1, &[7; 16_000])).await;
        settle().await;
    }
    let mut stream = request.accept(Response::new(())).unwrap();
    assert_eq!(wire.next_of(RST_STREAM).await.unwrap().payload, ENHANCE_YOUR_CALM);
    let error = stream.read(&mut BytesMut::new()).await.unwrap_err();
    assert_eq!(reason(&error), "budget_exceeded", "{error:?}");
}

/// A reset makes what lies unread no smaller.
// THREAT: memory-amplification
#[tokio::test]
async fn what_came_together_with_a_reset_is_charged_too() {
    let budget = SharedBudget::new(MIB);
    let mut config = sharing(&budget);
    (config.reset_burst, config.resets_per_second) = (2, 0);
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    let mut streams = Vec::new();
    for (id, room) in [(1, 40 * 1024), (3, 10 * 1024)] {
        wire.send(&connect(id)).await;
        let Some(Request::WebSocket(request)) = server.next().await else { panic!("no websocket") };
        let mut stream = request.accept(Response::new(())).unwrap();
        let others = use_up(&budget, room);
        let used = budget.used();
        wire.send(&[frame(DATA, 0, id, &[7; 16_000]), reset(id, 8)].concat()).await;
        settle().await;
        if room > 16_000 {
            assert_eq!(budget.used() - used, 16_384);
            assert_eq!(stream.read_len(16_000).await.unwrap().len(), 16_000);
        } else {
            let error = stream.read(&mut BytesMut::new()).await.unwrap_err();
            assert_eq!(reason(&error), "budget_exceeded", "{error:?}");
        }
        streams.push(stream);
        drop(others);
    }
    // And who was reset for both reasons counts once.
    wire.send(&frame(PING, 0, 0, &[0; 8])).await;
    assert!(wire.next_of(PING).await.is_some());
}

// THREAT: provoked-resets
#[tokio::test]
async fn streams_that_are_reset_for_want_of_memory_count_as_resets() {
    let budget = SharedBudget::new(MIB);
    let mut config = sharing(&budget);
    config.reset_burst = 10;
    config.resets_per_second = 0;
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    let _others = use_up(&budget, 0);
    tokio::spawn(async move {
        while let Some(Request::WebSocket(request)) = server.next().await {
            drop(request.accept(Response::new(())));
        }
    });
    for id in (1..101).step_by(2) {
        let bytes = [connect(id), frame(DATA, 0, id, &[7; 100])].concat();
        if tokio::io::AsyncWriteExt::write_all(&mut wire.0, &bytes).await.is_err() {
            break;
        }
    }
    assert_eq!(wire.goaway_code().await, Some(11));
}

#[tokio::test]
async fn a_request_that_its_client_has_reset_is_not_charged_again_for_what_it_left() {
    let budget = SharedBudget::new(MIB);
    let mut config = sharing(&budget);
    (config.reset_burst, config.resets_per_second) = (1, 0);
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    // `POST http://a/`
    let post = |id| frame(HEADERS, END_HEADERS, id, b"\x83\x84\x86\x41\x01a");
    wire.send(&[post(1), frame(DATA, END_STREAM, 1, &[7; 16_000])].concat()).await;
    let Some(Request::Http(mut request)) = server.next().await else { panic!("no request") };
    settle().await;
    wire.send(&reset(1, 8)).await;
    settle().await;
    let _others = use_up(&budget, 0);
    wire.send(&[post(3), frame(DATA, 0, 3, &[7; 100])].concat()).await;
    settle().await;
    assert_eq!(request.body(MIB).await.unwrap_err().reason(), "budget_exceeded");
    wire.send(&frame(PING, 0, 0, &[0; 8])).await;
    assert!(wire.next_of(PING).await.is_some(), "one is allowed");
}
