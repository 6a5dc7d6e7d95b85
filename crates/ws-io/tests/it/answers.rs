//! What a server's answer does, and what a client makes of answers that ask for something else.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
#[cfg(feature = "deflate")]
use ws_io::Error;
use ws_io::{
    AcceptOptions, ConnectOptions, Duplex, Message, Runtime as _, Transport as _, WsUri, accept,
    connect, duplex,
};

use crate::support::{Hostile, Plan, Sim, read_to_end};

fn uri() -> WsUri {
    WsUri::parse("ws://chat.example/room").expect("a uri")
}

async fn write(raw: &mut Duplex, mut bytes: &[u8]) {
    while bytes.has_remaining() {
        poll_fn(|cx| raw.poll_write(cx, &mut bytes)).await.expect("written");
    }
}

async fn read(raw: &mut Duplex) -> BytesMut {
    let mut bytes = BytesMut::new();
    poll_fn(|cx| raw.poll_read(cx, &mut bytes, 10_000)).await.unwrap_or(0);
    bytes
}

fn request(offer: &str) -> String {
    format!(
        "GET /room HTTP/1.1\r\nHost: chat.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
    )
}

// RFC: WS-4.2.2-16
#[test]
fn the_answer_is_out_before_the_first_frame() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(64 * 1024);
    sim.block_on(async {
        write(&mut raw, request("").as_bytes()).await;
        let mut server = accept(right, sim.clone(), AcceptOptions::default()).await.expect("valid");
        server.send(Message::text("welcome")).await.expect("open");
        let bytes = read(&mut raw).await;
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
        assert!(bytes.starts_with(b"HTTP/1.1 101 "), "{bytes:?}");
        assert_eq!(&bytes[end + 4..], b"\x81\x07welcome");
    });
}

// RFC: SEM-7.4-01
#[test]
fn a_secure_request_on_an_insecure_connection_is_refused() {
    for (scheme, secure, status) in
        [("http", false, "101"), ("HTTPS", false, "400"), ("https", true, "101")]
    {
        let sim = Sim::new();
        let (mut raw, right) = duplex(64 * 1024);
        let target = format!("GET {scheme}://chat.example/room ");
        let asked = request("").replace("GET /room ", &target);
        let options = AcceptOptions { secure, ..AcceptOptions::default() };
        sim.block_on(async {
            write(&mut raw, asked.as_bytes()).await;
            poll_fn(|cx| raw.poll_shutdown(cx)).await.expect("ended");
            let accepted = accept(right, sim.clone(), options).await;
            assert_eq!(accepted.is_ok(), status == "101", "{scheme}");
            let head = String::from_utf8_lossy(&read(&mut raw).await).into_owned();
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{scheme}: {head}");
        });
    }
}

// RFC: SEM-15.4-01, SEM-15.5.2-01
// THREAT: credentials-on-redirect
#[test]
fn a_redirect_or_a_challenge_goes_to_the_caller_and_nothing_is_sent_again() {
    for (answer, name, value) in [
        ("302 Found\r\nLocation: ws://evil.example/", "location", "ws://evil.example/"),
        ("308 Moved\r\nLocation: /room", "location", "/room"),
        ("401 No\r\nWWW-Authenticate: Basic", "www-authenticate", "Basic"),
        ("407 No\r\nProxy-Authenticate: Basic", "proxy-authenticate", "Basic"),
    ] {
        let sim = Sim::new();
        let (left, mut raw) = duplex(64 * 1024);
        let options = ConnectOptions {
            headers: vec![("Authorization".into(), "Bearer secret".into())],
            ..ConnectOptions::default()
        };
        sim.block_on(async {
            let head = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            write(&mut raw, head.as_bytes()).await;
            let error = connect(left, sim.clone(), &uri(), &options).await.expect_err(name);
            let response = error.response().expect("the answer");
            let mut values = ws_handshake::Headers::values(&response.headers, name);
            assert_eq!(values.next(), Some(value.as_bytes()), "{answer}");
            let sent = String::from_utf8_lossy(&read(&mut raw).await).into_owned();
            assert_eq!(sent.matches("GET ").count(), 1, "{answer}");
            assert!(read(&mut raw).await.is_empty(), "and then the transport was dropped");
        });
    }
}

