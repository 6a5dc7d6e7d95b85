//! Our TLS stream against another implementation of the same thing, `tokio-rustls`, over pipes of
//! every width.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use allocation_counter::measure;
use bytes::BytesMut;

use crate::support::{certificates, certificates_for, distrustful, read, shutdown, write};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use ws_endpoint::tls::Tls;
use ws_io::{Duplex, Transport as _, UpgradeInfo, WebSocket};
use ws_session::{CloseCode, Config, MaskKeys, Message, Session, TransportError};
use ws_tokio::{Io, Tokio};

type Theirs<T> = Result<T, std::io::Error>;
type Ours = Tls<Io<DuplexStream>>;

fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

/// Our client and their server, and the other way round.
async fn our_client(width: usize) -> (Ours, tokio_rustls::server::TlsStream<DuplexStream>) {
    let (server, client) = certificates();
    let (a, b) = duplex(width);
    let theirs = tokio::spawn(async move { TlsAcceptor::from(server).accept(b).await });
    let ours = Tls::connect(Io::new(a), client, localhost()).await.expect("our side");
    (ours, theirs.await.expect("no panic").expect("their side"))
}

async fn our_server(width: usize) -> (Ours, tokio_rustls::client::TlsStream<DuplexStream>) {
    let (server, client) = certificates();
    let (a, b) = duplex(width);
    let theirs =
        tokio::spawn(async move { TlsConnector::from(client).connect(localhost(), b).await });
    let ours = Tls::accept(Io::new(a), server).await.expect("our side");
    (ours, theirs.await.expect("no panic").expect("their side"))
}

/// Both ends ours, in memory.
async fn both_ours() -> (Tls<Duplex>, Tls<Duplex>) {
    let (server, client) = certificates();
    let (a, b) = ws_io::duplex(1 << 20);
    let (server, client) =
        tokio::join!(Tls::accept(a, server), Tls::connect(b, client, localhost()));
    (server.expect("the server's side"), client.expect("the client's side"))
}

/// Sends so many bytes, receives them, and waits for more, which do not come.
fn pass(from: &mut Tls<Duplex>, to: &mut Tls<Duplex>, length: usize) {
    let mut cx = Context::from_waker(Waker::noop());
    let sent = vec![7; length];
    let mut rest = &sent[..];
    while !rest.is_empty() {
        assert!(from.poll_write(&mut cx, &mut rest).is_ready(), "the pipe is wide");
    }
    assert!(from.poll_flush(&mut cx).is_ready());
    let mut received = BytesMut::new();
    while to.poll_read(&mut cx, &mut received, 64 * 1024).is_ready() {}
    assert_eq!(received, sent);
}

// THREAT: memory-amplification
#[tokio::test]
async fn a_stream_at_rest_holds_nothing_of_a_large_message() {
    // What the pools of this thread keep belongs to nobody.
    let (mut server, mut client) = both_ours().await;
    pass(&mut client, &mut server, 64 * 1024);
    let (mut server, mut client) = both_ours().await;
    pass(&mut client, &mut server, 1);
    let held = measure(|| pass(&mut client, &mut server, 64 * 1024)).bytes_current;
    assert!(held < 8 * 1024, "{held} bytes");
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index % 251).unwrap_or_default()).collect()
}

#[tokio::test]
async fn bytes_arrive_whole_through_pipes_of_every_width() {
    for width in [1, 7, 4096, 1 << 20] {
        let length = if width < 100 { 20_000 } else { 1 << 20 };
        let expected = pattern(length);
        let (mut ours, theirs) = our_server(width).await;
        let (mut their_reader, mut their_writer) = tokio::io::split(theirs);
        let sent = expected.clone();
        let writer = tokio::spawn(async move {
            their_writer.write_all(&sent).await?;
            their_writer.shutdown().await
        });
        let mut arrived = Vec::new();
        loop {
            let piece = read(&mut ours, 3000).await.expect("the stream is sound");
            assert!(piece.len() <= 3000, "no more than was asked for");
            if piece.is_empty() {
                break;
            }
            arrived.extend_from_slice(&piece);
        }
        assert_eq!(arrived, expected, "received through {width}");
        writer.await.expect("no panic").expect("written");

        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            their_reader.read_to_end(&mut all).await.map(|_| all)
        });
        write(&mut ours, &expected).await.expect("written");
        shutdown(&mut ours).await.expect("ended");
        let back = reader.await.expect("no panic").expect("an orderly end");
        assert_eq!(back, expected, "sent through {width}");
    }
}

