//! One connection, two tasks that share it as a stream and a sink: what `StreamExt::split` of
//! `futures` makes of it, and every library that takes any `Stream + Sink`.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use bytes::BytesMut;
use futures_core::Stream as _;
use futures_sink::Sink as _;
use ws_frame::Message;
use ws_io::{Config, Duplex, Error, Runtime as _, Transport, duplex};

use crate::support::{
    Hostile, Plan, Sim, Socket, client, give_up_after, send_large_and_take_slowly, server,
    server_with,
};

/// A lock for the length of a poll. That of `futures` waits for the other task, which here is never
/// in the middle of one.
struct Shared<T: Transport = Duplex>(Arc<Mutex<Socket<T>>>);

impl<T: Transport> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Transport> Shared<T> {
    fn new(websocket: Socket<T>) -> Self {
        Self(Arc::new(Mutex::new(websocket)))
    }

    async fn next(&self) -> Option<Result<Message, Error>> {
        poll_fn(|cx| Pin::new(&mut *self.0.lock().unwrap()).poll_next(cx)).await
    }

    async fn send(&self, message: Message) -> Result<(), Error> {
        poll_fn(|cx| Pin::new(&mut *self.0.lock().unwrap()).poll_ready(cx)).await?;
        Pin::new(&mut *self.0.lock().unwrap()).start_send(message)?;
        poll_fn(|cx| Pin::new(&mut *self.0.lock().unwrap()).poll_flush(cx)).await
    }
}

#[test]
fn a_sink_that_waits_is_woken_although_the_stream_waited_after_it() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let client = Shared::new(client(&sim, left));
    let mut server = server(&sim, right);
    let sink = client.clone();
    sim.spawn(async move {
        sink.send(Message::binary(vec![1; 500_000])).await.unwrap();
        sink.send(Message::text("sent")).await.unwrap();
    });
    sim.spawn(async move { while client.next().await.is_some() {} });
    sim.block_on(async {
        // Both wait by now, the sink for a peer that does not read; the stream, woken, waits last.
        sim.sleep(Duration::from_secs(1)).await;
        server.send(Message::text("news")).await.unwrap();
        sim.sleep(Duration::from_secs(1)).await;
        assert_eq!(server.next().await.unwrap().unwrap().payload().len(), 500_000);
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text("sent"));
    });
    assert!(sim.elapsed() < Duration::from_secs(3), "no deadline was needed: {:?}", sim.elapsed());
}

#[test]
fn a_stream_that_waits_is_woken_although_the_sink_waited_after_it() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let client = Shared::new(client(&sim, left));
    let mut server = server(&sim, right);
    let stream = client.clone();
    let received = sim.spawn_collect(async move {
        let first = stream.next().await.unwrap().unwrap();
        assert_eq!(first, Message::text("news"));
    });
    sim.spawn(async move {
        client.send(Message::binary(vec![1; 500_000])).await.unwrap();
    });
    sim.block_on(async {
        sim.sleep(Duration::from_secs(1)).await;
        server.send(Message::text("news")).await.unwrap();
        sim.sleep(Duration::from_millis(1)).await;
        assert!(!received.is_empty(), "nobody was woken");
    });
}

#[test]
fn the_deadlines_of_the_stream_hold_after_the_sink_has_waited() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let client = Shared::new(client(&sim, left));
    let mut server = server(&sim, right);
    let stream = client.clone();
    let ended = sim.spawn_collect(async move {
        let end = stream.next().await.unwrap();
        assert!(matches!(end, Err(Error::Idle)), "{end:?}");
    });
    sim.block_on(async {
        sim.sleep(Duration::from_secs(1)).await;
        let sink = sim.spawn_collect(async move {
            client.send(Message::binary(vec![1; 5000])).await.unwrap();
        });
        sim.sleep(Duration::from_secs(1)).await;
        assert_eq!(server.next().await.unwrap().unwrap().payload().len(), 5000);
        sink.output().await;
        // From now on the server is silent, pings or not.
        sim.sleep(Duration::from_secs(120)).await;
        assert!(!ended.is_empty(), "nobody has been told");
    });
}

