//! Getting in, and being kept out.

use std::error::Error as _;
use std::time::Duration;

#[cfg(unix)]
use ws_stack::endpoint::Server;
use ws_stack::endpoint::{
    AcceptOptions, CloseCode, ConnectOptions, Error, HttpVersion, Message, Refusal,
    SubprotocolPolicy, TransportError, WebSocket,
};
#[cfg(unix)]
use ws_tests::Carrier;

use crate::Seen;
use crate::cell::{Cell, echo};
use crate::platform::{Platform, within};

async fn talk<N: Platform>(websocket: &mut WebSocket<N>) {
    websocket.send(Message::text("hello")).await.expect("sent");
    let answer = websocket.next().await.expect("open").expect("a message");
    assert_eq!(answer, Message::text("hello"));
}

pub(crate) async fn compression_is_used_when_both_want_it<N: Platform>(cell: Cell<N>) -> Seen {
    let server = cell.echo();
    let mut websocket = cell.connect(&server.url).await;
    let info = websocket.take_upgrade_info().expect("kept");
    let extensions = info.headers().get("sec-websocket-extensions").unwrap_or_default();
    assert_eq!(extensions.contains("permessage-deflate"), cell.deflate, "{extensions:?}");
    talk(&mut websocket).await;
    // Only one of them wants it: nobody compresses, and everything works.
    let options = ConnectOptions {
        deflate: (!cell.deflate).then(Default::default),
        ..ConnectOptions::default()
    };
    let mut websocket = cell.client().connect(&server.url, &options).await.expect("open");
    let info = websocket.take_upgrade_info().expect("kept");
    assert_eq!(info.headers().get("sec-websocket-extensions"), None);
    talk(&mut websocket).await;
    Seen::Right
}

pub(crate) async fn a_name_with_several_addresses_reaches_whoever_listens<N: Platform>(
    cell: Cell<N>,
) -> Seen {
    let server = cell.echo();
    // `localhost` is ::1 and 127.0.0.1 on most machines, and only the latter listens.
    let url = server.url.replace("127.0.0.1", "localhost");
    talk(&mut cell.connect(&url).await).await;
    Seen::Right
}

// RFC: WS-10.2-01, WS-4.2.2-04
// THREAT: cross-site
pub(crate) async fn a_page_of_another_origin_is_refused<N: Platform>(cell: Cell<N>) -> Seen {
    let server = cell.echo();
    let own = server.url.replacen("ws", "http", 1);
    for (origin, allowed) in
        [(own.trim_end_matches('/'), true), ("https://elsewhere.example", false), ("null", false)]
    {
        let options = ConnectOptions { origin: Some(origin.into()), ..cell.connect_options() };
        match cell.client().connect(&server.url, &options).await {
            Ok(mut websocket) => {
                assert!(allowed, "{origin}");
                talk(&mut websocket).await;
            }
            Err(error) => {
                assert!(!allowed, "{origin}: {error:?}");
                assert_eq!(error.reason(), "unexpected_status");
                let text = error.source().expect("the answer").to_string();
                assert!(text.contains("403"), "{text}");
            }
        }
    }
    Seen::Right
}

/// Answers after a moment, or not at all.
pub(crate) async fn a_route_may_take_its_time_but_not_for_ever<N: Platform>(cell: Cell<N>) -> Seen {
    let patience = Duration::from_millis(300);
    let options = AcceptOptions { handshake_timeout: patience, ..cell.accept_options() };
    let net = cell.net.clone();
    let server = cell.listen(options).with_async_route(move |request, _remote| {
        let net = net.clone();
        Box::pin(async move {
            let _moment =
                within(&net, Duration::from_millis(20), std::future::pending::<()>()).await;
            match request.path_only() {
                "/in" => Ok(()),
                "/out" => Err(Refusal::fixed(403, &[])),
                _ => std::future::pending().await,
            }
        })
    });
    let server = cell.serve(server, echo);
    talk(&mut cell.connect(&format!("{}in", server.url)).await).await;
    for (path, status) in [("out", "403"), ("never", "503")] {
        let start = cell.net.now();
        let error = cell.try_connect(&format!("{}{path}", server.url)).await.expect_err("refused");
        let text = error.source().expect("the answer").to_string();
        assert!(text.contains(status), "{path}: {text}");
        if path == "never" {
            cell.elapsed(start, patience / 2);
        }
    }
    Seen::Right
}