// RFC: SEM-15.2-01
#[test]
fn a_server_may_think_behind_an_interim_answer_and_not_inside_one() {
    // What comes at once, and whether the client waits for the rest.
    for (interim, waits) in [
        ("", true),
        ("HTTP/1.1 100 Continue\r\n\r\n", true),
        ("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n", true),
        ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 1", false),
    ] {
        let sim = Sim::new();
        let (left, mut raw) = duplex(64 * 1024);
        let clock = sim.clone();
        sim.spawn(async move {
            let head = switching(&read(&mut raw).await, "");
            write(&mut raw, interim.as_bytes()).await;
            clock.sleep(Duration::from_secs(8)).await;
            write(&mut raw, head.as_bytes()).await;
            std::future::pending::<()>().await;
        });
        let connected =
            sim.block_on(connect(left, sim.clone(), &uri(), &ConnectOptions::default()));
        assert_eq!(connected.is_ok(), waits, "{interim}: {connected:?}");
        assert_eq!(sim.elapsed(), Duration::from_secs(if waits { 8 } else { 5 }), "{interim}");
    }
}

#[test]
fn frames_that_travel_with_the_answer_are_received_first() {
    let sim = Sim::new();
    let (left, mut raw) = duplex(64 * 1024);
    sim.spawn(async move {
        let mut bytes = switching(&read(&mut raw).await, "").into_bytes();
        bytes.extend_from_slice(b"\x81\x05early\x81\x04bi");
        write(&mut raw, &bytes).await;
        write(&mut raw, b"rd").await;
        std::future::pending::<()>().await;
    });
    sim.block_on(async {
        let options = ConnectOptions::default();
        let mut client = connect(left, sim.clone(), &uri(), &options).await.expect("open");
        for text in ["early", "bird"] {
            assert_eq!(client.next().await.expect("open").expect("a text"), Message::text(text));
        }
    });
}

// RFC: WS-4.1-18, WS-4.1-24
#[test]
fn each_attempt_has_a_key_of_its_own_and_nothing_follows_the_request() {
    let mut keys = BTreeSet::new();
    for _ in 0..10 {
        let sim = Sim::new();
        let (left, mut raw) = duplex(64 * 1024);
        let sent = sim.block_on(async {
            poll_fn(|cx| raw.poll_shutdown(cx)).await.expect("ended");
            let options = ConnectOptions::default();
            connect(left, sim.clone(), &uri(), &options).await.expect_err("no answer");
            read_to_end(&mut raw).await
        });
        assert_eq!(sent.find("\r\n\r\n"), Some(sent.len() - 4), "{sent}");
        let key = sent.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        keys.insert(key.expect("a key").to_owned());
    }
    assert_eq!(keys.len(), 10);
}

// RFC: WS-5.3-02, WS-5.3-03, WS-10.3-01
// THREAT: predictable-masks
#[test]
fn masking_keys_are_drawn_at_random_for_each_connection() {
    const FRAMES: usize = 64;
    let sim = Sim::new();
    let keys = || {
        let (left, mut raw) = duplex(64 * 1024);
        let frames = sim.spawn_collect(async move {
            let head = switching(&read(&mut raw).await, "");
            write(&mut raw, head.as_bytes()).await;
            let mut frames = BytesMut::new();
            while frames.len() < 7 * FRAMES {
                poll_fn(|cx| raw.poll_read(cx, &mut frames, 10_000)).await.expect("frames");
            }
            (frames, raw)
        });
        sim.block_on(async {
            let options = ConnectOptions::default();
            let mut client = connect(left, sim.clone(), &uri(), &options).await.expect("open");
            for _ in 0..FRAMES {
                client.send(Message::text("x")).await.expect("open");
            }
            let (mut frames, _raw) = frames.output().await;
            let mut next = || (frames.get_u16(), frames.get_u32(), frames.get_u8()).1;
            (0..FRAMES).map(|_| next()).collect::<Vec<u32>>()
        })
    };
    let (first, second) = (keys(), keys());
    assert_ne!(first, second);
    for keys in [first, second] {
        for bit in 0..32 {
            // Outside of this once in some hundred million runs.
            let ones = keys.iter().filter(|key| *key >> bit & 1 == 1).count();
            assert!((8..=56).contains(&ones), "bit {bit} is set {ones} times of {FRAMES}");
        }
    }
}

