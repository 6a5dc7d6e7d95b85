//! Sizes, counts and shapes chosen by an attacker.

use std::time::Duration;

use bytes::BytesMut;
use ws_h1_upgrade::{HandshakeLimits, ServerHandshake, SubprotocolPolicy};

use crate::wire::{REQUEST, head, reason, serve, serve_with};

// RFC: SEM-5.4-01, WS-10.4-01
// THREAT: header-size
#[test]
fn no_segmentation_outruns_the_size_limit() {
    let request = head(&REQUEST, "", &[&format!("X: {}", "x".repeat(70_000))]);
    for segment in [1, 100, 1_000, 65_535, 65_536, 65_537, request.len()] {
        let mut server = ServerHandshake::default();
        let mut buf = BytesMut::new();
        let mut result = Ok(None);
        for part in request.as_bytes().chunks(segment) {
            buf.extend_from_slice(part);
            result = server.receive(&mut buf);
            if result.is_err() {
                break;
            }
        }
        let error = result.expect_err("too big");
        assert_eq!((error.reason(), error.status()), ("handshake_too_big", 431), "{segment}");
        assert_eq!(server.receive(&mut buf), Err(error));
    }
}

#[test]
fn the_size_limit_is_exact() {
    let request = head(&REQUEST, "", &[]);
    let serve = |max_handshake_size: usize, behind: &str| {
        let limits = HandshakeLimits { max_handshake_size, ..HandshakeLimits::default() };
        let mut server = ServerHandshake::new(Default::default(), limits);
        reason(&server.receive(&mut BytesMut::from(&*format!("{request}{behind}"))))
    };
    for behind in ["", "frames"] {
        assert_eq!(serve(request.len(), behind), "accepted");
        assert_eq!(serve(request.len() - 1, behind), "handshake_too_big");
        assert_eq!(serve(0, behind), "handshake_too_big");
    }
}

// THREAT: header-count
#[test]
fn ten_thousand_headers_do_not_crash_the_handshake() {
    for (count, want) in [
        (95, "accepted"),
        (96, "too_many_headers"),
        (1_000, "too_many_headers"),
        (10_000, "too_many_headers"),
    ] {
        let request = head(&REQUEST, "", &vec!["a: b"; count]);
        assert_eq!(reason(&serve(&request)), want, "{count}");
    }
    let error = serve(head(&REQUEST, "", &["a: b"; 200])).expect_err("too many");
    assert_eq!(error.status(), 431);
}

#[test]
fn more_headers_than_by_default_are_taken_if_they_are_allowed() {
    let limits = HandshakeLimits { max_headers: 1_000, ..HandshakeLimits::default() };
    for (count, want) in [(95, true), (96, true), (995, true), (996, false)] {
        let request = head(&REQUEST, "", &vec!["a: b"; count]);
        let upgrade = serve_with(SubprotocolPolicy::None, limits, &request);
        let fields = upgrade.ok().flatten().map(|upgrade| upgrade.request.headers.len());
        assert_eq!(fields, want.then_some(count + 5), "{count}");
    }
}

