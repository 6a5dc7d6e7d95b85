//! Peers that take what we send slowly, or not at all.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::BytesMut;
use futures_core::Stream as _;
use futures_sink::Sink as _;
use ws_close::CloseCode;
use ws_frame::Message;
use ws_io::{
    Chunk, Duplex, Error, Notice, NoticeBoard, Runtime as _, Transport as _, WebSocket, duplex,
};

use crate::support::{
    Fault, Hostile, Plan, Sim, client, frame, give_up_after, join, server, write,
};

/// Takes a message at `rate` bytes a second, and nothing else; how many bytes of it came.
async fn take_slowly(sim: &Sim, client: &mut WebSocket<Duplex, Sim>, rate: usize) -> usize {
    let (mut taken, mut may) = (0, 0);
    loop {
        sim.sleep(Duration::from_secs(1)).await;
        may += rate;
        while taken < may {
            match give_up_after(1, client.next_chunk()).await {
                None => break,
                Some(Some(Ok(Chunk::Data { data, last, .. }))) => {
                    taken += data.len();
                    if last {
                        return taken;
                    }
                }
                Some(end) => panic!("{end:?} after {taken} bytes"),
            }
        }
    }
}

#[test]
fn a_peer_that_takes_bytes_steadily_is_not_idle_however_long_it_takes() {
    // The keep-alive ping stands behind all of it, and cannot be answered before.
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let (mut client, mut server) = (client(&sim, left), server(&sim, right));
    sim.spawn(async move {
        server.feed(Message::binary(vec![7; 120_000])).await.unwrap();
        while server.next().await.is_some() {}
    });
    let taken = sim.block_on(take_slowly(&sim, &mut client, 1000));
    assert_eq!(taken, 120_000);
    assert!(sim.elapsed() > Duration::from_secs(100));
}

#[test]
fn nor_is_one_that_two_tasks_serve() {
    let sim = Sim::new();
    let (left, right) = duplex(64 * 1024);
    let (mut client, server) = (client(&sim, left), server(&sim, right));
    let (mut reader, mut writer) = server.split();
    sim.spawn(async move { while reader.next().await.is_some() {} });
    let sending = async {
        writer.send(Message::binary(vec![7; 10_000_000])).await.unwrap();
    };
    let (taken, ()) = sim.block_on(join(take_slowly(&sim, &mut client, 100_000), sending));
    assert_eq!(taken, 10_000_000);
}

#[test]
fn what_was_queued_before_a_goodbye_reaches_a_peer_that_takes_it_slowly() {
    for is_split in [false, true] {
        let sim = Sim::new();
        let (left, right) = duplex(1000);
        let (mut client, mut server) = (client(&sim, left), server(&sim, right));
        let closing = async move {
            server.feed(Message::binary(vec![7; 120_000])).await.unwrap();
            if !is_split {
                return server.close(CloseCode::NORMAL, "").await.unwrap().clone();
            }
            let (reader, mut writer) = server.split();
            drop(reader);
            writer.close(CloseCode::NORMAL, "").await.unwrap();
            writer.outcome().expect("over")
        };
        let taking = async {
            let taken = take_slowly(&sim, &mut client, 2000).await;
            while let Some(message) = client.next().await {
                message.unwrap();
            }
            taken
        };
        let (outcome, taken) = sim.block_on(join(closing, taking));
        assert_eq!(taken, 120_000);
        assert!(outcome.clean && sim.elapsed() > Duration::from_secs(50), "split: {is_split}");
    }
}

#[test]
fn one_that_takes_the_message_and_does_not_answer_the_ping_is_idle() {
    let sim = Sim::new();
    let (left, right) = duplex(1 << 20);
    let (mut server, _silent) = (server(&sim, right), left);
    sim.block_on(async {
        server.feed(Message::binary(vec![7; 1000])).await.unwrap();
        let end = server.next().await;
        assert!(matches!(end, Some(Err(ws_io::Error::Idle))), "{end:?}");
    });
    assert_eq!(sim.elapsed().as_secs(), 60 + 5);
}

/// How the end comes while a half waits to send.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Vanishes,
    TakesNothing,
    ClosesAndTakesNothing,
}

#[test]
fn a_message_that_never_left_was_not_sent_whichever_half_meets_the_end() {
    for end in [End::Vanishes, End::TakesNothing, End::ClosesAndTakesNothing] {
        for size in [5000, 50_000] {
            let sim = Sim::new();
            let (left, right) = duplex(1000);
            let (mut client, server) = (client(&sim, left), server(&sim, right));
            let (mut reader, mut writer) = server.split();
            let sending = async { writer.send(Message::binary(vec![7; size])).await };
            let receiving = async { while reader.next().await.is_some() {} };
            let peer = async {
                sim.sleep(Duration::from_millis(10)).await;
                if end == End::ClosesAndTakesNothing {
                    client.start_close(CloseCode::NORMAL, "").unwrap();
                    let _full = give_up_after(1, client.flush()).await;
                }
                if end != End::Vanishes {
                    sim.sleep(Duration::from_secs(60)).await;
                }
                drop(client);
            };
            // The reader is the first to be woken.
            let ((), (sent, ())) = sim.block_on(join(receiving, join(sending, peer)));
            assert!(sent.is_err(), "{end:?}, {size} bytes");
        }
    }
}

