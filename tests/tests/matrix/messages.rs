//! Messages there and back.

use std::future::poll_fn;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::{AsyncReadExt as _, AsyncWriteExt as _, SinkExt as _, StreamExt};
use ws_stack::endpoint::{Message, WebSocket};
use ws_stack::frame::DataKind;
use ws_stack::io::{Chunk, Timer as _};

use crate::Seen;
use crate::cell::{Cell, noise};
use crate::platform::Platform;

/// The next message that is no answer to a ping.
async fn data<N: Platform>(websocket: &mut WebSocket<N>) -> Message {
    loop {
        let message = websocket.next().await.expect("open").expect("a message");
        if message.data_kind().is_some() {
            return message;
        }
    }
}

pub(crate) async fn text_and_binary_come_back_at_every_boundary<N: Platform>(
    cell: Cell<N>,
) -> Seen {
    let server = cell.echo();
    let mut websocket = cell.connect(&server.url).await;
    for length in [0, 1, 63, 64, 125, 126, 127, 2048, 2049, 65_535, 65_536, 65_537, 1 << 20] {
        let text = "lorem ipsum dolor ".repeat(length / 18 + 1);
        let text = text.get(..length).expect("ascii");
        for message in [Message::text(text.to_owned()), Message::binary(noise(length))] {
            websocket.send(message.clone()).await.expect("sent");
            assert_eq!(data(&mut websocket).await, message, "{length} bytes");
        }
    }
    Seen::Right
}

pub(crate) async fn a_burst_comes_back_in_order<N: Platform>(cell: Cell<N>) -> Seen {
    let server = cell.echo();
    let mut websocket = cell.connect(&server.url).await;
    for number in 0..500 {
        websocket.feed(Message::text(format!("message {number}"))).await.expect("queued");
    }
    for number in 0..500 {
        assert_eq!(data(&mut websocket).await, Message::text(format!("message {number}")));
    }
    Seen::Right
}

// RFC: WS-5.4-01
pub(crate) async fn fragments_come_back_as_one_message<N: Platform>(cell: Cell<N>) -> Seen {
    let server = cell.echo();
    let mut websocket = cell.connect(&server.url).await;
    let text = "één bericht in stukken, ook binnen een teken: 🦀";
    let bytes = text.as_bytes();
    for (index, piece) in bytes.chunks(5).enumerate() {
        let last = (index + 1) * 5 >= bytes.len();
        websocket.feed_fragment(DataKind::Text, piece.to_vec().into(), last).await.expect("queued");
        if index == 2 {
            websocket.feed(Message::Ping("between".into())).await.expect("queued");
        }
    }
    let pong = websocket.next().await.expect("open").expect("a pong");
    assert_eq!(pong, Message::Pong("between".into()));
    assert_eq!(data(&mut websocket).await, Message::text(text));
    Seen::Right
}

pub(crate) async fn a_large_message_is_read_in_pieces<N: Platform>(cell: Cell<N>) -> Seen {
    let (url, pieces) = cell.once(cell.accept_options(), async |mut websocket: WebSocket<N>| {
        let (mut arrived, mut count) = (Vec::new(), 0);
        while let Some(Ok(chunk)) = websocket.next_chunk().await {
            if let Chunk::Data { data, last, .. } = chunk {
                arrived.extend_from_slice(&data);
                count += 1;
                if last {
                    break;
                }
            }
        }
        (arrived, count)
    });
    let mut websocket = cell.connect(&url).await;
    let sent = noise(1 << 20);
    websocket.send(Message::binary(sent.clone())).await.expect("sent");
    let (arrived, count) = pieces.await.expect("it was read");
    assert!(arrived == sent, "{} of {} bytes", arrived.len(), sent.len());
    assert!(count > 1, "in one piece");
    Seen::Right
}

// RFC: WS-5.5.2-01, WS-5.5.3-01
pub(crate) async fn pings_are_answered_both_ways<N: Platform>(cell: Cell<N>) -> Seen {
    let (url, answered) = cell.once(cell.accept_options(), async |mut websocket: WebSocket<N>| {
        websocket.send(Message::Ping("from the server".into())).await.expect("sent");
        let mut seen = Vec::new();
        while let Some(Ok(message)) = websocket.next().await {
            seen.push(message);
        }
        seen
    });
    let mut websocket = cell.connect(&url).await;
    assert_eq!(
        websocket.next().await.expect("open").expect("a ping"),
        Message::Ping("from the server".into())
    );
    for number in 0..10 {
        websocket.feed(Message::Ping(format!("{number}").into())).await.expect("queued");
    }
    for number in 0..10 {
        let pong = websocket.next().await.expect("open").expect("a pong");
        assert_eq!(pong, Message::Pong(format!("{number}").into()));
    }
    websocket.close(ws_stack::endpoint::CloseCode::NORMAL, "").await.expect("a valid code");
    let seen = answered.await.expect("it was read");
    assert_eq!(seen.first(), Some(&Message::Pong("from the server".into())));
    Seen::Right
}

