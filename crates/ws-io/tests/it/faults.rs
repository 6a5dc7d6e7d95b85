//! Transports that fail, end or get stuck: what is told of it, in which order, and how soon.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use ws_close::CloseCode;
use ws_frame::Message;
use ws_io::{Error, Runtime as _, Transport, duplex};
use ws_session::{Cause, Config, TransportError};

use crate::support::{Hostile, Plan, Sim, echo, frame, pair, server, server_with};

#[test]
fn messages_that_arrived_before_the_failure_are_delivered_first() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(1000);
    let mut server = server(&sim, right);
    sim.block_on(async {
        let mut bytes = frame(0x81, b"one");
        bytes.extend_from_slice(&frame(0x81, b"two"));
        std::future::poll_fn(|cx| raw.poll_write(cx, &mut bytes)).await.unwrap();
        drop(raw);
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text("one"));
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text("two"));
        let error = server.next().await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Transport(TransportError::Closed)), "{error:?}");
        assert!(server.next().await.is_none());
    });
    assert_eq!(server.outcome().unwrap().code, CloseCode::ABNORMAL);
}

#[test]
fn a_write_that_failed_is_known_to_the_session_that_is_taken_apart() {
    let sim = Sim::new();
    let (_raw, right) = duplex(1000);
    let gone = Hostile::new(right, Plan { fail_at: Some(0), ..Plan::default() });
    let mut server = server(&sim, gone);
    sim.block_on(async {
        server.send(Message::text("lost")).await.unwrap_err();
        server.feed(Message::text("lost as well")).await.unwrap_err();
    });
    let mut session = server.into_parts().session;
    while session.poll_event().is_some() {}
    let outcome = session.outcome().unwrap();
    assert!(matches!(outcome.cause, Cause::Transport(_)), "{outcome:?}");
}

#[test]
fn a_transport_that_takes_no_more_has_failed() {
    let sim = Sim::new();
    let (_raw, right) = duplex(1000);
    let full = Hostile::new(right, Plan { write: 0, ..Plan::default() });
    let mut server = server(&sim, full);
    let error = sim.block_on(server.send(Message::text("lost"))).unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error:?}");
}

// RFC: WS-7.1.7-01
#[test]
fn the_goodbye_to_a_violation_is_written_before_the_violation_is_told() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(1000);
    let mut server = server(&sim, right);
    let goodbye = sim.spawn_collect(async move {
        let mut bytes = frame(0x81, b"fine");
        bytes.extend_from_slice(&frame(0x83, b"no such opcode"));
        std::future::poll_fn(|cx| raw.poll_write(cx, &mut bytes)).await.unwrap();
        let mut answer = bytes::BytesMut::new();
        while std::future::poll_fn(|cx| raw.poll_read(cx, &mut answer, 100)).await.unwrap() > 0 {}
        std::future::poll_fn(|cx| raw.poll_shutdown(cx)).await.unwrap();
        answer
    });
    let goodbye = sim.block_on(async {
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text("fine"));
        let error = server.next().await.unwrap().unwrap_err();
        assert_eq!(error.reason(), "protocol_error");
        assert!(server.next().await.is_none());
        goodbye.output().await
    });
    assert_eq!((goodbye[0], &goodbye[2..4]), (0x88, &1002_u16.to_be_bytes()[..]));
}

// RFC: WS-5.5.2-03
#[test]
fn ten_pings_at_once_are_answered_by_ten_pongs_in_order() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    sim.block_on(async {
        for n in 0..10_u8 {
            client.feed(Message::Ping(vec![n].into())).await.unwrap();
        }
        for n in 0..10_u8 {
            assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong(vec![n].into()));
        }
    });
}

// THREAT: write-stall
#[test]
fn a_peer_that_never_reads_is_cut_by_a_deadline() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let plan = Plan { stuck: true, ..Plan::default() };
    let mut server = server(&sim, Hostile::new(right, plan));
    let error = sim.block_on(async {
        loop {
            if let Err(error) = server.feed(Message::binary(vec![0; 50_000])).await {
                break error;
            }
        }
    });
    assert!(!error.reason().is_empty());
    assert!(sim.elapsed() <= Duration::from_secs(120), "{:?}", sim.elapsed());
    drop(left);
}

/// A peer that sends pings without end and reads nothing; each read of ours takes a while.
#[derive(Debug)]
struct Flood(Sim);

impl Transport for Flood {
    fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        buf: &mut BytesMut,
        _: usize,
    ) -> Poll<io::Result<usize>> {
        self.0.advance(Duration::from_millis(10));
        let ping = frame(0x89, b"");
        buf.extend_from_slice(&ping);
        Poll::Ready(Ok(ping.len()))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, _: &mut dyn Buf) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn name(&self) -> &'static str {
        "flood"
    }
}

// THREAT: write-stall, unread-pongs
#[test]
fn a_peer_that_never_pauses_does_not_outrun_the_write_timeout() {
    let sim = Sim::new();
    let mut server = server(&sim, Flood(sim.clone()));
    let error = sim.block_on(async {
        loop {
            if let Err(error) = server.next().await.expect("it has an end") {
                break error;
            }
        }
    });
    assert!(matches!(error, Error::WriteStalled), "{error:?}");
    let took = sim.elapsed();
    assert!(took >= Duration::from_secs(30) && took < Duration::from_secs(33), "{took:?}");
}

// THREAT: write-stall
#[test]
fn a_transport_that_keeps_what_it_takes_is_cut_by_the_write_timeout() {
    let sim = Sim::new();
    let (left, right) = duplex(1 << 20);
    let plan = Plan { stuck_flush: true, ..Plan::default() };
    let mut config = Config::default();
    config.write_timeout = config.keep_alive - Duration::from_secs(10);
    let mut server = server_with(&sim, Hostile::new(right, plan), config.into());
    let error = sim.block_on(server.send(Message::binary(vec![0; 50_000]))).unwrap_err();
    assert!(matches!(error, Error::WriteStalled), "{error:?}");
    sim.block_on(server.flush()).expect_err("it has ended");
    assert_eq!(sim.elapsed(), Duration::from_secs(20));
    drop(left);
}

#[test]
fn a_transport_that_takes_our_ping_and_keeps_it_is_cut_by_the_write_timeout_all_the_same() {
    let sim = Sim::new();
    let (left, right) = duplex(1 << 20);
    let plan = Plan { stuck_flush: true, ..Plan::default() };
    let mut server = server_with(&sim, Hostile::new(right, plan), Config::default().into());
    let error = sim.block_on(async {
        server.feed(Message::binary(vec![0; 50_000])).await.unwrap();
        server.next().await.expect("it has an end").unwrap_err()
    });
    assert!(matches!(error, Error::WriteStalled), "{error:?}");
    assert_eq!(sim.elapsed(), Duration::from_secs(30));
    drop(left);
}

#[test]
fn a_write_that_fails_ends_who_waits_to_receive_though_reading_does_not() {
    let sim = Sim::new();
    let (_silent, right) = duplex(1000);
    let mut server = server(&sim, Hostile::new(right, Plan { write: 0, ..Plan::default() }));
    sim.block_on(async {
        server.feed(Message::text("lost")).await.unwrap();
        let end = server.next().await;
        assert!(matches!(end, Some(Err(Error::Transport(_)))), "{end:?}");
    });
    assert_eq!(sim.elapsed(), Duration::ZERO);
}
