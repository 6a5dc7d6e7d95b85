//! Messages there and back.

use std::time::Duration;

use bytes::Bytes;
use ws_tokio::{AcceptOptions, ConnectOptions, Message, WebSocket};

use super::over::{Over, over_every_carrier};

over_every_carrier!(
    messages_of_every_boundary_size_come_back,
    ten_thousand_small_messages_come_back_in_order,
    a_ping_is_answered,
    compressed_messages_come_back,
    websockets_that_nobody_reads_stop_no_others,
);

async fn messages_of_every_boundary_size_come_back(over: Over) {
    let house = over.house(AcceptOptions::default());
    let mut websocket = house.connect().await;
    assert_eq!(websocket.transport().http_version(), over.version());
    assert_eq!(websocket.transport().is_secure(), house.url.starts_with("wss:"));
    for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        round_trip(&mut websocket, Message::binary(vec![7; size])).await;
        round_trip(&mut websocket, Message::text("x".repeat(size))).await;
    }
}

async fn ten_thousand_small_messages_come_back_in_order(over: Over) {
    const COUNT: u32 = 10_000;
    let house = over.house(AcceptOptions::default());
    let (mut reader, mut writer) = house.connect().await.split();
    let writing = tokio::spawn(async move {
        for number in 0..COUNT {
            let payload = Bytes::copy_from_slice(&number.to_be_bytes());
            writer.feed(Message::binary(payload)).await.expect("queued");
        }
        writer.flush().await.expect("written");
        writer
    });
    for number in 0..COUNT {
        let message = reader.next().await.expect("open").expect("a message");
        assert_eq!(message.payload(), number.to_be_bytes().as_slice());
    }
    writing.await.expect("no panic");
}

async fn a_ping_is_answered(over: Over) {
    let house = over.house(AcceptOptions::default());
    let mut websocket = house.connect().await;
    websocket.send(Message::Ping("are you there".into())).await.expect("sent");
    let answer = websocket.next().await.expect("open").expect("a message");
    assert_eq!(answer, Message::Pong("are you there".into()));
}

#[cfg(feature = "deflate")]
async fn compressed_messages_come_back(over: Over) {
    let house =
        over.house(AcceptOptions { deflate: Some(Default::default()), ..Default::default() });
    let options = ConnectOptions { deflate: Some(Default::default()), ..Default::default() };
    let mut websocket = house.try_connect("", &options).await.expect("open");
    let answer = websocket.upgrade_info().expect("kept").headers();
    let extensions = answer.get("sec-websocket-extensions").expect("agreed").to_owned();
    assert!(extensions.starts_with("permessage-deflate"), "{extensions}");
    for text in ["", "again and again ", "a"] {
        round_trip(&mut websocket, Message::text(text.repeat(4096))).await;
    }
}

#[cfg(not(feature = "deflate"))]
async fn compressed_messages_come_back(over: Over) {
    // Without the feature there is nothing to agree on, and messages go as they are.
    let house = over.house(AcceptOptions::default());
    let options = ConnectOptions::default();
    let mut websocket = house.try_connect("", &options).await.expect("open");
    round_trip(&mut websocket, Message::text("as it is")).await;
}

async fn round_trip(websocket: &mut WebSocket, message: Message) {
    websocket.feed(message.clone()).await.expect("queued");
    let back = websocket.next().await.expect("open").expect("a message");
    // Not `assert_eq`: nobody wants to read a megabyte.
    assert!(back == message, "{} bytes did not come back as sent", message.payload().len());
}

// THREAT: window-stall
async fn websockets_that_nobody_reads_stop_no_others(over: Over) {
    let house = over.serve(ws_tokio::server(), |mut websocket: WebSocket| async move {
        while let Some(Ok(message)) = websocket.next().await {
            if message == Message::text("stop reading") {
                std::future::pending::<()>().await;
            }
            websocket.feed(message).await.expect("open");
        }
    });
    let mut stopped = Vec::new();
    for number in 0..24 {
        let connecting = tokio::time::timeout(Duration::from_secs(5), house.connect());
        let connected = connecting.await;
        let mut websocket = connected.unwrap_or_else(|_| panic!("{number} have stopped the rest"));
        websocket.send(Message::text("stop reading")).await.expect("open");
        // As much as a stream of HTTP/2 or HTTP/3 takes unread; over TCP that is more.
        for _ in 0..16 {
            let piece = websocket.send(Message::binary(vec![7; 64 * 1024]));
            if tokio::time::timeout(Duration::from_millis(100), piece).await.is_err() {
                break;
            }
        }
        stopped.push(websocket);
    }
    let mut other = house.connect().await;
    let echo = async {
        other.send(Message::text("hello")).await.expect("open");
        other.next().await
    };
    let echo = tokio::time::timeout(Duration::from_secs(5), echo).await.expect("it is answered");
    assert!(matches!(echo, Some(Ok(message)) if message == Message::text("hello")));
}
