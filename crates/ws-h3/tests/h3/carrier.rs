//! Client and server over loopback: echo, many streams, refusals, ends.

use std::io::ErrorKind;
use std::time::Duration;

use crate::support::{
    Host, Setup, is_healthy, open, read, read_exact, request, shutdown, soon, write_all,
};
use bytes::{Buf, Bytes, BytesMut};
use ws_h3::Error;
use ws_io::Transport;

/// A WebSocket that was opened and accepted, the client's end first.
async fn both_ends(
    client: &ws_h3::Client,
    server: &mut ws_h3::Server,
) -> (ws_h3::H3Stream, ws_h3::H3Stream) {
    let accepted = async {
        let Some(ws_h3::Request::WebSocket(request)) = server.next().await else { panic!() };
        request.accept(http::Response::new(())).await.unwrap()
    };
    let (ours, theirs) = soon(async { tokio::join!(open(client, "/"), accepted) }).await;
    (ours.unwrap(), theirs)
}

fn host() -> Host {
    Host::new(Setup::default())
}

// RFC: H3WS-3-01, H2WS-5-01, H2WS-5-07, H2WS-5-08, H3-4.1-03
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_size_comes_back_as_it_was_sent() {
    let host = host();
    let (client, _server) = soon(host.pair()).await;
    for len in [0, 1, 2, 125, 126, 2047, 2048, 65_535, 65_536, 65_537, 300_000, 1 << 20] {
        let mut stream = soon(open(&client, "/echo")).await.unwrap();
        let message: Vec<u8> = (0..len).map(|i: usize| (i % 251) as u8).collect();
        let mut left = Bytes::from(message.clone());
        let mut back = BytesMut::new();
        // Write and read by turns: neither side buffers a whole message.
        soon(std::future::poll_fn(|cx| {
            loop {
                let mut moved = false;
                if left.has_remaining() && stream.poll_write(cx, &mut left)?.is_ready() {
                    moved = true;
                } else if stream.poll_flush(cx)?.is_pending() {
                    moved = false;
                }
                if stream.poll_read(cx, &mut back, 16 * 1024)?.is_ready() {
                    moved = true;
                }
                if back.len() >= len {
                    return std::task::Poll::Ready(std::io::Result::Ok(()));
                }
                if !moved {
                    return std::task::Poll::Pending;
                }
            }
        }))
        .await
        .unwrap();
        assert!(back == message, "{len} bytes");
        soon(shutdown(&mut stream)).await.unwrap();
        assert_eq!(soon(read(&mut stream, &mut back)).await.unwrap(), 0, "FIN answers FIN");
    }
}

#[tokio::test]
async fn gathered_pieces_arrive_in_order() {
    let host = host();
    let (client, _server) = soon(host.pair()).await;
    let mut stream = soon(open(&client, "/echo")).await.unwrap();
    let mut pieces = Bytes::from_static(b"small ")
        .chain(Bytes::from(vec![b'x'; 5000]))
        .chain(Bytes::from_static(b" and small again"))
        .chain(Bytes::from(vec![b'y'; 70_000]));
    let len = pieces.remaining();
    soon(write_all(&mut stream, &mut pieces)).await.unwrap();
    let back = soon(read_exact(&mut stream, len)).await.unwrap();
    assert!(back.starts_with(b"small xxx") && back.ends_with(b"yyy"));
    assert_eq!(&back[5000..5030], b"xxxxxx and small againyyyyyyyy");
}

#[tokio::test]
async fn what_the_peer_gives_credit_for_is_told_once_as_progress() {
    let host = host();
    let (client, _server) = soon(host.pair()).await;
    let mut stream = soon(open(&client, "/echo")).await.unwrap();
    for _ in 0..2 {
        soon(write_all(&mut stream, &mut Bytes::from_static(b"taken"))).await.unwrap();
        assert_eq!(stream.take_progress(), Some(true));
        assert_eq!(stream.take_progress(), Some(false));
    }
}

