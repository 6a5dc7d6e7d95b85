//! A WebSocket as a stream of bytes.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_io::{AsyncBufRead as _, AsyncRead as _, AsyncWrite as _};
use ws_close::CloseCode;
use ws_frame::{DataKind, Message};
use ws_io::{ByteStream, Duplex, Error, Runtime as _, Transport, TransportError, duplex};

use crate::support::{Hostile, Plan, Sim, client, give_up_after, pair, server};

/// A stream behind a lock that is held for a poll, as two tasks share it.
struct Shared<T: Transport = Duplex>(Arc<Mutex<ByteStream<T, Sim>>>);

impl<T: Transport> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Transport> Shared<T> {
    fn new(stream: ByteStream<T, Sim>) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    async fn read(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut buf = vec![0; most];
        let read = poll_fn(|cx| Pin::new(&mut *self.0.lock().unwrap()).poll_read(cx, &mut buf));
        let count = read.await?;
        buf.truncate(count);
        Ok(buf)
    }

    async fn fill(&self) -> io::Result<Vec<u8>> {
        poll_fn(|cx| {
            Pin::new(&mut *self.0.lock().unwrap()).poll_fill_buf(cx).map_ok(<[u8]>::to_vec)
        })
        .await
    }

    async fn read_to_end(&self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let some = self.read(1000).await?;
            if some.is_empty() {
                return Ok(all);
            }
            all.extend(some);
        }
    }

    async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| Pin::new(&mut *self.0.lock().unwrap()).poll_write(cx, bytes)).await
    }

    async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = self.write(bytes).await?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    async fn flush(&self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self.0.lock().unwrap()).poll_flush(cx)).await
    }

    async fn close(&self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self.0.lock().unwrap()).poll_close(cx)).await
    }
}

