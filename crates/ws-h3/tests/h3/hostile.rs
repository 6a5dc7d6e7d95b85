//! Clients that write HTTP/3 by hand: what breaks a request, what breaks a connection, and that the
//! neighbours live on.

use std::time::Duration;

use bytes::BytesMut;
use ws_h3::{Error, Request};
use ws_io::Transport;

use crate::support::raw::{Answer, RawPeer, Section, answer, frame, varint};
use crate::support::{Host, Setup, is_healthy, read, serve, soon, write_all};

const FRAME_UNEXPECTED: u64 = 0x105;
const FRAME_ERROR: u64 = 0x106;
const EXCESSIVE_LOAD: u64 = 0x107;
const SETTINGS_ERROR: u64 = 0x109;
const REQUEST_REJECTED: u64 = 0x10b;
const REQUEST_CANCELLED: u64 = 0x10c;
const REQUEST_INCOMPLETE: u64 = 0x10d;
const MESSAGE_ERROR: u64 = 0x10e;
const DECOMPRESSION_FAILED: u64 = 0x200;

/// A raw client, and a good client on another connection of the same host.
async fn raw(host: &Host) -> RawPeer {
    let (quic, server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    tokio::spawn(serve(server));
    RawPeer::new(quic, &[]).await
}

fn status(status: &str) -> Answer {
    Answer::Status(status.into())
}

// RFC: H3-4.1.2-01, H3-4.2-01, H3-4.3-01, H3-4.4-01, H3WS-3-02, H2WS-X-01, H2WS-5-03, H2WS-4-02
#[tokio::test]
async fn a_malformed_request_ends_alone() {
    let host = Host::new(Setup::default());
    let peer = raw(&host).await;
    let long = "v".repeat(500);
    let many = (0..101).fold(Section::websocket(), |all, i| all.line(&format!("f{i}"), ""));
    let large = (0..99).fold(Section::websocket(), |all, i| all.line(&format!("f{i}"), &long));
    let cases: Vec<(&str, Section, Answer)> = vec![
        ("good", Section::websocket(), status("200")),
        ("two protocols", Section::websocket().line(":protocol", "websocket"), reset()),
        ("GET with protocol", Section::request("GET").line(":protocol", "websocket"), reset()),
        ("late pseudo", Section::request("CONNECT").line("a", "b").line(":protocol", "x"), reset()),
        ("connection", Section::websocket().line("connection", "upgrade"), reset()),
        ("upgrade", Section::websocket().line("upgrade", "websocket"), reset()),
        ("transfer-encoding", Section::websocket().line("transfer-encoding", "chunked"), reset()),
        ("te", Section::websocket().line("te", "gzip"), reset()),
        ("te trailers", Section::websocket().line("te", "trailers"), status("200")),
        ("upper case", Section::websocket().line("Origin", "x"), reset()),
        // The same name in Huffman code, which only `h3` can read: `A` is 100001, padded.
        ("huffman upper case", Section::websocket().raw(&[0x29, 0x87, 0x00]), reset()),
        ("unknown pseudo", Section::websocket().line(":foo", "x"), reset()),
        ("status", Section::websocket().line(":status", "200"), reset()),
        ("line feed", Section::websocket().line("a", "b\nc"), reset()),
        ("unknown protocol", Section::request("CONNECT").line(":protocol", "chat"), status("501")),
        (
            "a protocol h3 knows",
            Section::request("CONNECT").line(":protocol", "webtransport"),
            status("501"),
        ),
        ("upper case token", Section::request("CONNECT").line(":protocol", "WebSocket"), {
            status("200")
        }),
        ("connect with path", Section::request("CONNECT"), reset()),
        (
            "plain connect",
            Section::new().line(":method", "CONNECT").line(":authority", "example.org:443"),
            status("501"),
        ),
        (
            "no authority",
            Section::new()
                .line(":method", "CONNECT")
                .line(":protocol", "websocket")
                .line(":scheme", "https")
                .line(":path", "/"),
            reset(),
        ),
        (
            "no path",
            Section::new()
                .line(":method", "CONNECT")
                .line(":protocol", "websocket")
                .line(":scheme", "https")
                .line(":authority", "localhost"),
            reset(),
        ),
        ("contradicting host", Section::websocket().line("host", "elsewhere"), reset()),
        ("too many fields", many, status("431")),
        ("too large, decoded", large.clone(), status("200")),
        ("GET", Section::request("GET"), status("200")),
    ];
    for (name, section, expected) in cases {
        let (_send, mut recv) = peer.open(&section.frame()).await;
        assert_eq!(soon(answer(&mut recv)).await, expected, "{name}");
    }
    // The Huffman spelling of `:protocol` with that of `websocket`.
    let huffman = Section::request("CONNECT").raw(&[
        0x2f, 0x00, 0xb9, 0x5d, 0x87, 0x49, 0xc8, 0x7a, 0x3f, 0x87, 0xf0, 0x58, 0xd0, 0x72, 0x75,
        0x2a, 0x7f,
    ]);
    let (_send, mut recv) = peer.open(&huffman.frame()).await;
    assert_eq!(soon(answer(&mut recv)).await, status("200"));
}

fn reset() -> Answer {
    Answer::Reset(MESSAGE_ERROR)
}

// RFC: H2WS-3-02
#[tokio::test]
async fn where_settings_are_off_a_websocket_is_malformed_and_pages_are_served() {
    let mut setup = Setup::default();
    setup.server.websockets = false;
    let host = Host::new(setup);
    let peer = raw(&host).await;
    let (_send, mut recv) = peer.open(&Section::websocket().frame()).await;
    assert_eq!(soon(answer(&mut recv)).await, reset());
    let (_send, mut recv) = peer.open(&Section::request("GET").frame()).await;
    assert_eq!(soon(answer(&mut recv)).await, status("200"));
}

// RFC: H3-4.2.2-01, H3-10.5-01
// THREAT: header-count, header-size, h2-header-bomb
#[tokio::test]
async fn a_header_section_over_the_bound_is_refused_before_it_is_buffered() {
    let mut setup = Setup::default();
    setup.server.max_header_size = 1000;
    let host = Host::new(setup);
    let peer = raw(&host).await;
    // Encoded: the frame header alone is enough.
    let head = [varint(1), varint(1 << 40)].concat();
    let (_send, mut recv) = peer.open(&head).await;
    assert_eq!(soon(answer(&mut recv)).await, status("431"));
    // Decoded: small on the wire, 32 bytes for each field.
    let fields = (0..30).fold(Section::websocket(), |all, i| all.line(&format!("f{i}"), ""));
    let (_send, mut recv) = peer.open(&fields.frame()).await;
    assert_eq!(soon(answer(&mut recv)).await, status("431"));
    // A frame of an unknown type is skipped, up to the same bound.
    let skipped = [frame(0x21, &[0; 300]), Section::websocket().frame().to_vec()].concat();
    let (_send, mut recv) = peer.open(&skipped).await;
    assert_eq!(soon(answer(&mut recv)).await, status("200"));
    let (_send, mut recv) = peer.open(&[varint(0x21), varint(1 << 60)].concat()).await;
    assert_eq!(soon(answer(&mut recv)).await, Answer::Reset(EXCESSIVE_LOAD));
}

// RFC: H3-7.1-01, H3-7.2.1-01, H3-10.8-01, H3-4.1-01, H3-4.4-02
// THREAT: isolation
#[tokio::test]
async fn what_breaks_a_connection_breaks_no_other() {
    let host = Host::new(Setup::default());
    let (client, _server) = soon(host.pair()).await;
    let good = Section::websocket().frame().to_vec();
    let integer = Section::websocket().raw(&[0xff; 12]);
    let dynamic = Section::websocket().raw(&[0x80]);
    let truncated = Section(Section::websocket().0[..20].to_vec());
    let cases: Vec<(&str, Vec<u8>, u64)> = vec![
        ("malformed integer", integer.frame().to_vec(), DECOMPRESSION_FAILED),
        ("dynamic reference", dynamic.frame().to_vec(), DECOMPRESSION_FAILED),
        ("truncated block", truncated.frame().to_vec(), DECOMPRESSION_FAILED),
        ("empty block", frame(1, &[]), DECOMPRESSION_FAILED),
        ("DATA first", frame(0, b"x"), FRAME_UNEXPECTED),
        ("SETTINGS first", frame(4, &[]), FRAME_UNEXPECTED),
        ("trailers", [&good[..], &frame(1, &[0, 0])].concat(), FRAME_UNEXPECTED),
        ("SETTINGS in the tunnel", [&good[..], &frame(4, &[])].concat(), FRAME_UNEXPECTED),
        ("GOAWAY in the tunnel", [&good[..], &frame(7, &[0])].concat(), FRAME_UNEXPECTED),
        ("PUSH_PROMISE in the tunnel", [&good[..], &frame(5, &[0])].concat(), FRAME_UNEXPECTED),
        ("an HTTP/2 frame in the tunnel", [&good[..], &frame(6, &[0])].concat(), FRAME_UNEXPECTED),
        ("empty DATA frames", [&good[..], &[0, 0].repeat(1100)].concat(), EXCESSIVE_LOAD),
    ];
    for (name, bytes, expected) in cases {
        let peer = raw(&host).await;
        let (_send, _recv) = peer.open(&bytes).await;
        assert_eq!(soon(peer.closed_with()).await, expected, "{name}");
        assert!(soon(is_healthy(&client)).await, "{name}");
    }
    for (name, bytes) in [
        ("in a frame header", [&good[..], &[0]].concat()),
        ("in a payload", [&good[..], &[0, 5, 1, 2]].concat()),
        ("in the header section", good[..9].to_vec()),
    ] {
        let peer = raw(&host).await;
        let (mut send, _recv) = peer.open(&bytes).await;
        send.finish().unwrap();
        assert_eq!(soon(peer.closed_with()).await, FRAME_ERROR, "{name}");
    }
}

// RFC: H2WS-3-01, H3-7.2.4-01, H3-6.2.1-01, H3-9-01
#[tokio::test]
async fn the_control_stream_is_held_to_its_rules() {
    let host = Host::new(Setup::default());
    let cases: Vec<(&str, Vec<u8>, u64)> = vec![
        ("setting of 2", [&[0][..], &frame(4, &[8, 2])].concat(), SETTINGS_ERROR),
        ("SETTINGS twice", [&[0][..], &frame(4, &[]), &frame(4, &[])].concat(), FRAME_UNEXPECTED),
        ("no SETTINGS", [&[0][..], &frame(7, &[0])].concat(), 0x10a),
        ("endless SETTINGS", [&[0, 4][..], &varint(1 << 50)].concat(), EXCESSIVE_LOAD),
        ("DATA", [&[0][..], &frame(4, &[]), &frame(0, &[1])].concat(), FRAME_UNEXPECTED),
        // RFC 9114 §6.2.2: only servers push.
        ("a push stream", vec![1, 0], 0x103),
    ];
    for (name, bytes, expected) in cases {
        let (quic, server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
        tokio::spawn(serve(server));
        let mut control = quic.open_uni().await.unwrap();
        control.write_all(&bytes).await.unwrap();
        let peer = RawPeer { quic, control };
        assert_eq!(soon(peer.closed_with()).await, expected, "{name}");
    }
    // Unknown frames and streams are of no consequence.
    let mut peer = raw(&host).await;
    peer.control.write_all(&frame(0x21, &[0; 5000])).await.unwrap();
    peer.quic.open_uni().await.unwrap().write_all(&[0x21, 1, 2, 3]).await.unwrap();
    let (_send, mut recv) = peer.open(&Section::websocket().frame()).await;
    assert_eq!(soon(answer(&mut recv)).await, status("200"));
    // Closing the control stream is not.
    peer.control.finish().unwrap();
    assert_eq!(soon(peer.closed_with()).await, 0x104);
}

// RFC: H3-4.1.1-01, H3WS-3-03
// THREAT: isolation
#[tokio::test]
async fn a_reset_at_any_point_harms_no_neighbour() {
    let host = Host::new(Setup::default());
    let peer = raw(&host).await;
    let (mut neighbour, mut answers) = peer.open(&Section::websocket().frame()).await;
    assert_eq!(soon(answer(&mut answers)).await, status("200"));
    let whole = [&Section::websocket().frame()[..], &[0, 5], b"hello"].concat();
    for cut in 1..=whole.len() {
        let (mut send, mut recv) = peer.open(&whole[..cut]).await;
        send.reset(quinn::VarInt::from_u32(0x10c)).unwrap();
        recv.stop(quinn::VarInt::from_u32(0x10c)).unwrap();
    }
    for cut in [1, 10] {
        let (mut send, mut recv) = peer.open(&whole[..cut]).await;
        send.reset(quinn::VarInt::from_u32(0x10c)).unwrap();
        assert_eq!(soon(answer(&mut recv)).await, Answer::Reset(REQUEST_CANCELLED));
    }
    // The end of the stream before a request.
    let (mut send, mut recv) = peer.open(&frame(0x21, &[])).await;
    send.finish().unwrap();
    assert_eq!(soon(answer(&mut recv)).await, Answer::Reset(REQUEST_INCOMPLETE));

    neighbour.write_all(&frame(0, b"alive")).await.unwrap();
    let mut echo = [0; 7];
    soon(answers.read_exact(&mut echo)).await.unwrap();
    assert_eq!(&echo, b"\x00\x05alive");
}

// RFC: H3-10.5-01
// THREAT: rapid-reset
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opening_and_cancelling_without_end_is_cut_off() {
    let host = Host::new(Setup::default());
    let peer = raw(&host).await;
    let flood = async {
        for _ in 0..20_000 {
            let Ok((mut send, mut recv)) = peer.quic.open_bi().await else { return };
            let _ = send.write_all(&Section::websocket().frame()[..20]).await;
            let _ = (send.reset(0x10c_u32.into()), recv.stop(0x10c_u32.into()));
        }
    };
    soon(flood).await;
    assert_eq!(soon(peer.closed_with()).await, EXCESSIVE_LOAD);
    // Whole requests, of which only our own direction is reset, so that they can be answered.
    let peer = raw(&host).await;
    let flood = async {
        // Many at a time: the budget grows again, and a slow machine must be faster than that.
        for _ in 0..200 {
            let mut opened = Vec::new();
            for _ in 0..100 {
                let Ok((mut send, recv)) = peer.quic.open_bi().await else { return };
                let _ = send.write_all(&Section::websocket().frame()).await;
                opened.push((send, recv));
            }
            for (send, recv) in &mut opened {
                let _ = recv.read_chunk(1, true).await;
                let _ = send.reset(0x10c_u32.into());
            }
        }
    };
    soon(flood).await;
    assert_eq!(soon(peer.closed_with()).await, EXCESSIVE_LOAD);
}

// THREAT: incomplete-frame, stream-limit
#[tokio::test]
async fn a_request_that_never_becomes_whole_is_rejected() {
    let mut setup = Setup::default();
    setup.server.handshake_timeout = Duration::from_secs(1);
    let host = Host::new(setup);
    let peer = raw(&host).await;
    let (_send, mut recv) = peer.open(&Section::websocket().frame()[..20]).await;
    assert_eq!(soon(answer(&mut recv)).await, Answer::Reset(REQUEST_REJECTED));
    let (_send, mut recv) = peer.open(&Section::websocket().frame()).await;
    assert_eq!(soon(answer(&mut recv)).await, status("200"));
}

// THREAT: slow-handshake
#[tokio::test]
async fn a_slow_request_stops_no_other() {
    let host = Host::new(Setup::default());
    let peer = raw(&host).await;
    let whole = Section::websocket().frame();
    let (mut slow, mut slow_answer) = peer.open(&whole[..20]).await;
    let (_send, mut recv) = peer.open(&whole).await;
    assert_eq!(soon(answer(&mut recv)).await, status("200"));
    for byte in &whole[20..] {
        slow.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(soon(answer(&mut slow_answer)).await, status("200"));
}

#[tokio::test]
async fn data_before_a_breach_is_delivered() {
    let host = Host::new(Setup::default());
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let bytes = [&Section::websocket().frame()[..], &frame(0, b"last words"), &frame(4, &[])];
    let (_send, _recv) = peer.open(&bytes.concat()).await;
    let Some(Request::WebSocket(request)) = soon(server.next()).await else { panic!() };
    let mut stream = soon(request.accept(http::Response::new(()))).await.unwrap();
    let mut buf = BytesMut::new();
    assert_eq!(soon(read(&mut stream, &mut buf)).await.unwrap(), 10);
    assert_eq!(buf, "last words");
    let error = soon(read(&mut stream, &mut buf)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    let write = soon(write_all(&mut stream, &mut &b"x"[..])).await.unwrap_err();
    assert_eq!(write.kind(), std::io::ErrorKind::InvalidData);
    let Some(Error::ProtocolError { code, .. }) = server.handle().close_reason() else { panic!() };
    assert_eq!(code, FRAME_UNEXPECTED);
}

// THREAT: tiny-reads
#[tokio::test]
async fn a_dripped_tunnel_reads_the_same() {
    let host = Host::new(Setup::default());
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let tunnel =
        [frame(0, b"one "), frame(0, b""), frame(0x40, b"skip"), frame(0, b"two")].concat();
    let (mut send, _recv) = peer.open(&Section::websocket().frame()).await;
    let Some(Request::WebSocket(request)) = soon(server.next()).await else { panic!() };
    let mut stream = soon(request.accept(http::Response::new(()))).await.unwrap();
    let drip = async {
        for byte in tunnel {
            send.write_all(&[byte]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        send.finish().unwrap();
    };
    let collect = async {
        let mut buf = BytesMut::new();
        while std::future::poll_fn(|cx| stream.poll_read(cx, &mut buf, 2)).await.unwrap() > 0 {}
        buf
    };
    let ((), buf) = soon(async { tokio::join!(drip, collect) }).await;
    assert_eq!(buf, "one two");
}

// RFC: H3-5.2-01
#[tokio::test]
async fn a_client_that_says_goaway_keeps_its_tunnels() {
    let host = Host::new(Setup::default());
    let mut peer = raw(&host).await;
    let (mut send, mut recv) = peer.open(&Section::websocket().frame()).await;
    assert_eq!(soon(answer(&mut recv)).await, status("200"));
    peer.control.write_all(&frame(7, &[0])).await.unwrap();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        send.write_all(&frame(0, b"alive")).await.unwrap();
        let mut echo = [0; 7];
        soon(recv.read_exact(&mut echo)).await.unwrap();
        assert_eq!(&echo, b"\x00\x05alive");
    }
    send.finish().unwrap();
    assert_eq!(soon(answer(&mut recv)).await, Answer::Closed);
    assert_eq!(soon(peer.closed_with()).await, 0x100, "no error");
}

// RFC: H3-5.2-01
#[tokio::test]
async fn a_client_that_says_goaway_is_answered_all_the_same() {
    let host = Host::new(Setup::default());
    let mut peer = raw(&host).await;
    let (mut send, mut recv) = peer.open(&Section::websocket().frame()).await;
    assert_eq!(soon(answer(&mut recv)).await, status("200"));
    peer.control.write_all(&frame(7, &[0])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    for _ in 0..3 {
        let (mut page, mut of_page) = peer.open(&Section::request("GET").frame()).await;
        page.finish().unwrap();
        assert_eq!(soon(answer(&mut of_page)).await, status("200"));
    }
    let (mut late, mut of_late) = peer.open(&Section::websocket().frame()).await;
    assert_eq!(soon(answer(&mut of_late)).await, status("200"));
    send.finish().unwrap();
    assert_eq!(soon(answer(&mut recv)).await, Answer::Closed);
    late.write_all(&frame(0, b"alive")).await.unwrap();
    let mut echo = [0; 7];
    soon(of_late.read_exact(&mut echo)).await.unwrap();
    late.finish().unwrap();
    assert_eq!(soon(answer(&mut of_late)).await, Answer::Closed);
    assert_eq!(soon(peer.closed_with()).await, 0x100, "no error");
}

// RFC: H3-5.2-01
// THREAT: goaway
#[tokio::test]
async fn every_request_behind_our_goaway_is_rejected() {
    let host = Host::new(Setup::default());
    let (quic, server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let handle = server.handle();
    tokio::spawn(serve(server));
    let (mut send, mut recv) = peer.open(&Section::websocket().frame()).await;
    assert_eq!(soon(answer(&mut recv)).await, status("200"));
    handle.drain();
    tokio::time::sleep(Duration::from_millis(50)).await;
    for number in 0..4 {
        let (_late, mut of_late) = peer.open(&Section::websocket().frame()).await;
        assert_eq!(
            soon(answer(&mut of_late)).await,
            Answer::Reset(REQUEST_REJECTED),
            "late {number}"
        );
    }
    send.write_all(&frame(0, b"alive")).await.unwrap();
    let mut echo = [0; 7];
    soon(recv.read_exact(&mut echo)).await.unwrap();
    send.finish().unwrap();
    assert_eq!(soon(answer(&mut recv)).await, Answer::Closed);
    assert_eq!(soon(peer.closed_with()).await, 0x100, "no error");
}

#[tokio::test]
async fn a_body_is_read_up_to_its_limit() {
    let host = Host::new(Setup::default());
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let post = Section::request("POST").frame();
    let body = [frame(0, b"some "), frame(0x21, b"grease"), frame(0, b"body")].concat();
    for (tail, fin, max, expected) in [
        (&body[..], true, 9, Ok("some body")),
        (&body[..], true, 8, Err("request_too_big")),
        (&[&body[..], &frame(1, &[0, 0])].concat()[..], true, 9, Ok("some body")),
        (&[][..], true, 0, Ok("")),
        (&frame(4, &[])[..], false, 9, Err("protocol_error")),
    ] {
        let (mut send, mut recv) = peer.open(&[&post[..], tail].concat()).await;
        if fin {
            send.finish().unwrap();
        }
        let Some(Request::Http(mut request)) = soon(server.next()).await else { panic!() };
        let found = soon(request.body(max)).await;
        let found = found.as_ref().map(|body| std::str::from_utf8(body).unwrap());
        assert_eq!(found.map_err(Error::reason), expected);
        if fin {
            soon(request.respond(http::Response::default())).await.unwrap();
            assert_eq!(soon(answer(&mut recv)).await, status("200"));
        }
    }
    assert_eq!(soon(peer.closed_with()).await, FRAME_UNEXPECTED);
}

// RFC: H3-4.4-03
// THREAT: stop-sending
#[tokio::test]
async fn stop_sending_and_reset_each_end_one_direction() {
    let host = Host::new(Setup::default());
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let (mut send, mut recv) = peer.open(&Section::websocket().frame()).await;
    let Some(Request::WebSocket(request)) = soon(server.next()).await else { panic!() };
    let mut stream = soon(request.accept(http::Response::new(()))).await.unwrap();
    assert_eq!(soon(answer(&mut recv)).await, status("200"));
    recv.stop(quinn::VarInt::from_u32(0x10c)).unwrap();
    let error = soon(async {
        loop {
            if let Err(error) = write_all(&mut stream, &mut &b"x"[..]).await {
                return error;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let mut buf = BytesMut::new();
    send.write_all(&frame(0, b"still read")).await.unwrap();
    assert_eq!(soon(read(&mut stream, &mut buf)).await.unwrap(), 10);
    send.reset(quinn::VarInt::from_u32(0x10f)).unwrap();
    let error = soon(read(&mut stream, &mut buf)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted, "another code than 0x10c");
}