// RFC: H2WS-3-02, H3WS-5-01
#[tokio::test]
async fn without_the_setting_nothing_is_sent() {
    let mut setup = Setup::default();
    setup.server.websockets = false;
    let host = Host::new(setup);
    let (client, server) = soon(host.pair()).await;
    let error = soon(client.connect(request("/echo"))).await.unwrap_err();
    assert_eq!(error.reason(), "peer_does_not_allow_connect_protocol");
    assert_eq!(client.allows_websockets(), Some(false));
    assert_eq!(server.connection().stats().frame_rx.stream, 3, "three stream headers, no request");
}

// THREAT: slow-handshake
#[tokio::test]
async fn the_client_waits_for_settings_with_a_deadline() {
    let mut setup = Setup::default();
    setup.client.handshake_timeout = Duration::from_millis(200);
    let host = Host::new(setup);
    let (client, _mute) = soon(async { tokio::join!(host.client(), host.accept_quic()) }).await;
    assert_eq!(client.allows_websockets(), None);
    let error = soon(client.connect(request("/echo"))).await.unwrap_err();
    assert_eq!(error.reason(), "timeout");
}

#[tokio::test]
async fn a_refusal_brings_status_headers_and_body() {
    let host = host();
    let (client, _server) = soon(host.pair()).await;
    let error = soon(client.connect(request("/refuse"))).await.unwrap_err();
    let Error::UnexpectedStatus(response) = error else { panic!("{error}") };
    assert_eq!(response.status(), 403);
    assert_eq!(response.headers()["x-why"], "test");
    assert_eq!(response.body(), "not today");
    assert!(soon(is_healthy(&client)).await);
}

// RFC: H3-4.1.1-01
#[tokio::test]
async fn a_request_dropped_by_the_server_is_cancelled() {
    let host = host();
    let (client, _server) = soon(host.pair()).await;
    let error = soon(client.connect(request("/drop"))).await.unwrap_err();
    assert!(matches!(error, Error::StreamReset { code: 0x10c }), "{error}");
    assert!(soon(is_healthy(&client)).await);
}

// THREAT: window-stall
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_streams_live_beside_one_that_is_stuck() {
    let host = host();
    let (client, _server) = soon(host.pair()).await;
    let mut stuck = soon(open(&client, "/stuck")).await.unwrap();
    let mut flood = Bytes::from(vec![0; 4 << 20]);
    let blocked =
        tokio::time::timeout(Duration::from_millis(300), write_all(&mut stuck, &mut flood));
    assert!(blocked.await.is_err(), "flow control stops the writer");
    assert!(flood.remaining() > 3 << 20, "little was taken: {} left", flood.remaining());

    let mut streams = tokio::task::JoinSet::new();
    for number in 0..200_u32 {
        let client = client.clone();
        streams.spawn(async move {
            let mut stream = open(&client, "/echo").await.unwrap();
            for _ in 0..5 {
                let message = number.to_be_bytes().repeat(100);
                write_all(&mut stream, &mut &message[..]).await.unwrap();
                assert!(read_exact(&mut stream, 400).await.unwrap() == message);
            }
            shutdown(&mut stream).await.unwrap();
            assert_eq!(read(&mut stream, &mut BytesMut::new()).await.unwrap(), 0);
        });
    }
    let mut done = 0;
    while let Some(result) = soon(streams.join_next()).await {
        result.unwrap();
        done += 1;
    }
    assert_eq!(done, 200);
}

