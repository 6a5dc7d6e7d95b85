//! Loss, duplication and reordering below the WebSocket: above it there is none of them.

use std::sync::atomic::Ordering;

use ws_stack::endpoint::{AcceptOptions, CloseCode, Message};

use crate::relay::{Relay, Weather};
use crate::support::{Echo, h3_client, open, soon};

/// Sends `count` messages there and back over a bad path, then says goodbye.
async fn messages_cross(percent: u64, deflate: bool, count: usize) {
    let options =
        AcceptOptions { deflate: deflate.then(Default::default), ..AcceptOptions::default() };
    let mut server = Echo::start(options);
    let relay = Relay::start(server.address, Weather { percent, seed: 0x5eed + percent }).await;
    let websocket = soon(open(&h3_client(), relay.address, deflate)).await;
    let agreed = websocket.upgrade_info().expect("kept").headers();
    assert_eq!(agreed.get("sec-websocket-extensions").is_some(), deflate);

    let (mut reader, mut writer) = websocket.split();
    let writing = tokio::spawn(async move {
        for number in 0..count {
            writer.feed(message(number)).await.expect("queued");
        }
        writer.flush().await.expect("written");
        writer
    });
    for number in 0..count {
        let back = soon(reader.next()).await.expect("open").expect("a message");
        assert!(back == message(number), "message {number} is not the one that was sent");
    }
    let mut websocket = reader.reunite(writing.await.expect("no panic")).expect("two halves");
    let outcome = soon(websocket.close(CloseCode::NORMAL, "done")).await.expect("a valid code");
    assert!(outcome.clean, "{outcome:?}");

    let report = soon(server.reports.recv()).await.expect("it ended");
    let outcome = report.outcome();
    assert!(outcome.clean, "{outcome:?}");
    assert_eq!((outcome.code, &*outcome.reason), (CloseCode::NORMAL, "done"));
    assert_eq!(report.messages, count, "each message arrived once");

    let counts = &relay.counts;
    for (what, count) in
        [("lost", &counts.lost), ("doubled", &counts.doubled), ("overtaken", &counts.overtaken)]
    {
        assert!(count.load(Ordering::Relaxed) > 0, "nothing was {what}: {counts:?}");
    }
}

/// The message with this number: of any size from nothing to some packets, and unlike its
/// neighbours.
fn message(number: usize) -> Message {
    let length = number * 7919 % 4000;
    let text: String = format!("{number} ").chars().cycle().take(length).collect();
    if number.is_multiple_of(2) { Message::text(text) } else { Message::binary(text.into_bytes()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_whole_in_order_and_once_at_one_percent_loss() {
    messages_cross(1, false, 1000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_whole_in_order_and_once_at_five_percent_loss() {
    messages_cross(5, false, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_whole_in_order_and_once_at_twenty_percent_loss() {
    messages_cross(20, false, 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_messages_arrive_whole_in_order_and_once_at_one_percent_loss() {
    messages_cross(1, true, 10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_messages_arrive_whole_in_order_and_once_at_five_percent_loss() {
    messages_cross(5, true, 2000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_messages_arrive_whole_in_order_and_once_at_twenty_percent_loss() {
    messages_cross(20, true, 300).await;
}
