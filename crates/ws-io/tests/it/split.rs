//! One connection, two tasks.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_core::Stream as _;
use futures_sink::Sink as _;
use ws_close::CloseCode;
use ws_frame::{DataKind, Message};
use ws_io::{Error, Runtime as _, Transport as _, duplex};
use ws_session::{Compress, Config, Prepared};

use crate::support::{
    Hostile, Plan, Sim, client, echo, frame, give_up_after, pair, send_large_and_take_slowly,
    server, server_with, texts, yield_now,
};

#[test]
fn halves_in_two_tasks_send_and_receive_at_once() {
    for pending_every in [None, Some(2), Some(3)] {
        let plan = Plan { read: 7, write: 5, pending_every, ..Plan::default() };
        let sim = Sim::new();
        let (left, right) = duplex(50);
        let client = client(&sim, Hostile::new(left, plan.clone()));
        let mut server = server(&sim, Hostile::new(right, plan));
        sim.spawn(async move { echo(&mut server).await.unwrap() });
        let (mut reader, mut writer) = client.split();
        sim.spawn(async move {
            for n in 0..50 {
                writer.send(Message::text(format!("message {n}"))).await.unwrap();
            }
            writer.close(CloseCode::NORMAL, "").await.unwrap();
        });
        let received = sim.block_on(async {
            let mut received = Vec::new();
            while let Some(message) = reader.next().await {
                received.push(message.unwrap());
            }
            received
        });
        let expected: Vec<_> = (0..50).map(|n| format!("message {n}")).collect();
        assert_eq!(texts(&received), expected);
    }
}

