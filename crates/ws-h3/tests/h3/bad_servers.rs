//! Servers that write HTTP/3 by hand: what a client takes from them, and what it sends again.

use std::collections::HashMap;
use std::io::ErrorKind;

use bytes::BytesMut;
use ws_h3::{Client, Error};

use crate::support::raw::{RawPeer, Section, frame, varint};
use crate::support::{Host, Setup, Tokio, read, request, soon};

// RFC: H3-4.2.2-01
#[tokio::test]
async fn a_request_larger_than_the_server_accepts_is_not_sent() {
    let host = Host::new(Setup::default());
    // SETTINGS_MAX_FIELD_SECTION_SIZE (0x6) is 300.
    let settings = [&[6][..], &varint(300), &[8, 1]].concat();
    let serve = async { RawPeer::new(host.accept_quic().await, &settings).await };
    let (client, _peer) = soon(async { tokio::join!(host.client(), serve) }).await;
    let error = soon(client.connect(request(&"/long".repeat(60)))).await.unwrap_err();
    assert_eq!(error.reason(), "invalid_request", "{error}");
    assert!(client.is_open());
}

/// A raw server: accepts the control stream's settings and answers the first request with `bytes`.
async fn answered_with(host: &Host, bytes: Vec<u8>, fin: bool) -> (Client, Result<(), Error>) {
    let serve = async {
        let peer = RawPeer::new(host.accept_quic().await, &[8, 1]).await;
        tokio::spawn(async move {
            // All of the peer: its control stream must stay open.
            let peer = peer;
            let mut kept = Vec::new();
            while let Ok((mut send, recv)) = peer.quic.accept_bi().await {
                send.write_all(&bytes).await.unwrap();
                if fin {
                    send.finish().unwrap();
                }
                kept.push((send, recv));
            }
        });
    };
    let (client, ()) = soon(async { tokio::join!(host.client(), serve) }).await;
    let result = soon(client.connect(request("/"))).await.map(drop);
    (client, result)
}

// RFC: H3-4.1.2-01, H3-4.5-01
#[tokio::test]
async fn a_client_takes_no_malformed_answer() {
    let host = Host::new(Setup::default());
    let ok = || Section::new().line(":status", "200");
    let cases: Vec<(&str, Section, Option<&str>)> = vec![
        ("good", ok(), None),
        ("two statuses", ok().line(":status", "200"), Some("malformed_header")),
        ("a request's pseudo-header", ok().line(":path", "/"), Some("malformed_header")),
        ("upper case", ok().line("Server", "x"), Some("malformed_header")),
        ("connection", ok().line("connection", "x"), Some("malformed_message")),
        ("no status", Section::new().line("server", "x"), Some("malformed_message")),
        ("101", Section::new().line(":status", "101"), Some("malformed_message")),
        ("too large", ok().line("x", &"y".repeat(70_000)), Some("handshake_response_too_big")),
        (
            "too many",
            (0..101).fold(ok(), |all, i| all.line(&format!("f{i}"), "")),
            Some("too_many_headers"),
        ),
        ("refused", Section::new().line(":status", "404"), Some("unexpected_status")),
    ];
    for (name, section, expected) in cases {
        let (client, result) = answered_with(&host, section.frame().to_vec(), true).await;
        assert_eq!(result.as_ref().err().map(Error::reason), expected, "{name}: {result:?}");
        assert!(client.is_open(), "{name}");
    }
}

#[tokio::test]
async fn a_refusal_whose_body_does_not_end_is_still_a_refusal() {
    let mut setup = Setup::default();
    // The body may take a quarter of it, so that the status is not lost.
    setup.client.handshake_timeout = std::time::Duration::from_secs(4);
    let host = Host::new(setup);
    let head = Section::new().line(":status", "404").frame();
    // A body that goes on after its last frame, and one whose frame stops halfway.
    for body in [&b"\x00\x03why"[..], b"\x00\x09why"] {
        let (client, result) = answered_with(&host, [&head[..], body].concat(), false).await;
        let Err(Error::UnexpectedStatus(answer)) = result else { panic!("{result:?}") };
        assert_eq!((answer.status().as_u16(), &answer.body()[..]), (404, &b"why"[..]));
        assert!(client.is_open());
    }
}

#[tokio::test]
async fn of_a_long_refusal_the_beginning_is_kept() {
    let host = Host::new(Setup::default());
    let head = Section::new().line(":status", "404").frame();
    for (len, kept) in [(16 * 1024, 16 * 1024), (16 * 1024 + 1, 16 * 1024), (100_000, 16 * 1024)] {
        let bytes = [&head[..], &frame(0, &vec![b'a'; len])].concat();
        let (_client, result) = answered_with(&host, bytes, true).await;
        let Err(Error::UnexpectedStatus(answer)) = result else { panic!("{result:?}") };
        assert_eq!(answer.body().len(), kept, "of {len}");
    }
}