// RFC: WS-10.6-01
#[tokio::test]
async fn a_client_talks_to_a_server_of_another_make() {
    let (mut ours, mut theirs) = our_client(4096).await;
    write(&mut ours, b"hello").await.expect("written");
    let mut buf = [0; 5];
    theirs.read_exact(&mut buf).await.expect("read");
    assert_eq!(&buf, b"hello");
    theirs.write_all(b"world").await.expect("written");
    theirs.flush().await.expect("flushed");
    assert_eq!(&read(&mut ours, 100).await.expect("read")[..], b"world");
}

// RFC: M1-9.8-01
#[tokio::test]
async fn a_peer_that_forgets_close_notify_has_just_ended() {
    let (mut ours, mut theirs) = our_server(4096).await;
    theirs.write_all(b"last words").await.expect("written");
    theirs.flush().await.expect("flushed");
    drop(theirs);
    assert_eq!(&read(&mut ours, 100).await.expect("read")[..], b"last words");
    assert!(read(&mut ours, 100).await.expect("no error").is_empty());
    assert!(read(&mut ours, 100).await.expect("no error").is_empty(), "and stays so");
}

// RFC: M1-9.8-01
#[tokio::test]
async fn reading_goes_on_after_our_direction_has_ended() {
    let (mut ours, mut theirs) = our_server(4096).await;
    shutdown(&mut ours).await.expect("ended");
    assert_eq!(theirs.read(&mut [0; 8]).await.expect("an orderly end"), 0);
    theirs.write_all(b"still here").await.expect("written");
    theirs.flush().await.expect("flushed");
    assert_eq!(&read(&mut ours, 100).await.expect("read")[..], b"still here");
}

