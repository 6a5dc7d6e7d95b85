//! One connection, two tasks that share it as a stream and a sink: what `StreamExt::split` of
//! `futures` makes of it, and every library that takes any `Stream + Sink`.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_core::Stream as _;
use futures_sink::Sink as _;
use ws_frame::Message;
use ws_io::{Error, Runtime as _, duplex};

use crate::support::{Sim, Socket, client, server};

/// A lock for the length of a poll. That of `futures` waits for the other task, which here is never
/// in the middle of one.
#[derive(Clone)]
struct Shared(Arc<Mutex<Socket>>);

impl Shared {
    fn new(websocket: Socket) -> Self {
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
