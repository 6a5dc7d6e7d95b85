//! Ordinary requests at the port of a WebSocket server.

use std::future::poll_fn;
use std::task::{Context, Waker};

use allocation_counter::measure;
use bytes::BytesMut;
use ws_io::{AcceptOptions, Arrival, Page, Refusal, Transport as _, duplex, receive, receive_any};

use crate::support::{Sim, join, read_to_end, write};

// RFC: M1-3.2-03
#[test]
fn a_browser_that_asks_for_a_page_gets_one() {
    for (target, path) in [
        ("/health", "/health"),
        // As a proxy asks (RFC 9112 §3.2.2).
        ("http://a.example/health?all", "/health?all"),
        ("HTTP://a.example:8080", "/"),
        ("http://a.example?all", "/?all"),
    ] {
        page_at("GET", target, path, "");
        page_at("HEAD", target, path, "");
    }
}

/// Of curl with `--http2`, of Java's HttpClient and of Apache's: a server may pass such offers over
/// (RFC 9110 §7.8).
#[test]
fn who_would_rather_speak_another_protocol_gets_the_page_in_this_one() {
    for offer in ["h2c", "TLS/1.2", "TLS/1.2, h2c"] {
        let fields = format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {offer}\r\n");
        page_at("GET", "/health", "/health", &fields);
        page_at("HEAD", "/health", "/health", &fields);
    }
}

#[test]
fn who_wants_a_websocket_the_wrong_way_is_told_so_and_gets_no_page() {
    for offer in ["websocket/13", "WebSocket/13, h2c", "websocket, a b", "a b"] {
        let sim = Sim::new();
        let (mut raw, right) = duplex(64 * 1024);
        sim.block_on(async {
            let fields = format!("Connection: Upgrade\r\nUpgrade: {offer}\r\n");
            write(&mut raw, format!("GET / HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n")).await;
            poll_fn(|cx| raw.poll_shutdown(cx)).await.unwrap();
            let arrival = receive_any(right, sim.clone(), AcceptOptions::default()).await;
            assert_eq!(arrival.unwrap_err().reason(), "invalid_upgrade", "{offer}");
            let answer = read_to_end(&mut raw).await;
            assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
        });
    }
}

#[test]
fn where_there_are_no_pages_another_protocol_is_refused_by_its_own_reason() {
    for (fields, reason) in
        [("", "missing_upgrade_header"), ("Upgrade: h2c\r\n", "invalid_upgrade")]
    {
        let sim = Sim::new();
        let (mut raw, right) = duplex(64 * 1024);
        sim.block_on(async {
            write(&mut raw, format!("GET / HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n")).await;
            poll_fn(|cx| raw.poll_shutdown(cx)).await.unwrap();
            let error = receive(right, sim.clone(), AcceptOptions::default()).await.unwrap_err();
            assert_eq!(error.reason(), reason);
            let answer = read_to_end(&mut raw).await;
            assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
        });
    }
}

fn page_at(method: &str, target: &str, path: &str, fields: &str) {
    let sim = Sim::new();
    let (mut raw, right) = duplex(64 * 1024);
    sim.block_on(async {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
        write(&mut raw, request).await;
        poll_fn(|cx| raw.poll_shutdown(cx)).await.unwrap();
        let arrival = receive_any(right, sim.clone(), AcceptOptions::default()).await.unwrap();
        let Arrival::Page(request) = arrival else { panic!("{arrival:?}") };
        assert_eq!(request.path(), path);
        request.answer(&Page::html("fine")).await.unwrap();
        let answer = read_to_end(&mut raw).await;
        // RFC 9110 §9.3.2: the fields of a `GET`, and no content.
        let end = if method == "HEAD" { "\r\n\r\n" } else { "\r\n\r\nfine" };
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(end), "{answer}");
        assert!(answer.contains("Content-Length: 4\r\n"), "{answer}");
        let end = poll_fn(|cx| raw.poll_read(cx, &mut BytesMut::new(), 1)).await;
        assert!(matches!(end, Ok(0)), "it was not ended but broken off: {end:?}");
    });
}