#[test]
fn who_sends_beside_them_is_told_when_it_has_left() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let mut client = client(&sim, left);
    let sender = client.sender(1);
    let client = Shared::new(client);
    let mut server = server(&sim, right);
    let sink = client.clone();
    sim.spawn(async move { while sink.send(Message::binary(vec![1; 500_000])).await.is_ok() {} });
    sim.spawn(async move { while client.next().await.is_some() {} });
    let told = sim.spawn_collect(async move {
        sender.send_acknowledged(Message::text("from beside")).await.unwrap();
    });
    sim.block_on(async {
        sim.sleep(Duration::from_secs(1)).await;
        while server.next().await.unwrap().unwrap() != Message::text("from beside") {}
        sim.sleep(Duration::from_secs(1)).await;
        assert!(!told.is_empty(), "it still waits");
    });
}

#[test]
fn the_stream_that_waits_keeps_the_deadline_of_a_goodbye_of_the_sink() {
    let sim = Sim::new();
    let (left, _right) = duplex(1000);
    let client = Shared::new(client(&sim, left));
    let stream = client.clone();
    let ended = sim.spawn_collect(async move { assert!(stream.next().await.is_none()) });
    sim.block_on(async {
        sim.sleep(Duration::from_secs(1)).await;
        poll_fn(|cx| Pin::new(&mut *client.0.lock().unwrap()).poll_close(cx)).await.unwrap();
        // The peer does not answer. That is waited for for 5 s.
        sim.sleep(Duration::from_secs(6)).await;
        assert!(!ended.is_empty(), "it still waits");
    });
}

#[test]
fn a_stream_that_has_moved_to_another_task_is_woken_there() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let client = Shared::new(client(&sim, left));
    let mut server = server(&sim, right);
    let (sink, stream) = (client.clone(), client.clone());
    sim.block_on(async {
        assert!(give_up_after(1, client.next()).await.is_none());
        sim.spawn(async move { drop(sink.send(Message::binary(vec![1; 5000])).await) });
        sim.sleep(Duration::from_secs(1)).await;
        let heard = sim.spawn_collect(async move {
            let news = stream.next().await.unwrap().unwrap();
            (news, stream.next().await.unwrap().unwrap_err())
        });
        sim.sleep(Duration::from_secs(1)).await;
        server.send(Message::text("news")).await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap().payload().len(), 5000);
        // The sink waits last, and then the server is silent.
        let sink = client.clone();
        sim.spawn(async move { drop(sink.send(Message::binary(vec![1; 5000])).await) });
        sim.sleep(Duration::from_secs(1)).await;
        assert_eq!(server.next().await.unwrap().unwrap().payload().len(), 5000);
        sim.sleep(Duration::from_secs(120)).await;
        let (news, end) = heard.take().expect("nobody has been told");
        assert!(news == Message::text("news") && matches!(end, Error::Idle), "{news:?}, {end:?}");
    });
}

#[test]
fn a_sink_that_has_moved_to_another_task_is_woken_there() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let client = Shared::new(client(&sim, left));
    let mut server = server(&sim, right);
    let (sink, stream) = (client.clone(), client.clone());
    sim.spawn(async move { while stream.next().await.is_some() {} });
    sim.block_on(async {
        sim.sleep(Duration::from_secs(1)).await;
        assert!(give_up_after(1, client.send(Message::binary(vec![1; 5000]))).await.is_none());
        let sent = sim.spawn_collect(async move { sink.send(Message::text("sent")).await });
        sim.sleep(Duration::from_secs(1)).await;
        while server.next().await.unwrap().unwrap() != Message::text("sent") {}
        sim.sleep(Duration::from_secs(1)).await;
        assert!(matches!(sent.take(), Some(Ok(()))), "it still waits");
    });
}

#[test]
fn one_task_that_sends_blames_nobody_for_what_it_does_not_receive() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let config = Config::default().with_message_timeout(Duration::from_secs(10));
    let server = Shared::new(server_with(&sim, right, config.into()));
    send_large_and_take_slowly(client(&sim, left), &sim);
    let received = sim.block_on(async {
        sim.sleep(Duration::from_millis(1)).await;
        assert!(give_up_after(1, server.next()).await.is_none(), "a part of the message");
        server.send(Message::binary(vec![0; 10_000])).await.unwrap();
        server.next().await
    });
    assert!(sim.elapsed() > Duration::from_secs(15));
    assert_eq!(received.unwrap().unwrap(), Message::binary(vec![7; 5000]));
}