fn websocket(tls: Ours, session: Session) -> WebSocket<Ours, Tokio> {
    WebSocket::from_parts(tls, Tokio, session, UpgradeInfo::new("/"))
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_slowly_what_tls_holds_is_not_cut() {
    let (ours, mut theirs) = our_server(1000).await;
    let mut server = websocket(ours, Session::server(Config::default()));
    let sending =
        tokio::spawn(async move { server.send(Message::binary(vec![7; 60_000])).await.is_ok() });
    let (mut taken, mut buf) = (0, [0; 1000]);
    while taken < 60_004 {
        taken += theirs.read(&mut buf).await.expect("not cut");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(sending.await.expect("no panic"));
}

// RFC: M1-9.8-01
#[tokio::test(start_paused = true)]
async fn a_client_ends_tls_in_order_also_where_the_server_does_not() {
    let (ours, mut theirs) = our_client(4096).await;
    let mut client = websocket(ours, Session::client(Config::default(), MaskKeys::new(|| [0; 4])));
    let closing = tokio::spawn(async move {
        client.close(CloseCode::NORMAL, "").await.map(|outcome| outcome.clean).ok()
    });
    let mut goodbye = [0; 8];
    theirs.read_exact(&mut goodbye).await.expect("a close frame");
    theirs.write_all(&[0x88, 2, 3, 0xe8]).await.expect("written");
    theirs.flush().await.expect("flushed");
    assert_eq!(theirs.read(&mut [0; 8]).await.expect("a close_notify"), 0);
    assert_eq!(closing.await.expect("no panic"), Some(true));
}

// RFC: WS-4.1-10
#[tokio::test]
async fn a_refused_certificate_is_an_alert_for_the_server_and_an_error_for_the_client() {
    let (server, _) = certificates();
    let (a, b) = duplex(4096);
    let accepting = tokio::spawn(async move { Tls::accept(Io::new(b), server).await.map(drop) });
    let refused = Tls::connect(Io::new(a), distrustful(), localhost()).await.map(drop);
    let Err(TransportError::Io(error)) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("certificate"), "{error}");
    let told = accepting.await.expect("no panic");
    // RFC 8446 §6.2: unknown_ca.
    assert!(matches!(told, Err(TransportError::TlsAlert(48))), "{told:?}");
}

// RFC: WS-4.2.2-01
#[tokio::test]
async fn a_wildcard_stands_for_one_label_and_for_no_more() {
    for (name, is_good) in [
        ("a.example.test", true),
        ("B.Example.Test", true),
        ("a.b.example.test", false),
        ("example.test", false),
        ("a.example.test.evil", false),
    ] {
        let (server, client) = certificates_for(&["*.example.test"]);
        let (a, b) = duplex(4096);
        let accepting =
            tokio::spawn(async move { Tls::accept(Io::new(b), server).await.map(drop) });
        let host = ServerName::try_from(name).expect("a name");
        // Kept until the server is through as well.
        let opened = Tls::connect(Io::new(a), client, host).await;
        assert_eq!(opened.is_ok(), is_good, "{name}");
        assert_eq!(accepting.await.expect("no panic").is_ok(), is_good, "{name}");
    }
}

#[tokio::test]
async fn a_peer_that_does_not_speak_tls_is_told_so_and_refused() {
    let (server, _) = certificates();
    let (a, mut b) = duplex(4096);
    b.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("written");
    let refused = Tls::accept(Io::new(a), server).await.map(drop);
    assert!(matches!(refused, Err(TransportError::Io(_))), "{refused:?}");
    let mut alert = Vec::new();
    b.read_to_end(&mut alert).await.expect("read");
    assert_eq!(alert.first(), Some(&21), "a record of type alert");
}

#[tokio::test]
async fn a_peer_that_leaves_during_the_handshake_is_gone() {
    let (server, _) = certificates();
    let (a, b) = duplex(4096);
    drop(b);
    let gone = Tls::accept(Io::new(a), server).await.map(drop);
    assert!(matches!(gone, Err(TransportError::Closed)), "{gone:?}");
}

#[tokio::test]
async fn a_corrupt_record_fails_after_the_good_ones_before_it() {
    let (server, client) = certificates();
    let (a, mut relay_a) = duplex(1 << 16);
    let (mut relay_b, b) = duplex(1 << 16);
    let theirs = tokio::spawn(async move {
        let mut stream = TlsConnector::from(client).connect(localhost(), b).await?;
        stream.write_all(b"good").await?;
        stream.flush().await?;
        let _ = stream.read(&mut [0; 1]).await;
        Theirs::Ok(())
    });
    let relay = tokio::spawn(async move {
        let copied = tokio::io::copy_bidirectional(&mut relay_a, &mut relay_b);
        // Long enough for the handshake and the good record, which the test awaits below.
        tokio::select! { _ = copied => {}, () = tokio::time::sleep(Duration::from_millis(300)) => {} }
        (relay_a, relay_b)
    });
    let mut ours = Tls::accept(Io::new(a), server).await.expect("our side");
    assert_eq!(&read(&mut ours, 100).await.expect("read")[..], b"good");
    let (mut wire, _theirs_wire) = relay.await.expect("no panic");
    wire.write_all(&[23, 3, 3, 0, 32]).await.expect("written");
    wire.write_all(&[0; 32]).await.expect("written");
    for _ in 0..2 {
        let error = read(&mut ours, 100).await.expect_err("the record is forged");
        assert!(matches!(ours.classify(error), TransportError::Io(_)), "and stays an error");
    }
    drop((wire, _theirs_wire));
    let _ = theirs.await;
}

#[tokio::test]
async fn both_sides_learn_the_application_protocol_agreed_on() {
    let (server, client) = certificates();
    let (mut server, mut client) = (server.as_ref().clone(), client.as_ref().clone());
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (a, b) = duplex(4096);
    let accepting = tokio::spawn(async move { Tls::accept(Io::new(b), Arc::new(server)).await });
    let ours = Tls::connect(Io::new(a), Arc::new(client), localhost()).await.expect("open");
    assert_eq!(ours.alpn_protocol(), Some(&b"http/1.1"[..]));
    let accepted = accepting.await.expect("no panic").expect("open");
    assert_eq!(accepted.alpn_protocol(), Some(&b"http/1.1"[..]));
}