#[test]
fn a_waiting_reader_writes_what_the_writer_feeds() {
    let sim = Sim::new();
    let (client, mut server) = pair(&sim);
    let (mut reader, mut writer) = client.split();
    let received = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&received);
    sim.spawn(async move { while reader.next().await.is_some() {} });
    sim.spawn(async move {
        while let Some(Ok(Message::Text(_))) = server.next().await {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    sim.block_on(async {
        // The reader waits by now.
        sim.sleep(Duration::from_secs(1)).await;
        writer.feed(Message::text("fed, not flushed")).await.unwrap();
        sim.sleep(Duration::from_secs(1)).await;
    });
    assert_eq!(received.load(Ordering::SeqCst), 1);
}

#[test]
fn a_writer_waits_for_room_when_the_peer_reads_nothing() {
    for in_fragments in [false, true] {
        let sim = Sim::new();
        let (client, _server) = pair(&sim);
        let (_reader, mut writer) = client.split();
        let fed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&fed);
        sim.spawn(async move {
            let data = Bytes::from(vec![0; 64 * 1024]);
            loop {
                let result = if in_fragments {
                    writer.feed_fragment(DataKind::Binary, data.clone(), false).await
                } else {
                    writer.feed(Message::Binary(data.clone())).await
                };
                if result.is_err() {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        sim.block_on(async { sim.sleep(Duration::from_secs(1)).await });
        // High water is 128 KiB, and what the pipe holds comes on top.
        let fed = fed.load(Ordering::SeqCst);
        assert!((2..8).contains(&fed), "{fed}, in fragments: {in_fragments}");
    }
}

#[test]
fn a_send_dropped_above_high_water_queues_nothing() {
    let sim = Sim::new();
    let (left, _right) = duplex(1000);
    let (reader, mut writer) = client(&sim, left).split();
    sim.block_on(async {
        for _ in 0..4 {
            let big = Message::binary(vec![0; 300_000]);
            assert!(give_up_after(1, writer.send(big)).await.is_none());
        }
    });
    let mut session = reader.reunite(writer).unwrap().into_parts().session;
    assert!(session.transmit().len() < 300_100, "one message and its header, minus what left");
}

#[test]
fn halves_are_a_stream_and_a_sink() {
    let sim = Sim::new();
    let (client, mut server) = pair(&sim);
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    let (mut reader, mut writer) = client.split();
    let mut writer = Pin::new(&mut writer);
    sim.block_on(async {
        poll_fn(|cx| writer.as_mut().poll_ready(cx)).await.unwrap();
        writer.as_mut().start_send(Message::text("in the sink")).unwrap();
        poll_fn(|cx| writer.as_mut().poll_flush(cx)).await.unwrap();
        let next = poll_fn(|cx| Pin::new(&mut reader).poll_next(cx)).await;
        assert_eq!(next.unwrap().unwrap(), Message::text("in the sink"));
        poll_fn(|cx| writer.as_mut().poll_close(cx)).await.unwrap();
        let next = poll_fn(|cx| Pin::new(&mut reader).poll_next(cx)).await;
        assert!(matches!(next, Some(Ok(Message::Close(Some(frame)))) if frame.code.get() == 1000));
        assert!(poll_fn(|cx| Pin::new(&mut reader).poll_next(cx)).await.is_none());
    });
    assert!(sim.elapsed() < Duration::from_secs(1), "no deadline was needed");
}

#[test]
fn a_reader_that_waits_keeps_the_deadline_of_a_goodbye_of_the_sink() {
    let sim = Sim::new();
    let (client, _server) = pair(&sim);
    let (mut reader, mut writer) = client.split();
    let ended = sim.spawn_collect(async move { assert!(reader.next().await.is_none()) });
    sim.block_on(async {
        sim.sleep(Duration::from_secs(1)).await;
        poll_fn(|cx| Pin::new(&mut writer).poll_close(cx)).await.unwrap();
        // The peer does not answer. That is waited for for 5 s.
        sim.sleep(Duration::from_secs(6)).await;
        assert!(!ended.is_empty(), "it still waits");
    });
}

#[test]
fn a_writer_alone_closes_in_order() {
    let sim = Sim::new();
    let (client, mut server) = pair(&sim);
    let (reader, mut writer) = client.split();
    drop(reader);
    let closed = sim.spawn_collect(async move {
        let end = writer.close(CloseCode::GOING_AWAY, "tab closed").await;
        assert!(end.is_ok());
    });
    let last = sim.block_on(async {
        let last = server.next().await.unwrap().unwrap();
        assert!(server.next().await.is_none());
        closed.output().await;
        last
    });
    assert!(matches!(last, Message::Close(Some(frame)) if frame.reason == "tab closed"));
    assert!(server.outcome().unwrap().clean);
    assert!(sim.elapsed() < Duration::from_secs(1), "no deadline was needed");
}

#[test]
fn a_close_that_cannot_be_sent_is_refused_and_another_may_follow() {
    let sim = Sim::new();
    let (client, mut server) = pair(&sim);
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    let (mut reader, mut writer) = client.split();
    sim.block_on(async {
        let refused = writer.close(CloseCode::new(1005), "").await;
        assert!(matches!(refused, Err(Error::Send(_))), "{refused:?}");
        writer.send(Message::text("still open")).await.unwrap();
        assert_eq!(reader.next().await.unwrap().unwrap(), Message::text("still open"));
        drop(reader);
        for _ in 0..2 {
            writer.close(CloseCode::NORMAL, "").await.unwrap();
        }
    });
}

#[test]
fn a_writer_waiting_to_close_is_woken_by_the_reader_that_ends_it() {
    let sim = Sim::new();
    let (client, mut server) = pair(&sim);
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    let (mut reader, mut writer) = client.split();
    sim.spawn(async move { while reader.next().await.is_some() {} });
    sim.block_on(async {
        sim.sleep(Duration::from_millis(1)).await;
        writer.close(CloseCode::NORMAL, "").await.unwrap();
    });
    assert!(sim.elapsed() < Duration::from_secs(1), "no deadline was needed");
}

#[test]
fn a_writer_that_closes_waits_for_the_close_timeout_although_nobody_reads() {
    // A peer that never answers, and one that does not even read.
    for room in [10_000, 1000] {
        let sim = Sim::new();
        let (left, _right) = duplex(room);
        let (mut reader, mut writer) = client(&sim, left).split();
        sim.block_on(async {
            writer.feed(Message::binary(vec![0; 5000])).await.unwrap();
            writer.close(CloseCode::NORMAL, "").await.unwrap();
            assert_eq!(sim.elapsed(), Duration::from_secs(5));
            assert!(reader.next().await.is_none());
        });
    }
}

#[test]
fn a_closing_writer_gives_a_busy_reader_what_had_arrived() {
    let sim = Sim::new();
    let (client, mut server) = pair(&sim);
    let (mut reader, mut writer) = client.split();
    sim.block_on(async {
        server.send(Message::text("before")).await.unwrap();
        assert!(give_up_after(1, writer.close(CloseCode::NORMAL, "")).await.is_none());
        assert_eq!(reader.next().await.unwrap().unwrap(), Message::text("before"));
    });
}

#[test]
fn either_half_tells_how_the_connection_ended() {
    let sim = Sim::new();
    let (client, mut server) = pair(&sim);
    let (mut reader, mut writer) = client.split();
    assert!(reader.outcome().is_none() && writer.outcome().is_none());
    sim.spawn(async move {
        while let Some(Ok(message)) = server.next().await {
            if message.as_text() == Some("prepared") {
                server.close(CloseCode::new(4001), "enough").await.unwrap();
            }
        }
    });
    sim.block_on(async {
        writer.feed_with(Message::text("plain"), Compress::Never).await.unwrap();
        let prepared = Prepared::new(Message::text("prepared")).unwrap();
        writer.feed_prepared(&prepared).await.unwrap();
        while reader.next().await.is_some() {}
        writer.close(CloseCode::NORMAL, "").await.unwrap();
    });
    for outcome in [reader.outcome(), writer.outcome()] {
        let outcome = outcome.expect("it has ended");
        assert_eq!((outcome.code.get(), &*outcome.reason), (4001, "enough"));
    }
}

#[test]
fn halves_of_one_connection_reunite_and_others_do_not() {
    let sim = Sim::new();
    let (client, mut server) = pair(&sim);
    let (reader, writer) = client.split();
    let (other, _server) = pair(&sim);
    let (other_reader, other_writer) = other.split();
    let error = reader.reunite(other_writer).unwrap_err();
    let mut client = error.reader.reunite(writer).unwrap();
    drop(other_reader);
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    sim.block_on(async {
        client.send(Message::text("together")).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("together"));
    });
}

#[test]
fn nobody_is_blamed_for_silence_while_nobody_reads() {
    for (is_dropped, is_stream) in [(false, false), (true, false), (false, true), (true, true)] {
        let sim = Sim::new();
        let (left, right) = duplex(1000);
        let (mut client, server) = (client(&sim, left), server(&sim, right));
        let (mut reader, mut writer) = server.split();
        // A slow peer that is alive: it takes something every five seconds, and says something.
        let clock = sim.clone();
        sim.spawn(async move {
            loop {
                clock.sleep(Duration::from_secs(5)).await;
                let _something = give_up_after(1, client.next_chunk()).await;
                let _full = give_up_after(1, client.send(Message::text("alive"))).await;
            }
        });
        sim.block_on(async {
            // A reader that waited once and is busy elsewhere now.
            if is_stream {
                let next = poll_fn(|cx| Pin::new(&mut reader).poll_next(cx));
                assert!(give_up_after(1, next).await.is_none());
            } else {
                assert!(give_up_after(1, reader.next()).await.is_none());
            }
            let _reader = (!is_dropped).then_some(reader);
            while sim.elapsed() < Duration::from_secs(300) {
                writer.send(Message::binary(vec![0; 5000])).await.unwrap();
            }
        });
    }
}

#[test]
fn a_silent_peer_is_noticed_by_the_reader_while_the_writer_waits_for_it() {
    let sim = Sim::new();
    let (left, mut right) = duplex(1000);
    let (mut reader, mut writer) = server(&sim, left).split();
    // It says something once, which is received by another call than the one that waits then.
    let mut hello = frame(0x81, b"hello");
    sim.block_on(poll_fn(|cx| right.poll_write(cx, &mut hello))).unwrap();
    assert!(sim.block_on(reader.next()).unwrap().is_ok());
    let clock = sim.clone();
    sim.spawn(async move {
        let mut taken = BytesMut::new();
        loop {
            clock.sleep(Duration::from_secs(5)).await;
            poll_fn(|cx| right.poll_read(cx, &mut taken, 1000)).await.unwrap();
        }
    });
    sim.spawn(async move { while writer.send(Message::binary(vec![0; 5000])).await.is_ok() {} });
    let error = sim.block_on(async { reader.next().await.unwrap().unwrap_err() });
    assert!(matches!(error, Error::Idle), "{error:?}");
    let (least, most) = (Duration::from_secs(60), Duration::from_secs(100));
    assert!((least..most).contains(&sim.elapsed()), "{:?}", sim.elapsed());
}

#[test]
fn a_goodbye_without_a_deadline_is_waited_for_in_peace() {
    let sim = Sim::new();
    let (left, _right) = duplex(1000);
    let config = Config::default().with_close_timeout(Duration::MAX);
    let (mut reader, mut writer) = server_with(&sim, left, config.into()).split();
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    sim.spawn(async move { while reader.next().await.is_some() {} });
    let clock = sim.clone();
    sim.spawn(async move {
        clock.sleep(Duration::from_secs(1)).await;
        let mut closing = Box::pin(writer.close(CloseCode::NORMAL, ""));
        let counted = poll_fn(|cx| {
            let polls = count.fetch_add(1, Ordering::SeqCst);
            assert!(polls < 100, "it spins");
            closing.as_mut().poll(cx)
        });
        let _never = counted.await;
    });
    sim.block_on(async { sim.sleep(Duration::from_secs(300)).await });
    assert!(polls.load(Ordering::SeqCst) < 10);
}

#[test]
fn a_message_is_given_its_whole_time_again_after_nobody_received() {
    for is_reunited in [false, true] {
        let sim = Sim::new();
        let (left, right) = duplex(1000);
        let config = Config::default().with_message_timeout(Duration::from_secs(10));
        let (mut reader, mut writer) = server_with(&sim, right, config.into()).split();
        send_large_and_take_slowly(client(&sim, left), &sim);
        let received = sim.block_on(async {
            sim.sleep(Duration::from_millis(1)).await;
            assert!(give_up_after(1, reader.next()).await.is_none(), "a part of the message");
            let busy = Message::binary(vec![0; 10_000]);
            if is_reunited {
                let mut server = reader.reunite(writer).unwrap();
                assert!(give_up_after(1, server.next()).await.is_none());
                server.send(busy).await.unwrap();
                server.next().await
            } else {
                writer.send(busy).await.unwrap();
                reader.next().await
            }
        });
        assert!(sim.elapsed() > Duration::from_secs(15));
        assert_eq!(received.unwrap().unwrap(), Message::binary(vec![7; 5000]));
    }
}

#[test]
fn a_deadline_of_the_reader_holds_although_the_writer_moves_the_timer() {
    let sim = Sim::new();
    let (left, _takes_nothing) = duplex(1000);
    let mut config = Config::default();
    (config.keep_alive, config.idle_timeout) = (Duration::MAX, Duration::from_secs(10));
    let (mut reader, mut writer) = server_with(&sim, left, config.into()).split();
    let clock = sim.clone();
    let ended = sim.spawn_collect(async move {
        let error = reader.next().await.unwrap().unwrap_err();
        (error.reason(), clock.elapsed().as_secs())
    });
    sim.block_on(async {
        yield_now().await;
        sim.fall_behind(Duration::from_secs(10));
        assert!(give_up_after(1, writer.send(Message::binary(vec![0; 5000]))).await.is_none());
        sim.sleep(Duration::from_secs(60)).await;
    });
    assert_eq!(ended.take(), Some((Error::Idle.reason(), 10 + 5)));
}

#[test]
fn a_reader_that_waits_is_told_of_an_end_that_the_closing_writer_meets_first() {
    let sim = Sim::new();
    let (client, _server) = pair(&sim);
    let (mut reader, mut writer) = client.split();
    let ended = sim.spawn_collect(async move { assert!(reader.next().await.is_none()) });
    sim.block_on(async {
        let mut close = pin!(writer.close(CloseCode::NORMAL, ""));
        assert!(give_up_after(1, close.as_mut()).await.is_none());
        yield_now().await;
        // The peer does not answer for 5 s, and something else wakes the writer before the timer does.
        sim.fall_behind(Duration::from_secs(6));
        assert!(matches!(give_up_after(1, close.as_mut()).await, Some(Ok(()))));
        yield_now().await;
        assert!(!ended.is_empty(), "it still waits");
    });
}

#[test]
fn nobody_is_blamed_for_a_message_that_was_begun_before_the_split() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(1000);
    let mut server = server(&sim, right);
    let mut begun = frame(0x81, b"hello");
    let mut rest = begun.split_off(7);
    sim.block_on(async {
        poll_fn(|cx| raw.poll_write(cx, &mut begun)).await.unwrap();
        assert!(give_up_after(1, server.next()).await.is_none());
        let (mut reader, mut writer) = server.split();
        // A peer that takes what it is sent, little by little.
        for _ in 0..120 {
            assert!(give_up_after(1, writer.send(Message::binary(vec![0; 2000]))).await.is_none());
            sim.sleep(Duration::from_secs(1)).await;
            let mut taken = BytesMut::with_capacity(5000);
            while give_up_after(1, poll_fn(|cx| raw.poll_read(cx, &mut taken, 1000)))
                .await
                .is_some()
            {
                taken.clear();
                assert!(give_up_after(1, writer.flush()).await.is_none_or(|it| it.is_ok()));
            }
        }
        // Nobody has received meanwhile, so the rest is not late.
        assert!(give_up_after(1, reader.next()).await.is_none());
        poll_fn(|cx| raw.poll_write(cx, &mut rest)).await.unwrap();
        assert_eq!(reader.next().await.unwrap().unwrap(), Message::text("hello"));
    });
}

#[test]
fn a_writer_that_waits_to_close_receives_once_the_reader_is_dropped() {
    let sim = Sim::new();
    let (client, mut server) = pair(&sim);
    sim.spawn(async move { while server.next().await.is_some() {} });
    let (reader, mut writer) = client.split();
    let closed =
        sim.spawn_collect(async move { writer.close(CloseCode::NORMAL, "").await.unwrap() });
    sim.block_on(async {
        sim.sleep(Duration::from_secs(1)).await;
        assert!(closed.is_empty(), "nobody has received the answer");
        drop(reader);
        sim.sleep(Duration::from_millis(1)).await;
        assert!(!closed.is_empty(), "it still waits");
    });
}

#[test]
fn the_goodbye_of_a_writer_leaves_though_the_reader_is_busy() {
    let sim = Sim::new();
    let (client, mut server) = pair(&sim);
    let (_reader, mut writer) = client.split();
    sim.block_on(async {
        assert!(give_up_after(1, writer.close(CloseCode::NORMAL, "")).await.is_none());
        assert!(matches!(server.next().await, Some(Ok(Message::Close(Some(_))))));
    });
    assert_eq!(sim.elapsed(), Duration::ZERO);
}