#[test]
fn a_silent_peer_is_noticed_by_the_stream_while_the_sink_waits_for_it() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(1000);
    let server = Shared::new(server(&sim, right));
    let clock = sim.clone();
    sim.spawn(async move {
        let mut taken = BytesMut::new();
        loop {
            clock.sleep(Duration::from_secs(5)).await;
            poll_fn(|cx| raw.poll_read(cx, &mut taken, 1000)).await.unwrap();
        }
    });
    let sink = server.clone();
    sim.spawn(async move { while sink.send(Message::binary(vec![0; 5000])).await.is_ok() {} });
    let error = sim.block_on(async { server.next().await.unwrap().unwrap_err() });
    assert!(matches!(error, Error::Idle), "{error:?}");
    let (least, most) = (Duration::from_secs(60), Duration::from_secs(100));
    assert!((least..most).contains(&sim.elapsed()), "{:?}", sim.elapsed());
}

#[test]
fn a_sink_that_is_done_is_not_woken_for_the_stream() {
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let (mut client, mut server) = (client(&sim, left), server(&sim, right));
    let mut client = Pin::new(&mut client);
    let task = Arc::new(Task(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&task));
    let mut sink = Context::from_waker(&waker);
    let mut stream = Context::from_waker(Waker::noop());
    assert!(client.as_mut().poll_next(&mut stream).is_pending());
    client.as_mut().start_send(Message::binary(vec![1; 1500])).unwrap();
    assert!(client.as_mut().poll_flush(&mut sink).is_pending());
    sim.block_on(async { assert!(give_up_after(1, server.next()).await.is_none()) });
    assert!(client.as_mut().poll_flush(&mut sink).is_ready());
    assert!(client.as_mut().poll_next(&mut stream).is_pending());
    let before = task.0.load(Ordering::SeqCst);
    sim.block_on(server.send(Message::text("news"))).unwrap();
    assert_eq!(task.0.load(Ordering::SeqCst), before, "it was woken for nothing");
    assert!(client.as_mut().poll_next(&mut stream).is_ready());
}

#[test]
fn a_sink_that_waits_is_woken_by_the_stream_that_meets_the_end() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let stuck = Hostile::new(right, Plan { stuck: true, ..Plan::default() });
    let server = Shared::new(server(&sim, stuck));
    let stream = server.clone();
    sim.spawn(async move { while stream.next().await.is_some() {} });
    let clock = sim.clone();
    sim.spawn(async move {
        clock.sleep(Duration::from_secs(1)).await;
        drop(left);
    });
    // It is polled before the stream, and finds nothing.
    sim.block_on(server.send(Message::text("never leaves"))).unwrap_err();
    assert_eq!(sim.elapsed().as_secs(), 1);
}

#[test]
fn what_two_tasks_have_shared_is_as_before_when_one_has_it_again() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let (mut client, mut server) = (client(&sim, left), server(&sim, right));
    let sender = client.sender(1);
    let shared = Shared::new(client);
    let stream = shared.clone();
    sim.spawn(async move { drop(give_up_after(2, stream.next()).await) });
    sim.block_on(async {
        sim.sleep(Duration::from_secs(1)).await;
        assert!(give_up_after(1, shared.send(Message::binary(vec![1; 1500]))).await.is_none());
        sim.spawn(async move { while server.next().await.is_some() {} });
        sim.sleep(Duration::from_secs(1)).await;
        let mut client =
            Arc::into_inner(shared.0).expect("the stream was given up").into_inner().unwrap();
        let told = sim.spawn_collect(async move {
            sender.send_acknowledged(Message::text("from beside")).await.unwrap();
        });
        sim.spawn(async move { while client.next().await.is_some() {} });
        sim.sleep(Duration::from_secs(1)).await;
        assert!(!told.is_empty(), "it still waits");
    });
}