// RFC: H3WS-3-03, H2WS-5-09, H3-4.4-03
#[tokio::test]
async fn a_dropped_stream_arrives_as_a_reset_in_both_directions() {
    let host = host();
    let (client, mut server) = soon(async { tokio::join!(host.client(), host.accept()) }).await;
    let (ours, mut theirs) = both_ends(&client, &mut server).await;
    drop(ours);
    let error = soon(read(&mut theirs, &mut BytesMut::new())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    assert!(matches!(inner, Some(Error::StreamReset { code: 0x10c })));
    // STOP_SENDING came in the same packet.
    let error = soon(async {
        loop {
            if let Err(error) = write_all(&mut theirs, &mut &b"hello"[..]).await {
                return error;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// As on TCP, where what was written arrives although the socket is dropped; the answer to the handshake
/// as well.
#[tokio::test]
async fn what_was_written_before_the_drop_arrives_before_the_reset() {
    let host = host();
    let (client, mut server) = soon(async { tokio::join!(host.client(), host.accept()) }).await;
    for (len, drops_server) in [(0, true), (20, true), (60_000, true), (20, false), (60_000, false)]
    {
        let words: Vec<u8> = (0..len).map(|i: usize| (i % 251) as u8).collect();
        let server_side = async {
            let Some(ws_h3::Request::WebSocket(request)) = server.next().await else { panic!() };
            let mut stream = request.accept(http::Response::new(())).await.unwrap();
            if !drops_server {
                return Some(stream);
            }
            write_all(&mut stream, &mut &words[..]).await.unwrap();
            None
        };
        let client_side = async {
            let mut stream = open(&client, "/").await.unwrap();
            if drops_server {
                return Some(stream);
            }
            write_all(&mut stream, &mut &words[..]).await.unwrap();
            None
        };
        let (ours, theirs) = soon(async { tokio::join!(client_side, server_side) }).await;
        let mut rest = ours.or(theirs).unwrap();
        let mut arrived = BytesMut::new();
        let error = soon(async {
            loop {
                match read(&mut rest, &mut arrived).await {
                    Ok(0) => panic!("an orderly end"),
                    Ok(_) => {}
                    Err(error) => return error,
                }
            }
        })
        .await;
        assert_eq!((&arrived[..], error.kind()), (&words[..], ErrorKind::ConnectionReset));
    }
}

#[tokio::test]
async fn what_a_peer_does_not_take_is_not_waited_for() {
    let host = host();
    let (client, mut server) = soon(async { tokio::join!(host.client(), host.accept()) }).await;
    let (mut ours, theirs) = both_ends(&client, &mut server).await;
    let everything = vec![0; 4 << 20];
    let mut left = &everything[..];
    let written = write_all(&mut ours, &mut left);
    assert!(tokio::time::timeout(Duration::from_millis(200), written).await.is_err());
    assert_eq!(client.open_streams(), 1);
    drop(ours);
    assert_eq!(client.open_streams(), 0);
    drop(client);
    let closed = theirs.connection().closed();
    let closed = tokio::time::timeout(Duration::from_secs(2), closed).await;
    assert!(matches!(closed, Ok(quinn::ConnectionError::ApplicationClosed(_))), "{closed:?}");
}

#[tokio::test]
async fn the_last_handle_closes_the_connection_without_error() {
    let host = host();
    let (client, server) = soon(host.pair()).await;
    let mut stream = soon(open(&client, "/echo")).await.unwrap();
    drop(client);
    // The stream alone keeps the connection.
    soon(write_all(&mut stream, &mut &b"still here"[..])).await.unwrap();
    assert_eq!(soon(read_exact(&mut stream, 10)).await.unwrap(), "still here");
    // Finished but not yet acknowledged: the connection waits for that, then closes.
    soon(shutdown(&mut stream)).await.unwrap();
    drop(stream);
    let reason = soon(server.connection().closed()).await;
    let quinn::ConnectionError::ApplicationClosed(close) = reason else {
        panic!("{reason:?} {:?}", server.close_reason())
    };
    assert_eq!(close.error_code.into_inner(), 0x100);
}

#[tokio::test]
async fn bytes_written_before_the_last_drop_arrive() {
    let host = host();
    for _ in 0..20 {
        let (client, mut server) = soon(async { tokio::join!(host.client(), host.accept()) }).await;
        let reading = tokio::spawn(async move {
            let Some(ws_h3::Request::WebSocket(request)) = server.next().await else { panic!() };
            let mut stream = request.accept(http::Response::new(())).await.unwrap();
            let mut buf = BytesMut::new();
            while read(&mut stream, &mut buf).await.unwrap() > 0 {}
            buf.len()
        });
        let mut stream = soon(open(&client, "/")).await.unwrap();
        soon(write_all(&mut stream, &mut Bytes::from(vec![7; 200_000]))).await.unwrap();
        soon(shutdown(&mut stream)).await.unwrap();
        drop((stream, client));
        assert_eq!(soon(reading).await.unwrap(), 200_000);
    }
}

// RFC: H3-5.2-01
#[tokio::test]
async fn a_drained_connection_lets_streams_finish_and_takes_no_more() {
    let host = host();
    let (client, server) = soon(host.pair()).await;
    let mut stream = soon(open(&client, "/echo")).await.unwrap();
    server.drain();
    soon(async {
        while client.is_open() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let error = soon(client.connect(request("/echo"))).await.unwrap_err();
    assert!(matches!(error, Error::GoingAway), "{error}");
    assert!(error.is_retryable());

    soon(write_all(&mut stream, &mut &b"to the end"[..])).await.unwrap();
    assert_eq!(soon(read_exact(&mut stream, 10)).await.unwrap(), "to the end");
    soon(shutdown(&mut stream)).await.unwrap();
    assert_eq!(soon(read(&mut stream, &mut BytesMut::new())).await.unwrap(), 0);
    drop(stream);
    let reason = soon(client.connection().closed()).await;
    let quinn::ConnectionError::ApplicationClosed(close) = reason else {
        panic!("{reason:?} {:?}", server.close_reason())
    };
    assert_eq!(close.error_code.into_inner(), 0x100);
}

// THREAT: idle-carrier
#[tokio::test]
async fn a_connection_without_a_request_is_closed_after_the_idle_timeout() {
    let mut setup = Setup::default();
    setup.server.idle_timeout = Duration::from_millis(100);
    // Its own pings must not keep the connection alive.
    setup.server_quic.keep_alive = Duration::from_millis(10);
    let host = Host::new(setup);
    let (client, _server) = soon(host.pair()).await;
    let stream = soon(open(&client, "/echo")).await.unwrap();
    let connection = client.connection();
    let open = tokio::time::timeout(Duration::from_millis(400), connection.closed()).await;
    assert!(open.is_err(), "a connection with an open stream was closed: {open:?}");
    drop(stream);
    let reason = soon(client.connection().closed()).await;
    let quinn::ConnectionError::ApplicationClosed(close) = reason else { panic!("{reason}") };
    assert_eq!(close.error_code.into_inner(), 0x100);
}

#[tokio::test]
async fn a_connection_is_kept_for_the_idle_timeout_after_its_last_request() {
    let mut setup = Setup::default();
    setup.server.idle_timeout = Duration::from_secs(1);
    let host = Host::new(setup);
    let (client, _server) = soon(host.pair()).await;
    let stream = soon(open(&client, "/echo")).await.unwrap();
    // Its end comes shortly before the server looks.
    tokio::time::sleep(Duration::from_millis(600)).await;
    drop(stream);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(client.is_open(), "the connection was given up early");
    soon(client.connection().closed()).await;
}

#[tokio::test]
async fn without_an_idle_timeout_there_is_time_for_the_first_request() {
    let mut setup = Setup::default();
    setup.server.idle_timeout = Duration::ZERO;
    let host = Host::new(setup);
    let (client, _server) = soon(host.pair()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(soon(is_healthy(&client)).await);
}

// THREAT: stream-limit
// THREAT: memory-amplification, isolation
#[tokio::test]
async fn streams_that_vanish_with_data_on_their_way_leave_the_windows_to_the_others() {
    let host = host();
    let (client, _server) = soon(host.pair()).await;
    let data = vec![7; 64 * 1024];
    // Four times what the windows of the connection hold.
    for _ in 0..256 {
        let mut stream = soon(open(&client, "/echo")).await.unwrap();
        soon(write_all(&mut stream, &mut &data[..])).await.unwrap();
        drop(soon(read(&mut stream, &mut BytesMut::new())).await);
        drop(stream);
    }
    let mut stream = soon(open(&client, "/echo")).await.unwrap();
    soon(write_all(&mut stream, &mut &data[..])).await.unwrap();
    assert_eq!(soon(read_exact(&mut stream, data.len())).await.unwrap(), data);
}

#[tokio::test]
async fn a_full_connection_waits_for_a_stream_to_end() {
    let mut setup = Setup::default();
    setup.server_quic.max_requests = 2;
    setup.client.stream_timeout = Duration::from_millis(600);
    let host = Host::new(setup);
    let (client, _server) = soon(host.pair()).await;
    let first = soon(open(&client, "/echo")).await.unwrap();
    let _second = soon(open(&client, "/echo")).await.unwrap();
    assert_eq!((client.open_streams(), client.max_streams()), (2, None));
    let start = tokio::time::Instant::now();
    let attempts = [request("/echo"), request("/echo")].map(|request| client.connect(request));
    let [one, other] = attempts;
    let (one, other) = soon(async { tokio::join!(one, other) }).await;
    for error in [one.unwrap_err(), other.unwrap_err()] {
        assert!(matches!(error, Error::TooManyStreams) && error.is_retryable(), "{error}");
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!((client.open_streams(), client.max_streams()), (2, Some(2)));
    let third = async { open(&client, "/echo").await };
    let (third, ()) = soon(async {
        tokio::join!(third, async {
            tokio::task::yield_now().await;
            drop(first);
        })
    })
    .await;
    assert!(third.is_ok(), "{third:?}");
}

// RFC: H3-10.9-01, H3-7.2.4.2-01, H3-7.2.4.2-02
// THREAT: early-data
#[tokio::test]
async fn a_resumed_connection_has_no_early_data() {
    let host = host();
    let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.set_default_client_config(host.client_config());
    for _ in 0..2 {
        let connecting = endpoint.connect(host.address, "localhost").unwrap();
        let Err(connecting) = connecting.into_0rtt() else { panic!("early data is on") };
        let (quic, server) = soon(async { tokio::join!(connecting, host.accept()) }).await;
        tokio::spawn(crate::support::serve(server));
        let client = ws_h3::Client::new(quic.unwrap(), crate::support::Tokio, &host.setup.client);
        assert!(soon(is_healthy(&soon(client).await.unwrap())).await, "tickets have come by now");
    }
}

#[tokio::test]
async fn a_drained_client_closes_when_its_last_stream_ends() {
    let host = host();
    let (client, server) = soon(host.pair()).await;
    let mut stream = soon(open(&client, "/echo")).await.unwrap();
    let another = soon(open(&client, "/echo")).await.unwrap();
    assert_eq!(client.open_streams(), 2);
    drop(another);
    // It counts until it has been cancelled.
    soon(async {
        while client.open_streams() > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    client.drain();
    assert!(!client.is_open());
    let error = soon(client.connect(request("/echo"))).await.unwrap_err();
    assert!(matches!(error, Error::GoingAway), "{error}");
    soon(write_all(&mut stream, &mut &b"still here"[..])).await.unwrap();
    assert_eq!(soon(read_exact(&mut stream, 10)).await.unwrap(), "still here");
    soon(shutdown(&mut stream)).await.unwrap();
    drop(stream);
    let reason = soon(server.connection().closed()).await;
    let quinn::ConnectionError::ApplicationClosed(close) = reason else { panic!("{reason}") };
    assert_eq!(close.error_code.into_inner(), 0x100);
}

#[tokio::test]
async fn a_lost_connection_is_an_aborted_stream() {
    let host = host();
    let (client, server) = soon(host.pair()).await;
    let mut stream = soon(open(&client, "/echo")).await.unwrap();
    server.close();
    let error = soon(read(&mut stream, &mut BytesMut::new())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
    assert_eq!(stream.classify(error).reason(), "closed");
    let error = soon(read(&mut stream, &mut BytesMut::new())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected, "it does not turn into an end");
    let error = soon(client.connect(request("/echo"))).await.unwrap_err();
    assert_eq!(error.reason(), "closed");
}

#[tokio::test]
async fn a_failed_certificate_is_a_tls_alert() {
    let (host, stranger) = (host(), host());
    let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.set_default_client_config(stranger.client_config());
    let accept = async { host.endpoint.accept().await.unwrap().accept().unwrap().await };
    let connect = async { endpoint.connect(host.address, "localhost").unwrap().await };
    let (ours, theirs) = soon(async { tokio::join!(connect, accept) }).await;
    for (error, kind) in [
        (ours.unwrap_err(), ErrorKind::InvalidData),
        (theirs.unwrap_err(), ErrorKind::ConnectionAborted),
    ] {
        let error = Error::from(error);
        assert_eq!((error.reason(), error.tls_alert()), ("tls_alert", Some(51)), "decrypt_error");
        assert_eq!(std::io::Error::from(error).kind(), kind);
    }
}