pub(crate) async fn two_tasks_read_and_write_at_the_same_time<N: Platform>(cell: Cell<N>) -> Seen {
    let server = cell.echo();
    let (mut reader, mut writer) = cell.connect(&server.url).await.split();
    let (done, all) = oneshot::channel();
    cell.net.spawn(async move {
        let mut lengths = Vec::new();
        while let Some(Ok(message)) = reader.next().await {
            lengths.push(message.payload().len());
            if lengths.len() == 200 {
                break;
            }
        }
        // The writer's task may have failed first.
        let _ = done.send(lengths);
    });
    let (wrote, written) = oneshot::channel();
    cell.net.spawn(async move {
        let payload = noise(20_000);
        for index in 0..200 {
            let piece = payload.get(..index * 100).expect("long enough");
            writer.send(Message::binary(piece.to_vec())).await.expect("sent");
        }
        let _ = wrote.send(writer);
    });
    let _writer = written.await.expect("all was written");
    let lengths = all.await.expect("all was read");
    assert_eq!(lengths, (0..200).map(|index| index * 100).collect::<Vec<_>>());
    Seen::Right
}

/// What `StreamExt::split` makes of a WebSocket. The peer sends while it does not read, so that the
/// stream's task waits again after that of the sink, and only then reads.
pub(crate) async fn a_stream_and_a_sink_wait_in_two_tasks<N: Platform>(cell: Cell<N>) -> Seen {
    let net = cell.net.clone();
    let (url, heard) = cell.once(cell.accept_options(), move |mut websocket: WebSocket<N>| {
        let net = net.clone();
        async move {
            for number in 0..10 {
                let mut pause = net.timer(net.now() + Duration::from_millis(10));
                poll_fn(|cx| pause.poll_expired(cx)).await;
                websocket.send(Message::text(format!("news {number}"))).await.expect("sent");
            }
            let mut total = 0;
            while let Some(Ok(message)) = websocket.next().await {
                total += message.payload().len();
            }
            total
        }
    });
    let (mut sink, mut stream) = StreamExt::split(cell.connect(&url).await);
    let (done, all) = oneshot::channel();
    cell.net.spawn(async move {
        let mut count = 0;
        while let Some(Ok(message)) = stream.next().await {
            count += usize::from(message.is_text());
        }
        // The other task may have failed first.
        let _ = done.send(count);
    });
    for _ in 0..100 {
        sink.send(Message::binary(noise(100_000))).await.expect("sent");
    }
    sink.close().await.expect("said goodbye");
    assert_eq!(all.await.expect("the end was seen"), 10);
    assert_eq!(heard.await.expect("all was heard"), 10_000_000);
    Seen::Right
}

pub(crate) async fn bytes_go_both_ways_as_through_a_socket<N: Platform>(cell: Cell<N>) -> Seen {
    let (url, told) = cell.once(cell.accept_options(), async |websocket: WebSocket<N>| {
        let (reader, mut writer) = websocket.into_byte_stream().split();
        futures_util::io::copy(reader, &mut writer).await
    });
    let bytes = cell.connect(&url).await.into_byte_stream();
    let (mut reader, mut writer) = bytes.split();
    let sent = noise(3_000_000);
    let (sending, len) = (sent.clone(), sent.len());
    let (wrote, written) = oneshot::channel();
    cell.net.spawn(async move {
        for piece in sending.chunks(7777) {
            writer.write_all(piece).await.expect("written");
        }
        writer.flush().await.expect("flushed");
        // The other task may have failed first.
        let _ = wrote.send(writer);
    });
    let mut received = vec![0; len];
    reader.read_exact(&mut received).await.expect("all of it");
    assert!(received == sent, "other bytes came back");
    written.await.expect("all was written").close().await.expect("said goodbye");
    assert_eq!(reader.read(&mut [0]).await.expect("an orderly end"), 0);
    assert_eq!(told.await.expect("it was read").expect("an orderly end"), len as u64);
    Seen::Right
}

pub(crate) async fn another_task_sends_on_the_connection<N: Platform>(cell: Cell<N>) -> Seen {
    let net = cell.net.clone();
    let server = cell.serve(cell.listen(cell.accept_options()), move |mut websocket| {
        let sender = websocket.sender(2);
        net.spawn(async move {
            for number in 0..20 {
                let news = Message::text(format!("news {number}"));
                sender.send_acknowledged(news).await.expect("sent");
            }
        });
        async move { while let Some(Ok(_)) = websocket.next().await {} }
    });
    let mut websocket = cell.connect(&server.url).await;
    for number in 0..20 {
        assert_eq!(data(&mut websocket).await, Message::text(format!("news {number}")));
    }
    Seen::Right
}