fn noise(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

#[test]
fn what_is_written_is_read_however_it_is_cut() {
    for pending_every in [None, Some(2), Some(3)] {
        let plan = Plan { read: 700, write: 500, pending_every, ..Plan::default() };
        let sim = Sim::new();
        let (left, right) = duplex(1000);
        let near = client(&sim, Hostile::new(left, plan.clone())).into_byte_stream();
        let far = server(&sim, Hostile::new(right, plan)).into_byte_stream();
        let (near, far) = (Shared::new(near), Shared::new(far));
        let echo = far.clone();
        sim.spawn(async move {
            loop {
                let some = far.read(777).await.unwrap();
                if some.is_empty() {
                    return;
                }
                echo.write_all(&some).await.unwrap();
            }
        });
        let (sent, writer) = (noise(300_000), near.clone());
        let sending = sent.clone();
        sim.spawn(async move {
            let mut rest = &sending[..];
            for len in (1..).map(|n| n * 37 % 5000) {
                let (piece, after) = rest.split_at(len.min(rest.len()));
                writer.write_all(piece).await.unwrap();
                rest = after;
                if rest.is_empty() {
                    return writer.flush().await.unwrap();
                }
            }
        });
        let received = sim.block_on(async {
            let mut received = Vec::new();
            while received.len() < sent.len() {
                received.extend(near.read(901).await.unwrap());
            }
            near.close().await.unwrap();
            assert!(near.read(1).await.unwrap().is_empty());
            received
        });
        assert!(received == sent, "other bytes, pending every {pending_every:?}");
        assert!(near.0.lock().unwrap().get_ref().outcome().unwrap().clean);
    }
}

#[test]
fn what_is_written_is_binary_and_leaves_when_something_is_read() {
    let sim = Sim::new();
    let (near, mut far) = pair(&sim);
    let near = Shared::new(near.into_byte_stream());
    sim.block_on(async {
        assert_eq!(near.write(b"").await.unwrap(), 0);
        assert!(near.read(0).await.unwrap().is_empty(), "nothing is asked for, nor waited for");
        assert_eq!(near.write(b"small").await.unwrap(), 5);
        assert_eq!(near.write(&noise(100_000)).await.unwrap(), 64 * 1024);
        sim.spawn(async move { assert!(near.read(1).await.unwrap().is_empty()) });
        assert_eq!(far.next().await.unwrap().unwrap(), Message::binary("small"));
        assert_eq!(far.next().await.unwrap().unwrap(), Message::binary(noise(64 * 1024)));
        assert!(far.close(CloseCode::NORMAL, "").await.unwrap().clean);
    });
}

#[test]
fn messages_pieces_and_pings_of_the_peer_are_one_stream() {
    let sim = Sim::new();
    let (near, mut far) = pair(&sim);
    let near = Shared::new(near.into_byte_stream());
    sim.block_on(async {
        far.feed(Message::binary("one")).await.unwrap();
        far.feed(Message::binary("")).await.unwrap();
        far.feed(Message::Ping("p".into())).await.unwrap();
        far.feed_fragment(DataKind::Binary, "tw".into(), false).await.unwrap();
        far.feed_fragment(DataKind::Binary, "o".into(), true).await.unwrap();
        far.flush().await.unwrap();
        assert_eq!(near.read(2).await.unwrap(), b"on");
        assert_eq!(near.fill().await.unwrap(), b"e");
        Pin::new(&mut *near.0.lock().unwrap()).consume(1);
        assert_eq!(near.fill().await.unwrap(), b"tw");
    });
    let stream = Arc::into_inner(near.0).unwrap().into_inner().unwrap();
    assert_eq!(stream.into_inner().1, "tw");
}

#[test]
fn only_a_goodbye_without_complaint_is_the_end_of_the_bytes() {
    for (code, kind) in [
        (Some(1000), None),
        (None, None),
        (Some(1001), Some(ErrorKind::ConnectionAborted)),
        (Some(1011), Some(ErrorKind::ConnectionAborted)),
        (Some(4000), Some(ErrorKind::ConnectionAborted)),
    ] {
        let sim = Sim::new();
        let (near, mut far) = pair(&sim);
        let near = Shared::new(near.into_byte_stream());
        let end = sim.block_on(async {
            far.feed(Message::binary("all there is")).await.unwrap();
            let goodbye = code.map(|code| Message::close(CloseCode::new(code), "so long"));
            far.send(goodbye.unwrap_or(Message::Close(None))).await.unwrap();
            assert_eq!(near.read(100).await.unwrap(), b"all there is");
            near.read(100).await
        });
        match kind {
            None => assert_eq!(end.unwrap(), b"", "{code:?}"),
            Some(kind) => {
                let error = end.unwrap_err();
                assert_eq!(error.kind(), kind, "{code:?}");
                assert!(error.to_string().contains("so long"), "{error}");
            }
        }
    }
}

#[test]
fn a_peer_that_vanishes_is_no_end_of_the_bytes() {
    let sim = Sim::new();
    let (near, far) = pair(&sim);
    let near = Shared::new(near.into_byte_stream());
    drop(far);
    let end = sim.block_on(near.read_to_end());
    assert_eq!(end.unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn what_is_written_leaves_while_another_task_waits_to_read() {
    let sim = Sim::new();
    let (near, mut far) = pair(&sim);
    let near = Shared::new(near.into_byte_stream());
    let reader = near.clone();
    sim.spawn(async move {
        let _answer = reader.read(1).await;
    });
    let heard = sim.spawn_collect(async move { far.next().await.unwrap().unwrap() });
    sim.block_on(async {
        sim.sleep(Duration::from_millis(1)).await;
        near.write(b"not flushed").await.unwrap();
        sim.sleep(Duration::from_millis(1)).await;
    });
    assert_eq!(heard.take(), Some(Message::binary("not flushed")));
}

#[test]
fn after_a_failure_no_read_tells_of_an_end() {
    let sim = Sim::new();
    let (near, mut far) = pair(&sim);
    let near = Shared::new(near.into_byte_stream());
    let later = sim.clone();
    sim.spawn(async move {
        // Silent until the other side has given up on it.
        later.sleep(Duration::from_secs(61)).await;
        far.send(Message::close(CloseCode::NORMAL, "")).await.unwrap();
        while far.next().await.is_some() {}
    });
    sim.block_on(async {
        for _ in 0..2 {
            assert_eq!(near.read(1).await.unwrap_err().kind(), ErrorKind::TimedOut);
        }
    });
    let near = near.0.lock().unwrap();
    assert_eq!(near.get_ref().outcome().unwrap().code, CloseCode::NORMAL);
}

#[test]
fn a_text_message_is_refused_and_the_peer_told_so() {
    let sim = Sim::new();
    let (near, mut far) = pair(&sim);
    let near = Shared::new(near.into_byte_stream());
    sim.spawn(async move {
        far.feed(Message::binary("bytes")).await.unwrap();
        far.feed(Message::text("words")).await.unwrap();
        far.send(Message::binary("never read")).await.unwrap();
        let last = far.next().await.unwrap().unwrap();
        assert!(matches!(last, Message::Close(Some(frame)) if frame.code.get() == 1003));
        assert!(far.next().await.is_none());
    });
    sim.block_on(async {
        assert_eq!(near.read(100).await.unwrap(), b"bytes");
        for _ in 0..2 {
            assert_eq!(near.read(100).await.unwrap_err().kind(), ErrorKind::InvalidData);
        }
        assert_eq!(near.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
    assert!(near.0.lock().unwrap().get_ref().outcome().unwrap().clean);
    assert!(sim.elapsed() < Duration::from_secs(1), "no deadline was needed");
}

#[test]
fn a_writer_waits_while_the_peer_reads_nothing_and_what_is_queued_is_bounded() {
    let sim = Sim::new();
    let (left, _far) = duplex(1000);
    let near = Shared::new(client(&sim, left).into_byte_stream());
    for piece in [100, 50_000] {
        let (piece, mut written) = (vec![0; piece], 0);
        sim.block_on(async {
            while let Some(count) = give_up_after(1, near.write(&piece)).await {
                written += count.unwrap();
                assert!(written < 400_000, "it takes all there is");
            }
        });
    }
}

#[test]
fn errors_of_a_connection_have_kinds() {
    let denied = io::Error::from(ErrorKind::PermissionDenied);
    for (error, kind) in [
        (Error::Transport(TransportError::Closed), ErrorKind::UnexpectedEof),
        (Error::Transport(denied.into()), ErrorKind::PermissionDenied),
        (Error::Transport(TransportError::Timeout), ErrorKind::TimedOut),
        (Error::WriteStalled, ErrorKind::TimedOut),
        (Error::HandlerFailed, ErrorKind::Other),
    ] {
        let text = error.to_string();
        let error = io::Error::from(error);
        assert_eq!((error.kind(), error.to_string()), (kind, text));
    }
}
