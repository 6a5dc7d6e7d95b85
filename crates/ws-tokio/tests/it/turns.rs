//! Tasks that have used up what tokio lets them do in one turn.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf,
};
use tokio::task::{consume_budget, yield_now};
use tokio::time::advance;
use ws_io::{Transport as _, UpgradeInfo, WebSocket};
use ws_session::{Config, Session};
use ws_tokio::{Io, Message, Tokio};

use crate::support::use_up_the_turn;

fn server_of(stream: DuplexStream) -> WebSocket<Io<DuplexStream>, Tokio> {
    let session = Session::server(Config::default());
    WebSocket::from_parts(Io::new(stream), Tokio, session, UpgradeInfo::new("/"))
}

/// A text message "hi" of a client, whose mask changes nothing.
const HI: &[u8] = b"\x81\x82\0\0\0\0hi";

#[tokio::test(start_paused = true)]
async fn a_peer_is_not_blamed_for_what_has_come_before_its_deadline() {
    let (mut raw, right) = tokio::io::duplex(1000);
    let mut server = server_of(right);
    let mut next = pin!(server.next());
    let (begun, rest) = HI.split_at(7);
    raw.write_all(begun).await.expect("there is room");
    let is_pending = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending())).await;
    assert!(is_pending, "the message is not complete");
    raw.write_all(rest).await.expect("there is room");
    // The task is kept from it by something else, which uses up its turn, too.
    advance(Duration::from_secs(600)).await;
    let mut polls = 0;
    let message = poll_fn(|cx| {
        polls += 1;
        if polls == 1 {
            use_up_the_turn(cx);
        }
        next.as_mut().poll(cx)
    });
    let message = message.await.expect("a message").expect("no failure");
    assert!(message == Message::text("hi"));
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_heard_by_a_task_that_always_has_used_up_its_turn() {
    let (mut raw, right) = tokio::io::duplex(1000);
    let mut server = server_of(right);
    raw.write_all(HI).await.expect("there is room");
    let mut next = pin!(server.next());
    let mut polls = 0;
    let message = poll_fn(|cx| {
        polls += 1;
        assert!(polls < 100, "it is never read");
        use_up_the_turn(cx);
        next.as_mut().poll(cx)
    });
    let message = message.await.expect("a message").expect("no failure");
    assert!(message == Message::text("hi"));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_again_what_is_sent_is_not_blamed_by_a_task_that_comes_late() {
    let (mut raw, right) = tokio::io::duplex(1000);
    let mut server = server_of(right);
    let mut send = pin!(server.send(Message::text("a".repeat(1500))));
    let is_pending = poll_fn(|cx| Poll::Ready(send.as_mut().poll(cx).is_pending())).await;
    assert!(is_pending, "there is no room for all of it");
    raw.read_exact(&mut [0; 1000]).await.expect("what was written");
    advance(Duration::from_secs(600)).await;
    let mut polls = 0;
    let sent = poll_fn(|cx| {
        polls += 1;
        if polls == 1 {
            use_up_the_turn(cx);
        }
        send.as_mut().poll(cx)
    });
    sent.await.expect("the peer has made room");
}

/// What never has to wait.
struct Endless;

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(pin!(consume_budget()).poll(cx));
        buf.put_slice(b"a");
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(pin!(consume_budget()).poll(cx));
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn what_never_has_to_wait_lets_other_tasks_run() {
    let mut io = Io::new(Endless);
    for _ in 0..3 {
        let turn = poll_fn(|cx| {
            let mut buf = BytesMut::new();
            let mut count = 0;
            while count < 10_000 && io.poll_read(cx, &mut buf, 1).is_ready() {
                count += 1;
            }
            Poll::Ready(count)
        });
        let count = turn.await;
        assert!(count < 1000, "{count} reads");
        yield_now().await;
        let turn = poll_fn(|cx| {
            let mut count = 0;
            while count < 10_000 && io.poll_write(cx, &mut &b"a"[..]).is_ready() {
                count += 1;
            }
            Poll::Ready(count)
        });
        let count = turn.await;
        assert!(count < 1000, "{count} writes");
        yield_now().await;
    }
}