// RFC: WS-4.2.2-08, WS-4.2.2-09
pub(crate) async fn the_server_chooses_the_subprotocol<N: Platform>(cell: Cell<N>) -> Seen {
    let policies =
        [SubprotocolPolicy::optional(["v2", "v1"]), SubprotocolPolicy::required(["v2", "v1"])];
    for (policy, required) in policies.into_iter().zip([false, true]) {
        let options = AcceptOptions { subprotocols: policy, ..cell.accept_options() };
        let server = cell.serve(cell.listen(options), echo);
        let rows: [(&[&str], Option<&str>); 3] =
            [(&["v1", "v2"], Some("v2")), (&["v0", "v1"], Some("v1")), (&["v0"], None)];
        for (offered, chosen) in rows {
            let subprotocols = offered.iter().map(|&name| name.to_owned()).collect();
            let options = ConnectOptions { subprotocols, ..cell.connect_options() };
            match cell.client().connect(&server.url, &options).await {
                Ok(mut websocket) => {
                    assert_eq!(websocket.subprotocol(), chosen, "{offered:?}");
                    talk(&mut websocket).await;
                }
                Err(error) => {
                    assert!(required && chosen.is_none(), "{offered:?}: {error:?}");
                    assert_eq!(error.reason(), "unexpected_status");
                }
            }
        }
    }
    Seen::Right
}

// RFC: WS-4.1-10
pub(crate) async fn a_server_nobody_vouches_for_is_refused<N: Platform>(cell: Cell<N>) -> Seen {
    if !cell.carrier.is_secure() {
        return Seen::NotHere;
    }
    let server = cell.echo();
    let refused = cell.distrustful_client().connect(&server.url, &cell.connect_options()).await;
    assert!(matches!(refused, Err(Error::Transport(TransportError::Io(_)))), "{refused:?}");
    talk(&mut cell.connect(&server.url).await).await;
    Seen::Right
}

#[cfg(not(unix))]
pub(crate) async fn a_unix_socket_carries_messages<N: Platform>(_cell: Cell<N>) -> Seen {
    Seen::NotHere
}

#[cfg(unix)]
pub(crate) async fn a_unix_socket_carries_messages<N: Platform>(cell: Cell<N>) -> Seen {
    if cell.carrier != Carrier::H1 {
        return Seen::NotHere;
    }
    let file = format!("ws-matrix-{}-{}-{}.sock", N::NAME, cell.deflate, std::process::id());
    let path = std::env::temp_dir().join(file);
    let server = Server::new(cell.net.clone()).with_options(cell.accept_options());
    let running = cell.serve(server.listen_unix(&path).expect("a path"), echo);
    let options = cell.connect_options();
    let mut websocket =
        cell.client().connect_unix(&path, "ws://localhost/", &options).await.expect("open");
    talk(&mut websocket).await;
    let outcome = websocket.close(CloseCode::NORMAL, "").await.expect("a valid code");
    assert!(outcome.clean, "{outcome:?}");
    running.shutdown.drain(Duration::from_secs(5));
    assert_eq!(running.drained.await.expect("no panic").cut, 0);
    assert!(!path.exists(), "its file goes with the server");
    Seen::Right
}

pub(crate) async fn beyond_the_cap_connections_wait_for_room<N: Platform>(cell: Cell<N>) -> Seen {
    // Over HTTP/2 and HTTP/3 the connection that carries a WebSocket counts as well.
    let cap = if cell.carrier.version() == HttpVersion::H1 { 1 } else { 2 };
    let server = cell.listen(cell.accept_options()).with_max_connections(cap);
    let server = cell.serve(server, echo);
    let mut first = cell.connect(&server.url).await;
    let mut second = Box::pin(cell.try_connect(&server.url));
    let early = cell.within(Duration::from_millis(100), &mut second).await;
    assert!(early.is_none(), "the house is full");
    first.close(CloseCode::NORMAL, "").await.expect("a valid code");
    drop(first);
    let mut second = second.await;
    // There was room for the connection before there was room for a WebSocket on it.
    while let Err(error) = &second {
        let status = error.response().map(|response| response.status);
        assert_eq!((status, cap), (Some(503), 2), "{error:?}");
        assert!(cell.within(PAUSE, std::future::pending::<()>()).await.is_none());
        second = cell.try_connect(&server.url).await;
    }
    talk(&mut second.expect("open")).await;
    Seen::Right
}

/// Between two attempts to get in.
const PAUSE: Duration = Duration::from_millis(10);