/// The answer to this request that opens a connection, with these fields more.
fn switching(request: &[u8], fields: &str) -> String {
    let request = String::from_utf8_lossy(request);
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = ws_h1_upgrade::AcceptKey::derive(key.expect("a key").as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{fields}\r\n",
        accept.as_str()
    )
}

#[cfg(feature = "deflate")]
fn deflate() -> Option<ws_deflate::Config> {
    Some(ws_deflate::Config::default())
}

// RFC: PMD-5-05, PMD-5-07
#[cfg(feature = "deflate")]
#[test]
fn a_server_accepts_one_compression_and_nothing_beside_it() {
    for offer in [
        "x-webkit-deflate-frame, permessage-deflate",
        "permessage-deflate, permessage-deflate; server_no_context_takeover",
        "permessage-bzip2, mux, permessage-deflate, deflate-frame",
        "permessage-deflate, x-segments; needs=frame-boundaries",
        "Permessage-Deflate, permessage-deflate",
    ] {
        let sim = Sim::new();
        let (mut raw, right) = duplex(64 * 1024);
        let offered = request(&format!("Sec-WebSocket-Extensions: {offer}\r\n"));
        let options = AcceptOptions { deflate: deflate(), ..AcceptOptions::default() };
        sim.block_on(async {
            write(&mut raw, offered.as_bytes()).await;
            accept(right, sim.clone(), options).await.expect("valid");
            let head = String::from_utf8_lossy(&read(&mut raw).await).into_owned();
            let answers: Vec<&str> = head
                .lines()
                .filter_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "))
                .collect();
            assert_eq!(answers.len(), 1, "{offer}: {head}");
            assert!(answers[0].starts_with("permessage-deflate"), "{offer}: {head}");
            assert!(!answers[0].contains(','), "{offer}: {head}");
        });
    }
}

// RFC: PMD-5-06, PMD-5-08
#[cfg(feature = "deflate")]
#[test]
fn a_client_fails_when_a_server_accepts_other_than_one_compression() {
    for (answer, reason) in [
        ("permessage-deflate, x-webkit-deflate-frame", "unoffered_extension"),
        ("x-segments; needs=frame-boundaries, permessage-deflate", "unoffered_extension"),
        ("permessage-deflate, permessage-deflate", "bad_extension_response"),
        // Another name, for which there would be no decoder.
        ("Permessage-Deflate", "unoffered_extension"),
    ] {
        let error = answered(answer);
        assert_eq!(error.reason(), reason, "{answer}: {error:?}");
    }
}

/// What a client that offered compression makes of a server that agreed to these extensions.
#[cfg(feature = "deflate")]
fn answered(extensions: &str) -> Error {
    let sim = Sim::new();
    let (left, mut raw) = duplex(64 * 1024);
    let extensions = extensions.to_owned();
    sim.spawn(async move {
        let fields = format!("Sec-WebSocket-Extensions: {extensions}\r\n");
        let head = switching(&read(&mut raw).await, &fields);
        write(&mut raw, head.as_bytes()).await;
        std::future::pending::<()>().await;
    });
    let options = ConnectOptions { deflate: deflate(), ..ConnectOptions::default() };
    sim.block_on(connect(left, sim.clone(), &uri(), &options)).expect_err("not what was offered")
}

#[test]
fn why_a_client_is_refused_is_told_although_it_hears_nothing_any_more() {
    let secure = request("").replace("GET /room", "GET https://chat.example/room");
    let cases = [
        ("GET /room HTTP/1.1\r\nno colon\r\n\r\n", "malformed_request"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "missing_upgrade_header"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "unsupported_http_version"),
        (&secure, "malformed_request"),
        (&request("Origin: https://evil.example\r\n"), "origin_not_allowed"),
        // Nothing was asked, so there is nothing else to tell.
        ("", "transport_error"),
    ];
    for (request, reason) in cases {
        let sim = Sim::new();
        let (mut raw, right) = duplex(64 * 1024);
        let error = sim.block_on(async {
            write(&mut raw, request.as_bytes()).await;
            // Whatever comes after the first read fails.
            let gone = Hostile::new(right, Plan { fail_at: Some(1), ..Plan::default() });
            accept(gone, sim.clone(), AcceptOptions::default()).await.expect_err("refused")
        });
        assert_eq!(error.reason(), reason, "{request}");
    }
}