// RFC: H3-4.1-01
#[tokio::test]
async fn what_does_not_belong_into_the_body_of_a_refusal_ends_the_connection() {
    const FRAME_UNEXPECTED: u64 = 0x105;
    let host = Host::new(Setup::default());
    let head = Section::new().line(":status", "404").frame();
    let bytes = [&head[..], &frame(0, b"why"), &frame(4, &[])].concat();
    let (client, result) = answered_with(&host, bytes, false).await;
    let Err(Error::UnexpectedStatus(answer)) = result else { panic!("{result:?}") };
    assert_eq!((answer.status().as_u16(), &answer.body()[..]), (404, &b"why"[..]));
    let reason = client.close_reason();
    assert!(matches!(reason, Some(Error::ProtocolError { code: FRAME_UNEXPECTED, .. })));
}

// THREAT: switching-without-101
#[tokio::test]
async fn interim_answers_are_skipped_and_a_missing_one_is_an_error() {
    let host = Host::new(Setup::default());
    let early = Section::new().line(":status", "103").frame();
    let ok = Section::new().line(":status", "200").frame();
    let (_client, result) = answered_with(&host, [&early[..], &early, &ok].concat(), false).await;
    assert!(result.is_ok(), "{result:?}");
    let (_client, result) = answered_with(&host, early.repeat(9), false).await;
    assert_eq!(result.unwrap_err().reason(), "malformed_message");
    let (client, result) = answered_with(&host, Vec::new(), true).await;
    assert_eq!(result.unwrap_err().reason(), "malformed_message");
    assert!(client.is_open(), "one stream without an answer does not end the connection");
}

// RFC: H3-5.2-01, H3-5.4-01
// THREAT: goaway
#[tokio::test]
async fn a_goaway_below_a_request_says_that_it_was_not_processed() {
    let host = Host::new(Setup::default());
    let serve = async {
        let mut peer = RawPeer::new(host.accept_quic().await, &[8, 1]).await;
        tokio::spawn(async move {
            let _request = peer.quic.accept_bi().await.unwrap();
            peer.control.write_all(&frame(7, &[0])).await.unwrap();
            peer.quic.closed().await;
        });
    };
    let (quic, ()) = soon(async { tokio::join!(host.dial(), serve) }).await;
    let client = Client::new(quic, Tokio, &host.setup.client).await.unwrap();
    let error = soon(client.connect(request("/"))).await.unwrap_err();
    assert!(matches!(error, Error::RequestRejected), "{error}");
    let error = soon(client.connect(request("/"))).await.unwrap_err();
    assert!(matches!(error, Error::GoingAway), "{error}");
}

// RFC: H3-5.2-01
#[tokio::test]
async fn a_goaway_above_a_request_says_nothing_of_it() {
    let host = Host::new(Setup::default());
    let serve = async {
        let mut peer = RawPeer::new(host.accept_quic().await, &[8, 1]).await;
        tokio::spawn(async move {
            let (mut send, _recv) = peer.quic.accept_bi().await.unwrap();
            peer.control.write_all(&frame(7, &[4])).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            send.write_all(&Section::new().line(":status", "200").frame()).await.unwrap();
            peer.quic.closed().await;
        });
    };
    let (client, ()) = soon(async { tokio::join!(host.client(), serve) }).await;
    let (_, _stream) = soon(client.connect(request("/"))).await.unwrap();
    assert!(!client.is_open());
}

#[tokio::test]
async fn a_rejected_request_may_be_sent_again() {
    let host = Host::new(Setup::default());
    let serve = async {
        let peer = RawPeer::new(host.accept_quic().await, &[8, 1]).await;
        tokio::spawn(async move {
            let peer = peer;
            let (mut send, _recv) = peer.quic.accept_bi().await.unwrap();
            send.reset(quinn::VarInt::from_u32(0x10b)).unwrap();
            peer.quic.closed().await;
        });
    };
    let (client, ()) = soon(async { tokio::join!(host.client(), serve) }).await;
    let error = soon(client.connect(request("/"))).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
}

// RFC: H3-3.2-01
#[tokio::test]
async fn a_client_names_the_host_and_says_its_settings_first() {
    let host = Host::new(Setup::default());
    let serve = async {
        let peer = RawPeer::new(host.accept_quic().await, &[8, 1]).await;
        let data = peer.quic.handshake_data().unwrap();
        let data = data.downcast::<quinn::crypto::rustls::HandshakeData>().unwrap();
        assert_eq!(data.server_name.as_deref(), Some("localhost"));
        // Three streams may come in any order: control (0x0), and those of QPACK (0x2, 0x3).
        for _ in 0..3 {
            let mut recv = peer.quic.accept_uni().await.unwrap();
            let mut first = [0; 2];
            recv.read_exact(&mut first[..1]).await.unwrap();
            if first[0] == 0 {
                recv.read_exact(&mut first[1..]).await.unwrap();
                return (peer, first);
            }
        }
        panic!("no control stream");
    };
    let (_client, (_peer, first)) = soon(async { tokio::join!(host.client(), serve) }).await;
    assert_eq!(first, [0x0, 0x4], "the type of the stream, and SETTINGS");
}

