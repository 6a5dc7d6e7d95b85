//! The whole way: the handshake of `ws-h3-upgrade`, the sessions of `ws-io`, the carrier between.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;
use ws_h3::{Client, H3Stream, Request, Server};
use ws_h3_upgrade::{
    HeaderFields, SubprotocolPolicy, WsUri, client_request, http_response, validate_request,
    validate_response,
};
use ws_io::{AcceptOptions, ConnectOptions, UpgradeInfo, WebSocket};
use ws_session::{Cause, CloseCode, Config, Message};

use crate::support::{Host, Setup, Tokio, soon};

type Socket = WebSocket<H3Stream, Tokio>;

async fn connect(client: &Client, options: &ConnectOptions) -> Socket {
    let uri = WsUri::parse("wss://localhost/chat?room=1").unwrap();
    let asked = client_request(&uri, &options.to_request(), Some(1)).unwrap();
    let (response, stream) = client.connect(asked.to_http().unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let response = validate_response(status, response.headers(), &options.to_request()).unwrap();
    let agreed = options.agree(response.agreement).unwrap();
    let session = options.session(&agreed, BytesMut::new());
    let info = UpgradeInfo::new(uri.resource()).with_subprotocol(agreed.agreement.subprotocol);
    WebSocket::from_parts(stream, Tokio, session, info)
}

async fn accept(
    server: &mut Server,
    policy: &SubprotocolPolicy,
    options: &AcceptOptions,
) -> Socket {
    let Some(Request::WebSocket(request)) = server.next().await else { panic!("no WebSocket") };
    let upgrade = validate_request(&request.connect_request(), policy).unwrap();
    let agreed = options.agree_on(&upgrade.request, upgrade.agreement.subprotocol.clone());
    let response = http_response(&upgrade, &HeaderFields::new()).unwrap();
    let stream = request.accept(response).await.unwrap();
    let session = options.session(&agreed, BytesMut::new());
    let info =
        UpgradeInfo::new(upgrade.request.path).with_subprotocol(agreed.agreement.subprotocol);
    WebSocket::from_parts(stream, Tokio, session, info)
}

async fn pair(host: &Host) -> (Client, Server, Socket, Socket) {
    let options = ConnectOptions { subprotocols: vec!["chat".into()], ..ConnectOptions::default() };
    let policy = SubprotocolPolicy::optional(["chat"]);
    let (client, mut server) = tokio::join!(host.client(), host.accept());
    let accepted = AcceptOptions::default();
    let (ours, theirs) =
        tokio::join!(connect(&client, &options), accept(&mut server, &policy, &accepted));
    (client, server, ours, theirs)
}

// RFC: H2WS-5-06, H2WS-5-08, H2WS-5-09, H3-CAPS-01
#[tokio::test]
async fn messages_and_the_goodbye_cross_an_h3_stream() {
    let host = Host::new(Setup::default());
    let (_client, _server, mut ours, mut theirs) = soon(pair(&host)).await;
    assert_eq!(ours.subprotocol(), Some("chat"));
    assert_eq!(theirs.subprotocol(), Some("chat"));
    assert_eq!(theirs.upgrade_info().map(UpgradeInfo::path), Some("/chat?room=1"));
    let echo = tokio::spawn(async move {
        while let Some(Ok(message)) = theirs.next().await {
            if message.data_kind().is_some() {
                theirs.feed(message).await.unwrap();
            }
        }
        let outcome = theirs.outcome().unwrap();
        (outcome.code.get(), outcome.reason.clone(), outcome.clean)
    });
    for len in [0, 1, 125, 126, 65_536, 300_000] {
        let text = "ä".repeat(len / 2);
        soon(ours.send(Message::text(text.clone()))).await.unwrap();
        let message = soon(ours.next()).await.unwrap().unwrap();
        assert!(message.as_text() == Some(text.as_str()), "{len} bytes");
    }
    let outcome = soon(ours.close(CloseCode::new(4000), "enough")).await.unwrap();
    assert_eq!((outcome.code.get(), outcome.clean), (4000, true));
    assert_eq!(soon(echo).await.unwrap(), (4000, "enough".into(), true));
}

// RFC: H3-5.1-01
#[tokio::test]
async fn keep_alive_pings_of_a_websocket_keep_its_quic_connection_alive() {
    let mut setup = Setup::default();
    for quic in [&mut setup.server_quic, &mut setup.client_quic] {
        quic.keep_alive = Duration::ZERO;
        quic.idle_timeout = Duration::from_millis(1200);
    }
    let host = Host::new(setup);
    let (client, mut server) = soon(async { tokio::join!(host.client(), host.accept()) }).await;
    let mut config = Config::default();
    config.keep_alive = Duration::from_millis(300);
    let options = ConnectOptions { session: Arc::new(config), ..ConnectOptions::default() };
    let (policy, accepted) = (SubprotocolPolicy::None, AcceptOptions::default());
    let opening =
        async { tokio::join!(connect(&client, &options), accept(&mut server, &policy, &accepted)) };
    let (mut ours, mut theirs) = soon(opening).await;
    tokio::spawn(async move { while let Some(Ok(_)) = theirs.next().await {} });
    // Nothing but pings and their answers for three times as long as QUIC would wait.
    let pongs = async {
        for _ in 0..12 {
            let pong = ours.next().await.expect("open").expect("alive");
            assert!(matches!(pong, Message::Pong(_)), "{pong:?}");
        }
    };
    tokio::time::timeout(Duration::from_secs(30), pongs).await.expect("the pings go on");
    assert!(client.is_open());
}

#[tokio::test]
async fn a_peer_that_is_dropped_is_an_abnormal_end() {
    let host = Host::new(Setup::default());
    let (_client, _server, mut ours, theirs) = soon(pair(&host)).await;
    drop(theirs);
    assert!(soon(ours.next()).await.is_some_and(|last| last.is_err()));
    let outcome = ours.outcome().unwrap();
    assert_eq!((outcome.code.get(), outcome.clean), (1006, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_websockets_the_one_that_never_reads_is_cut_and_the_rest_go_on() {
    const STALL: Duration = Duration::from_millis(700);
    let host = Host::new(Setup::default());
    let (client, mut server) = soon(async { tokio::join!(host.client(), host.accept()) }).await;
    let (connect_options, mut accept_options) =
        (ConnectOptions::default(), AcceptOptions::default());
    let mut session = Config::default();
    session.write_timeout = STALL;
    accept_options.session = Arc::new(session);
    let policy = SubprotocolPolicy::optional(["chat"]);
    let mut pairs = Vec::new();
    for _ in 0..200 {
        let opened = async {
            tokio::join!(
                connect(&client, &connect_options),
                accept(&mut server, &policy, &accept_options)
            )
        };
        pairs.push(soon(opened).await);
    }
    assert_eq!(client.open_streams(), 200, "all on one connection");
    let (never_read, mut stuck) = pairs.pop().unwrap();
    let mut others = Vec::new();
    for (ours, mut theirs) in pairs {
        tokio::spawn(async move {
            while let Some(Ok(message)) = theirs.next().await {
                if message.data_kind().is_some() {
                    theirs.feed(message).await.unwrap();
                }
            }
        });
        others.push(ours);
    }
    let before = soon(rounds(&mut others)).await;
    let stuck = tokio::spawn(async move {
        let (mut taken, mut last) = (0, Instant::now());
        while stuck.send(Message::binary(vec![7; 64 * 1024])).await.is_ok() {
            taken += 64 * 1024;
            last = Instant::now();
        }
        while stuck.next().await.is_some() {}
        (stuck, taken, last.elapsed())
    });
    let mut beside = Vec::new();
    while !stuck.is_finished() {
        beside.push(soon(rounds(&mut others)).await);
    }
    let (stuck, taken, waited) = stuck.await.unwrap();
    let outcome = stuck.outcome().unwrap();
    assert!(matches!(outcome.cause, Cause::WriteStalled), "{outcome:?}");
    assert!(waited >= STALL, "{waited:?}");
    // The window of the stream, what the session may queue, and the pieces in between.
    assert!(taken <= (256 + 128 + 3 * 64) * 1024, "{taken} bytes were taken for it");
    let slowest = beside.iter().max().unwrap();
    assert!(*slowest < 10 * before + Duration::from_secs(1), "{before:?}, then {beside:?}");
    drop(never_read);
    soon(rounds(&mut others)).await;
}

/// Each sends and receives a few messages; how long that takes.
async fn rounds(sockets: &mut [Socket]) -> Duration {
    let start = Instant::now();
    for round in 0..3_u32 {
        for socket in &mut *sockets {
            socket.send(Message::text(round.to_string())).await.unwrap();
        }
        for socket in &mut *sockets {
            assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(round.to_string()));
        }
    }
    start.elapsed()
}
