//! One budget of memory for all connections of a server.

use std::time::Duration;

use bytes::Bytes;
use ws_session::DataKind;
use ws_tokio::{CloseCode, ConnectOptions, HttpVersion, Message, SharedBudget, server};

use super::over::{House, Over, over_every_carrier};
use crate::support::{echo, until};

over_every_carrier!(
    the_largest_grower_is_closed_and_its_neighbours_are_served,
    many_hoarders_together_stay_within_the_budget,
    a_newcomer_is_answered_503_while_the_budget_is_used_up,
    an_idle_connection_is_charged_little_and_gives_it_back,
    what_nobody_reads_stays_within_the_budget,
);

const MIB: usize = 1024 * 1024;

fn house(over: Over, bytes: usize) -> (House, SharedBudget) {
    let server = server().with_memory_budget(bytes);
    let budget = server.memory_budget().expect("it was given one");
    (over.serve(server, echo), budget)
}

async fn the_largest_grower_is_closed_and_its_neighbours_are_served(over: Over) {
    let (house, budget) = house(over, MIB);
    let mut neighbour = house.connect().await;
    let mut hoarder = house.connect().await;
    let piece = Bytes::from_static(&[7; 50_000]);
    while hoarder.feed_fragment(DataKind::Binary, piece.clone(), false).await.is_ok() {
        if hoarder.flush().await.is_err() {
            break;
        }
        assert!(budget.used() <= budget.max());
        if budget.used() < MIB / 2 {
            continue;
        }
        // The goodbye is read beside the sending.
        let read = tokio::time::timeout(Duration::from_millis(20), hoarder.next());
        if !matches!(read.await, Err(_) | Ok(Some(Ok(Message::Ping(_))))) {
            break;
        }
    }
    while hoarder.next().await.is_some() {}
    let outcome = hoarder.outcome().expect("it has ended");
    assert_eq!(outcome.code, CloseCode::POLICY_VIOLATION, "{outcome:?}");
    neighbour.send(Message::text("still here")).await.expect("sent");
    let echo = neighbour.next().await.expect("an echo").expect("it is served");
    assert_eq!(echo, Message::text("still here"));
    until("what the hoarder held is free", || budget.used() < 64 * 1024).await;
}

// THREAT: memory-amplification
async fn many_hoarders_together_stay_within_the_budget(over: Over) {
    let (house, budget) = house(over, MIB);
    let mut hoarders = Vec::new();
    for _ in 0..24 {
        let newcomer = house.try_connect("", &ConnectOptions::default()).await;
        let Ok(mut hoarder) = newcomer else { break };
        let piece = Bytes::from_static(&[7; 60_000]);
        // Refused once the server has said goodbye.
        let _closed = hoarder.feed_fragment(DataKind::Binary, piece, false).await;
        let _closed = hoarder.flush().await;
        hoarders.push(hoarder);
        assert!(budget.used() <= budget.max(), "{budget:?}");
    }
    // Some of them have been closed by now, unless nobody new was let in before.
    assert!(hoarders.len() >= 10, "{}", hoarders.len());
    until("what could be held is held", || budget.used() > MIB / 2).await;
    assert!(budget.used() <= budget.max(), "{budget:?}");
    drop(hoarders);
    until("everything is given back", || budget.used() < 64 * 1024).await;
}

async fn a_newcomer_is_answered_503_while_the_budget_is_used_up(over: Over) {
    let (house, budget) = house(over, MIB);
    let mut old = house.connect().await;
    let mut others = budget.open();
    assert!(others.set(MIB - MIB / 8 - budget.used()));
    let error = house.try_connect("", &ConnectOptions::default()).await.expect_err("no room");
    let response = error.response().unwrap_or_else(|| panic!("an answer: {error:?}"));
    assert_eq!(response.status, 503);
    old.send(Message::text("still here")).await.expect("sent");
    assert!(matches!(old.next().await, Some(Ok(Message::Text(_)))));
    drop(others);
    house.connect().await;
}

async fn an_idle_connection_is_charged_little_and_gives_it_back(over: Over) {
    let (house, budget) = house(over, MIB);
    let mut websocket = house.connect().await;
    websocket.send(Message::binary(vec![1; 200_000])).await.expect("sent");
    assert!(matches!(websocket.next().await, Some(Ok(Message::Binary(_)))));
    until("it is idle again", || (1..4096).contains(&budget.used())).await;
    websocket.close(CloseCode::NORMAL, "").await.expect("a valid code");
    until("it has ended", || budget.used() == 0).await;
}

// THREAT: memory-amplification
/// Over HTTP/1.1 it stays in the buffers of the kernel, and the peer has to wait.
async fn what_nobody_reads_stays_within_the_budget(over: Over) {
    let server = server().with_memory_budget(MIB);
    let budget = server.memory_budget().expect("it was given one");
    let house = over.serve(server, |websocket| async move {
        let _unread = websocket;
        std::future::pending::<()>().await;
    });
    // Over HTTP/3 the window of a connection is used up at some point, and nobody new gets through.
    let handshake_timeout = Duration::from_secs(2);
    let options = ConnectOptions { handshake_timeout, ..ConnectOptions::default() };
    let (mut hoarders, mut sent) = (Vec::new(), 0);
    let piece = Bytes::from_static(&[7; 16 * 1024]);
    for _ in 0..24 {
        let Ok(mut hoarder) = house.try_connect("", &options).await else { break };
        for _ in 0..16 {
            let sending = async {
                hoarder.feed_fragment(DataKind::Binary, piece.clone(), false).await?;
                hoarder.flush().await
            };
            match tokio::time::timeout(Duration::from_millis(100), sending).await {
                Ok(Ok(())) => sent += piece.len(),
                _ => break,
            }
        }
        hoarders.push(hoarder);
        assert!(budget.used() <= budget.max(), "{budget:?}");
    }
    if over.version() == HttpVersion::H2 {
        assert!(sent > 2 * MIB, "{sent} bytes are more than fit");
        until("what is held is charged", || budget.used() > MIB / 2).await;
    }
    drop(hoarders);
}