// THREAT: memory-amplification
#[test]
fn a_page_leaves_from_where_it_lies() {
    const SIZE: usize = 8 * 1024 * 1024;
    let sim = Sim::new();
    let (mut raw, right) = duplex(64 * 1024);
    let page = Page::text("x".repeat(SIZE));
    let mut received = 0;
    let info = measure(|| {
        sim.block_on(async {
            write(&mut raw, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
            let arrival = receive_any(right, sim.clone(), AcceptOptions::default()).await.unwrap();
            let Arrival::Page(request) = arrival else { panic!("{arrival:?}") };
            let reading = async {
                let mut bytes = BytesMut::with_capacity(10_000);
                while let Ok(len @ 1..) = poll_fn(|cx| raw.poll_read(cx, &mut bytes, 10_000)).await
                {
                    received += len;
                    bytes.clear();
                }
            };
            let (answered, ()) = join(request.answer(&page), reading).await;
            answered.unwrap();
        });
    });
    assert!(received > SIZE, "{received} bytes came");
    assert!(info.bytes_max < 512 * 1024, "{} bytes were held beside the page", info.bytes_max);
}

// THREAT: memory-amplification
#[test]
fn a_page_is_let_go_of_when_nothing_of_it_is_to_be_sent() {
    const SIZE: usize = 8 * 1024 * 1024;
    for (method, is_sent) in [("GET", true), ("HEAD", false)] {
        let sim = Sim::new();
        let (mut raw, right) = duplex(64 * 1024);
        let page = Page::text("x".repeat(SIZE));
        let mut answering = None;
        let info = measure(|| {
            sim.block_on(async {
                write(&mut raw, format!("{method} / HTTP/1.1\r\nHost: a.example\r\n\r\n")).await;
                let arrival = receive_any(right, sim.clone(), AcceptOptions::default()).await;
                let Ok(Arrival::Page(request)) = arrival else { panic!("{arrival:?}") };
                let answering = answering.insert(Box::pin(request.answer(page)));
                let mut cx = Context::from_waker(Waker::noop());
                // The client reads nothing, and does not hang up either.
                assert!(answering.as_mut().poll(&mut cx).is_pending());
            });
        });
        let is_held = info.bytes_current > -(SIZE as i64 / 2);
        assert_eq!(is_held, is_sent, "{method}: {} bytes", info.bytes_current);
    }
}

// RFC: M1-3.2-03
#[test]
fn a_refusal_of_a_page_has_words_unless_only_the_head_is_asked_for() {
    // Empty lines before a request are passed over (RFC 9112 §2.2).
    for (start, has_words) in
        [("GET", true), ("HEAD", false), ("\r\nHEAD", false), ("\r\nGET", true)]
    {
        let sim = Sim::new();
        let (mut raw, right) = duplex(64 * 1024);
        sim.block_on(async {
            write(&mut raw, format!("{start} /none HTTP/1.1\r\nHost: a.example\r\n\r\n")).await;
            poll_fn(|cx| raw.poll_shutdown(cx)).await.unwrap();
            let arrival = receive_any(right, sim.clone(), AcceptOptions::default()).await.unwrap();
            let Arrival::Page(request) = arrival else { panic!("{arrival:?}") };
            let refusal = Refusal::new(404).unwrap().with_body(&b"not here"[..]);
            request.refuse(&refusal).await.unwrap();
            let answer = read_to_end(&mut raw).await;
            assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
            assert!(answer.contains("Content-Length: 8\r\n"), "{answer}");
            let end = if has_words { "\r\n\r\nnot here" } else { "\r\n\r\n" };
            assert!(answer.ends_with(end), "{start:?}: {answer}");
        });
    }
}