#[test]
fn who_waits_to_send_is_woken_by_the_reader_that_meets_the_end() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let stuck = Hostile::new(right, Plan { stuck: true, ..Plan::default() });
    let (mut reader, mut writer) = server(&sim, stuck).split();
    sim.spawn(async move { while reader.next().await.is_some() {} });
    let clock = sim.clone();
    sim.spawn(async move {
        clock.sleep(Duration::from_secs(1)).await;
        drop(left);
    });
    // It is polled before the reader, and finds nothing.
    sim.block_on(writer.send(Message::text("never leaves"))).unwrap_err();
    assert_eq!(sim.elapsed().as_secs(), 1);
}

/// A place that is held as long as somebody has it.
struct Place;

impl NoticeBoard for Place {
    fn notice(&self) -> Notice {
        Notice::Stay
    }

    fn wake_on_change(&self, _: &Waker) {}
}

#[test]
fn the_stream_of_what_has_ended_is_given_back_though_nobody_receives() {
    for is_shared in [false, true] {
        let sim = Sim::new();
        let (_takes_nothing, right) = duplex(1000);
        let transport = Hostile::new(right, Plan { is_shared, ..Plan::default() });
        let counts = transport.counts();
        let mut server = server(&sim, transport);
        let place = Arc::new(Place);
        server.watch(Arc::clone(&place) as Arc<dyn NoticeBoard>);
        sim.block_on(async {
            let sent = server.send(Message::binary(vec![7; 5000])).await;
            assert!(matches!(sent, Err(Error::WriteStalled)), "{sent:?}");
            let then = *counts.lock().unwrap();
            assert_eq!(then.releases, 1);
            // What has a socket to itself holds its place until it is dropped.
            assert_eq!(Arc::strong_count(&place), 2 - usize::from(is_shared));
            assert!(server.flush().await.is_err() && server.next().await.is_some());
            assert_eq!(counts.lock().unwrap().calls, then.calls, "it is left alone");
        });
    }
}

#[test]
fn nobody_is_blamed_for_a_message_of_which_the_reader_was_dropped() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(1000);
    let (mut reader, mut writer) = server(&sim, right).split();
    let mut begun = frame(0x81, b"hello");
    let mut rest = begun.split_off(7);
    rest.extend_from_slice(&frame(0x88, &1000_u16.to_be_bytes()));
    let clock = sim.clone();
    sim.spawn(async move {
        write(&mut raw, begun).await;
        // Takes its time, and answers the goodbye then.
        let mut taken = BytesMut::new();
        while !taken.ends_with(&1000_u16.to_be_bytes()) {
            clock.sleep(Duration::from_secs(1)).await;
            poll_fn(|cx| raw.poll_read(cx, &mut taken, 1000)).await.unwrap();
        }
        write(&mut raw, rest).await;
        poll_fn(|cx| raw.poll_shutdown(cx)).await.unwrap();
    });
    sim.block_on(async {
        // As a stream, which is not said to be given up.
        sim.sleep(Duration::from_millis(1)).await;
        let next = poll_fn(|cx| Pin::new(&mut reader).poll_next(cx));
        assert!(give_up_after(1, next).await.is_none());
        drop(reader);
        writer.send(Message::binary(vec![7; 70_000])).await.unwrap();
        assert!(sim.elapsed() > Duration::from_secs(60), "more than the time for a message");
        writer.close(CloseCode::NORMAL, "").await.unwrap();
    });
    assert!(writer.outcome().unwrap().clean, "{:?}", writer.outcome());
}

#[test]
fn a_sink_of_what_has_ended_may_be_closed_though_the_peer_took_not_all() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(1000);
    let mut server = server(&sim, right);
    sim.block_on(async {
        server.feed(Message::binary(vec![7; 5000])).await.unwrap();
        write(&mut raw, frame(0x88, &1000_u16.to_be_bytes())).await;
        while server.next().await.is_some() {}
        assert!(!server.outcome().unwrap().clean);
        poll_fn(|cx| Pin::new(&mut server).poll_close(cx)).await.unwrap();
        assert!(server.flush().await.is_err(), "it did not leave");
    });
}

#[test]
fn who_is_left_alone_with_a_failure_gives_the_stream_back() {
    let sim = Sim::new();
    let (_open, right) = duplex(1000);
    let transport = Hostile::new(right, Plan::at(Fault::Error, 0));
    let counts = transport.counts();
    let (reader, mut writer) = server(&sim, transport).split();
    sim.block_on(async {
        writer.send(Message::text("never leaves")).await.unwrap_err();
        assert_eq!(counts.lock().unwrap().releases, 0, "the reader has not met it");
        drop(reader);
        let again = writer.send(Message::text("nor this")).await;
        assert!(matches!(again, Err(Error::Transport(_))), "{again:?}");
        assert_eq!(counts.lock().unwrap().releases, 1);
        assert!(!writer.outcome().unwrap().clean);
    });
}

#[test]
fn a_reader_that_is_left_alone_receives_what_came_before_a_failure() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let mut client = client(&sim, left);
    let (mut reader, mut writer) = server(&sim, right).split();
    sim.block_on(async {
        for number in 0..3 {
            client.send(Message::text(format!("{number}"))).await.unwrap();
        }
        drop(client);
        writer.send(Message::text("nobody is there")).await.unwrap_err();
        drop(writer);
        for number in 0..3 {
            assert_eq!(reader.next().await.unwrap().unwrap(), Message::text(format!("{number}")));
        }
        assert!(reader.next().await.unwrap().is_err());
    });
}