// RFC: M1-2.2-01, M1-2.2-02, M1-2.2-03, M1-3.2-01, M1-5.1-01, M1-5.2-01, M1-2.3-01, WS-10.7-01
// THREAT: smuggling
#[test]
fn what_smuggles_between_parsers_is_refused() {
    let also = |line: &str| head(&REQUEST, "", &[line]);
    let rows = [
        also("X: a\rb"),
        also("X: a\0b"),
        also("X: a\r\n b"),
        also("X : a"),
        also("X\t: a"),
        also("X"),
        also(": a"),
        also("X\0: a"),
        also("X: a\nY: b"),
        head(&REQUEST, "", &[]).replacen("\r\n", "\n", 1),
        head(&REQUEST, "", &[]).replacen("\r\nHost", "\r\n Host", 1),
        head(&REQUEST, "", &[]).replacen("GET ", "GET", 1),
        head(&REQUEST, "", &[]).replacen("GET ", "GET  ", 1),
        head(&REQUEST, "", &[]).replacen(" HTTP/1.1", "  HTTP/1.1", 1),
        head(&REQUEST, "", &[]).replacen("/chat", "/ch\u{1}at", 1),
        head(&REQUEST, "", &[]).replacen("HTTP/1.1", "HTTP/1.1x", 1),
        format!(" {}", head(&REQUEST, "", &[])),
        format!("\n{}", head(&REQUEST, "", &[])),
        format!("{}{}", "\r\n".repeat(5), head(&REQUEST, "", &[])),
    ];
    for request in rows {
        let error = serve(&request).expect_err(&request);
        assert_eq!((error.reason(), error.status()), ("malformed_request", 400), "{request:?}");
    }
    let two = format!("\r\n\r\n{}", head(&REQUEST, "", &[]));
    assert_eq!(reason(&serve(two)), "accepted");
}

// THREAT: list-parser-time
#[test]
fn hostile_lists_do_not_cost_more_than_one_pass() {
    let long = |line: &str, part: &str| format!("{line}{}", part.repeat(60_000 / part.len()));
    let rows = [
        (long("Sec-WebSocket-Extensions: a;b=\"", "\\c"), "malformed_header"),
        (long("Sec-WebSocket-Extensions: ", "a,"), "malformed_header"),
        (long("Sec-WebSocket-Extensions: a", ";b"), "malformed_header"),
        (long("Sec-WebSocket-Protocol: ", "a,"), "malformed_header"),
        (long("Sec-WebSocket-Protocol: ", " ,"), "malformed_header"),
        (long("Sec-WebSocket-Protocol: ", "a"), "accepted"),
        (long("Connection: ", "upgrade,"), "invalid_connection"),
        (long("Upgrade: ", "websocket,"), "invalid_upgrade"),
    ];
    for (line, want) in rows {
        assert_eq!(reason(&serve(head(&REQUEST, "", &[&line]))), want, "{}", &line[..40]);
    }
}

/// Dripping N bytes costs about N steps: doubling the input must not quadruple the time. Compared
/// with a wide margin, by the best of several runs and by processor time, so that a busy machine does
/// not fail it.
// THREAT: tiny-reads
#[test]
fn a_dripped_request_does_not_cost_quadratic_time() {
    let cost = |size: usize| {
        let request = format!("GET /{} HTTP/1.1\r\n", "a".repeat(size));
        (0..5)
            .map(|_| {
                let limits =
                    HandshakeLimits { max_handshake_size: 1 << 21, ..HandshakeLimits::default() };
                let mut server = ServerHandshake::new(Default::default(), limits);
                let mut buf = BytesMut::with_capacity(size + 64);
                timed(|| {
                    for byte in request.as_bytes() {
                        buf.extend_from_slice(&[*byte]);
                        assert_eq!(server.receive(&mut buf), Ok(None));
                    }
                })
            })
            .min()
            .expect("five runs")
    };
    let (small, large) = (cost(128 * 1024), cost(1024 * 1024));
    // 8 times the input; quadratic would be 64 times the time. Processor time is told by the tick.
    let tick = Duration::from_millis(10);
    assert!(large < (small + tick) * 24, "128 KiB took {small:?}, 1 MiB took {large:?}");
}

/// The time that this thread was given a processor for; where the system does not tell, all that went
/// by.
fn timed(run: impl FnOnce()) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "the test is about elapsed time")]
    let start = std::time::Instant::now();
    let before = on_a_processor();
    run();
    match (before, on_a_processor()) {
        (Some(before), Some(after)) => after - before,
        _ => start.elapsed(),
    }
}

fn on_a_processor() -> Option<Duration> {
    let status = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(status.split(' ').next()?.parse().ok()?))
}