// RFC: H3-6.1-01
#[tokio::test]
async fn a_stream_that_a_server_opens_in_both_directions_is_an_error() {
    const STREAM_CREATION_ERROR: u64 = 0x103;
    let host = Host::new(Setup::default());
    let serve = async { RawPeer::new(host.accept_quic().await, &[8, 1]).await };
    let (_client, peer) = soon(async { tokio::join!(host.client(), serve) }).await;
    // Quinn lets the client refuse by granting no such stream, or by closing the connection.
    let opened = async {
        let (mut send, _recv) = peer.quic.open_bi().await?;
        send.write_all(&[0]).await.unwrap();
        Err::<(), _>(peer.quic.closed().await)
    };
    let refused = tokio::time::timeout(std::time::Duration::from_secs(2), opened).await;
    match refused {
        Err(_never_granted) => {}
        Ok(Err(quinn::ConnectionError::ApplicationClosed(close))) => {
            assert_eq!(close.error_code.into_inner(), STREAM_CREATION_ERROR);
        }
        Ok(other) => panic!("{other:?}"),
    }
}

// RFC: H3-7.2.4-01
#[tokio::test]
async fn who_breaks_the_rules_of_the_connection_is_told_apart_from_who_has_left() {
    const FRAME_UNEXPECTED: u64 = 0x105;
    let host = Host::new(Setup::default());
    let serve = async { RawPeer::new(host.accept_quic().await, &[8, 1]).await };
    let (client, mut peer) = soon(async { tokio::join!(host.client(), serve) }).await;
    let answer = async {
        let (mut send, recv) = peer.quic.accept_bi().await.unwrap();
        send.write_all(&Section::new().line(":status", "200").frame()).await.unwrap();
        (send, recv)
    };
    let (opened, _open) = soon(async { tokio::join!(client.connect(request("/")), answer) }).await;
    let (_, mut stream) = opened.unwrap();
    // Found by `h3`, not by us.
    peer.control.write_all(&frame(4, &[])).await.unwrap();
    let error = soon(read(&mut stream, &mut BytesMut::new())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    let reason = client.close_reason();
    assert!(matches!(reason, Some(Error::ProtocolError { code: FRAME_UNEXPECTED, .. })));
}

// RFC: H3-4.1.2-01, H3-4.2.2-01
#[tokio::test]
async fn a_server_is_told_what_is_wrong_with_its_answer() {
    let host = Host::new(Setup::default());
    let ok = || Section::new().line(":status", "200");
    let many = (0..101).fold(ok(), |all, i| all.line(&format!("f{i}"), ""));
    for (section, code) in [(ok().line("Server", "x"), 0x10e_u32), (many, 0x107)] {
        let serve = async { RawPeer::new(host.accept_quic().await, &[8, 1]).await };
        let (client, peer) = soon(async { tokio::join!(host.client(), serve) }).await;
        let answer = async {
            let (mut send, mut recv) = peer.quic.accept_bi().await.unwrap();
            send.write_all(&section.frame()).await.unwrap();
            while let Ok(Some(_)) = recv.read_chunk(4096, true).await {}
            (send.stopped().await.unwrap(), recv.received_reset().await.unwrap())
        };
        let (opened, told) =
            soon(async { tokio::join!(client.connect(request("/")), answer) }).await;
        opened.unwrap_err();
        assert_eq!(told, (Some(code.into()), Some(code.into())));
    }
}

#[tokio::test]
async fn a_client_does_not_count_what_its_server_resets() {
    let mut setup = Setup::default();
    // Nobody has to wait for a stream.
    setup.server_quic.max_requests = 4000;
    let host = Host::new(setup);
    let (opened, mut to_reset) = tokio::sync::mpsc::unbounded_channel::<u64>();
    let serve = async {
        let peer = RawPeer::new(host.accept_quic().await, &[8, 1]).await;
        tokio::spawn(async move {
            let peer = peer;
            let ok = Section::new().line(":status", "200").frame();
            let mut open = HashMap::new();
            loop {
                tokio::select! {
                    Ok((mut send, recv)) = peer.quic.accept_bi() => {
                        send.write_all(&ok).await.unwrap();
                        open.insert(u64::from(quinn::VarInt::from(send.id())), (send, recv));
                    }
                    Some(id) = to_reset.recv() => {
                        let (mut send, _recv) = open.remove(&id).unwrap();
                        send.reset(quinn::VarInt::from_u32(0x10c)).unwrap();
                    }
                    else => break,
                }
            }
        });
    };
    let (client, ()) = soon(async { tokio::join!(host.client(), serve) }).await;
    // More than a server would forgive, some at a time.
    let mut sockets = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (client, opened) = (client.clone(), opened.clone());
        sockets.spawn(async move {
            let mut resets = 0;
            for _ in 0..20 {
                let (_, mut stream) = client.connect(request("/")).await.unwrap();
                opened.send(stream.id()).unwrap();
                let read = read(&mut stream, &mut BytesMut::new()).await;
                assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
                resets += 1;
            }
            resets
        });
    }
    let resets = soon(sockets.join_all()).await.into_iter().sum::<u32>();
    assert_eq!(resets, 2000);
    assert!(client.is_open(), "{:?}", client.close_reason());
}
