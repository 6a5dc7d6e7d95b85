//! Bodies of requests: how long they are, and how long they were said to be.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use bytes::Bytes;
use ws_h3::{HttpRequest, Request, Server};

use crate::support::raw::{Answer, RawPeer, Section, answer, frame};
use crate::support::{Host, Setup, soon};

async fn raw(host: &Host) -> (RawPeer, Server) {
    let (quic, server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    (RawPeer::new(quic, &[]).await, server)
}

async fn next(server: &mut Server) -> HttpRequest {
    let Some(Request::Http(request)) = soon(server.next()).await else { panic!() };
    request
}

/// The header section of a request with these lines of `content-length`.
fn announcing(lines: &[&str]) -> Bytes {
    let section = Section::request("POST");
    lines.iter().fold(section, |all, line| all.line("content-length", line)).frame()
}

#[tokio::test]
async fn a_body_that_was_read_is_not_too_short_when_it_is_asked_for_again() {
    let host = Host::new(Setup::default());
    let (peer, mut server) = raw(&host).await;
    let body = frame(0, b"some body");
    let (mut send, mut recv) = peer.open(&[&announcing(&["9"])[..], &body].concat()).await;
    send.finish().unwrap();
    let mut request = next(&mut server).await;
    assert_eq!(soon(request.body(100)).await.unwrap(), "some body");
    assert_eq!(soon(request.body(100)).await.unwrap(), "", "there is no more");
    soon(request.respond(http::Response::default())).await.unwrap();
    assert_eq!(soon(answer(&mut recv)).await, Answer::Status("200".into()));
}

#[tokio::test]
async fn a_body_whose_reader_was_stopped_is_as_long_as_what_came_in_all() {
    let host = Host::new(Setup::default());
    let (peer, mut server) = raw(&host).await;
    let (mut send, _recv) = peer.open(&announcing(&["9"])).await;
    let mut request = next(&mut server).await;
    let before = server.handle().connection().stats().frame_rx.stream;
    send.write_all(&frame(0, b"some ")).await.unwrap();
    soon(async {
        while server.handle().connection().stats().frame_rx.stream == before {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(request.body(100)).poll(&mut cx).is_pending(), "it has not ended");
    send.write_all(&frame(0, b"body")).await.unwrap();
    send.finish().unwrap();
    assert_eq!(soon(request.body(100)).await.unwrap(), "body", "the rest");
}

#[tokio::test]
async fn a_body_larger_than_was_asked_for_may_be_read_on() {
    let host = Host::new(Setup::default());
    let (peer, mut server) = raw(&host).await;
    let body = [frame(0, b"some "), frame(0, b"body")].concat();
    let (mut send, _recv) = peer.open(&[&announcing(&["9"])[..], &body].concat()).await;
    send.finish().unwrap();
    let mut request = next(&mut server).await;
    assert_eq!(soon(request.body(4)).await.unwrap_err().reason(), "request_too_big");
    assert!(b"some body".ends_with(&soon(request.body(100)).await.unwrap()));
}

// RFC: H3-4.1.2-01
#[tokio::test]
async fn a_length_is_announced_in_digits_and_but_once() {
    let host = Host::new(Setup::default());
    let (peer, mut server) = raw(&host).await;
    let body = frame(0, b"some body");
    let cases: [(&[&str], bool); 10] = [
        (&["9"], true),
        (&["009"], true),
        (&["9", "9"], true),
        (&["+9"], false),
        (&["-9"], false),
        (&[""], false),
        (&["9", "10"], false),
        (&["10", "9"], false),
        (&["9, 10"], false),
        (&["18446744073709551625"], false),
    ];
    for (lines, is_taken) in cases {
        let (mut send, mut recv) = peer.open(&[&announcing(lines)[..], &body].concat()).await;
        send.finish().unwrap();
        let mut request = next(&mut server).await;
        let found = soon(request.body(100)).await;
        if is_taken {
            assert_eq!(found.unwrap(), "some body", "{lines:?}");
            continue;
        }
        let error = found.expect_err(&format!("{lines:?}"));
        assert_eq!(error.reason(), "malformed_message", "{lines:?}");
        assert_eq!(soon(answer(&mut recv)).await, Answer::Reset(0x10e), "{lines:?}");
    }
}

#[tokio::test]
async fn a_malformed_body_counts_once_whatever_is_done_with_its_request() {
    let host = Host::new(Setup::default());
    let (peer, mut server) = raw(&host).await;
    // Less than is forgiven, twice that is more.
    for _ in 0..900 {
        let (mut send, _recv) = peer.open(&announcing(&["1"])).await;
        send.finish().unwrap();
        let mut request = next(&mut server).await;
        for _ in 0..2 {
            let error = soon(request.body(100)).await.unwrap_err();
            assert_eq!(error.reason(), "malformed_message");
        }
        soon(request.respond(http::Response::default())).await.unwrap_err();
    }
    let reason = server.handle().close_reason();
    assert!(reason.is_none(), "{reason:?}");
}