// RFC: M1-9.6-01, WS-7.2.2-01
#[test]
fn a_refusal_is_followed_by_the_end_of_the_connection() {
    for asked in
        ["POST / HTTP/1.1\r\nHost: a\r\n\r\n", &request("Origin: https://evil.example\r\n")]
    {
        let sim = Sim::new();
        let (mut raw, right) = duplex(64 * 1024);
        sim.block_on(async {
            write(&mut raw, asked.as_bytes()).await;
            poll_fn(|cx| raw.poll_shutdown(cx)).await.expect("ended");
            accept(right, sim.clone(), AcceptOptions::default()).await.expect_err("refused");
            assert!(read(&mut raw).await.starts_with(b"HTTP/1.1 40"), "{asked}");
            let end = poll_fn(|cx| raw.poll_read(cx, &mut BytesMut::new(), 1)).await;
            assert!(matches!(end, Ok(0)), "it was not ended but broken off: {end:?}");
        });
    }
}

// RFC: M1-9.6-01
#[test]
fn what_a_refused_client_goes_on_sending_is_taken_up_to_a_bound() {
    for pause in [Duration::ZERO, Duration::from_millis(400)] {
        let sim = Sim::new();
        let (mut raw, right) = duplex(1000);
        let clock = sim.clone();
        let sent = sim.spawn_collect(async move {
            write(&mut raw, b"POST /chat HTTP/1.1\r\nHost: a\r\n\r\n").await;
            let mut sent = 0;
            loop {
                if !pause.is_zero() {
                    clock.sleep(pause).await;
                }
                match poll_fn(|cx| raw.poll_write(cx, &mut &[b'x'; 500][..])).await {
                    Ok(count) => sent += count,
                    Err(_) => return sent,
                }
            }
        });
        let sent = sim.block_on(async {
            let options = AcceptOptions::default();
            accept(right, sim.clone(), options).await.unwrap_err();
            sim.sleep(Duration::from_secs(1)).await;
            sent.output().await
        });
        let bounds = if pause.is_zero() { 256 << 10..300 << 10 } else { 1000..2000 };
        assert!(bounds.contains(&sent), "{sent} bytes, pausing for {pause:?}");
    }
}

#[test]
fn a_client_that_was_too_slow_is_told_so() {
    for sent in ["", "GET /room HTTP/1.1\r\n"] {
        let sim = Sim::new();
        let (mut raw, right) = duplex(64 * 1024);
        sim.block_on(async {
            write(&mut raw, sent.as_bytes()).await;
            accept(right, sim.clone(), AcceptOptions::default()).await.unwrap_err();
            assert!(read(&mut raw).await.starts_with(b"HTTP/1.1 408 "));
        });
    }
}

#[test]
fn who_takes_too_long_is_told_so_though_the_answer_does_not_leave_at_once() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(10);
    let clock = sim.clone();
    let answer = sim.spawn_collect(async move {
        // Never silent for long, and never done.
        for byte in request("").bytes().take(7) {
            write(&mut raw, &[byte]).await;
            clock.sleep(Duration::from_secs(2)).await;
        }
        clock.sleep(Duration::from_millis(1500)).await;
        let mut answer = BytesMut::new();
        while matches!(poll_fn(|cx| raw.poll_read(cx, &mut answer, 10)).await, Ok(1..)) {}
        answer
    });
    sim.block_on(async {
        accept(right, sim.clone(), AcceptOptions::default()).await.expect_err("too late");
    });
    let answer = sim.block_on(answer.output());
    assert!(answer.starts_with(b"HTTP/1.1 408 ") && answer.len() > 20, "{answer:?}");
}
