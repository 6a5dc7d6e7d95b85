//! What is asked for, granted and refused.

use ws_tokio::{
    AcceptOptions, ConnectOptions, Error, HttpVersion, Message, OriginPolicy, Refusal, Request,
    SubprotocolPolicy, TransportError, WebSocket, server,
};

use super::over::{House, Over, over_every_carrier};
use crate::support::{distrustful, echo};

over_every_carrier!(
    the_server_chooses_among_the_subprotocols,
    a_foreign_page_is_refused_with_403,
    behind_a_trusted_gateway_the_same_origin_is_that_of_https,
    a_path_that_is_not_routed_is_refused_with_the_status_of_the_route,
    what_the_route_returns_comes_with_the_websocket,
    a_request_with_too_many_fields_is_refused_with_431,
    header_fields_go_both_ways,
    a_field_that_smuggles_is_not_sent,
    a_certificate_that_is_not_trusted_is_invalid_data,
);

async fn the_server_chooses_among_the_subprotocols(over: Over) {
    let subprotocols = SubprotocolPolicy::required(["chat.v2", "chat.v1"]);
    let house = over.house(AcceptOptions { subprotocols, ..Default::default() });
    let offer = |names: &[&str]| ConnectOptions {
        subprotocols: names.iter().map(|&name| name.to_owned()).collect(),
        ..Default::default()
    };
    let websocket = house.try_connect("", &offer(&["chat.v1", "chat.v2"])).await.expect("open");
    assert_eq!(websocket.subprotocol(), Some("chat.v2"));
    let refused = house.try_connect("", &offer(&["other"])).await;
    assert_eq!(status(refused), 400);
}

async fn a_foreign_page_is_refused_with_403(over: Over) {
    let origin = OriginPolicy::List(vec!["https://chat.example".into()]);
    let house = over.house(AcceptOptions { origin, ..Default::default() });
    let from = |origin: &str| ConnectOptions { origin: Some(origin.into()), ..Default::default() };
    assert_eq!(status(house.try_connect("", &from("https://evil.example")).await), 403);
    house.try_connect("", &from("https://chat.example")).await.expect("open");
}

// RFC: WS-10.2-01
async fn behind_a_trusted_gateway_the_same_origin_is_that_of_https(over: Over) {
    let from = |house: &House, scheme: &str| {
        let (_, authority) = house.url.trim_end_matches('/').split_once("://").expect("a url");
        let origin = Some(format!("{scheme}://{authority}"));
        ConnectOptions { origin, ..Default::default() }
    };
    let open = over.serve(server(), echo);
    let is_secure = open.url.starts_with("wss:");
    let same = open.try_connect("", &from(&open, "https")).await;
    assert_eq!(same.is_ok(), is_secure);
    let behind =
        over.serve(server().with_trusted_gateway().with_options(AcceptOptions::default()), echo);
    behind.try_connect("", &from(&behind, "https")).await.expect("open");
    assert_eq!(status(behind.try_connect("", &from(&behind, "http")).await), 403);
}

#[cfg(feature = "h2")]
#[tokio::test]
async fn a_request_for_https_over_cleartext_is_served_to_a_trusted_gateway_alone() {
    for (trusted, expected) in [(false, 421), (true, 200)] {
        let server = if trusted { server().with_trusted_gateway() } else { server() };
        let house = Over::H2.serve(server, echo);
        let authority = house.url.trim_start_matches("ws://").trim_end_matches('/').to_owned();
        let tcp = tokio::net::TcpStream::connect(&authority).await.expect("it listens");
        let config = ws_h2::ClientConfig::default();
        let client = ws_h2::Client::new(tcp, None, ws_tokio::Tokio, &config).await.expect("open");
        let request = http::Request::builder()
            .method("CONNECT")
            .uri(format!("https://{authority}/"))
            .header("sec-websocket-version", "13")
            .body(())
            .expect("a request");
        let status = match client.connect(request).await {
            Ok((response, _)) => response.status().as_u16(),
            Err(ws_h2::Error::UnexpectedStatus(response)) => response.status().as_u16(),
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(status, expected, "trusted: {trusted}");
    }
}

async fn a_path_that_is_not_routed_is_refused_with_the_status_of_the_route(over: Over) {
    let server = server().with_route(move |request, remote| {
        assert_eq!(remote.http_version(), over.version());
        assert!(remote.address().is_some_and(|address| address.ip().is_loopback()));
        match request.path_only() {
            "/chat" => Ok(()),
            "/private" => Err(Refusal::fixed(401, &[("www-authenticate", "Basic")])),
            "/other" => Err(Refusal::fixed(426, &[("Upgrade", "other"), ("X-Why", "it is")])),
            _ => Err(Refusal::fixed(404, &[])),
        }
    });
    let house = over.serve(server, echo);
    let options = ConnectOptions::default();
    let websocket = house.try_connect("chat?room=1", &options).await.expect("open");
    assert_eq!(websocket.upgrade_info().expect("kept").path(), "/chat?room=1");
    assert_eq!(status(house.try_connect("elsewhere", &options).await), 404);
    let refused = house.try_connect("private", &options).await.expect_err("refused");
    let response = refused.response().expect("an answer");
    assert_eq!((response.status, &*response.body), (401, &b"Unauthorized"[..]));
    assert_eq!(response.headers.get("www-authenticate"), Some("Basic"));
    // RFC 9113 §8.2.2, RFC 9114 §4.2: fields of a connection are none of a stream.
    let refused = house.try_connect("other", &options).await.expect_err("refused");
    let response = refused.response().expect("an answer");
    assert_eq!((response.status, response.headers.get("x-why")), (426, Some("it is")));
    let has_upgrade = over.version() == HttpVersion::H1;
    assert_eq!(response.headers.get("upgrade"), has_upgrade.then_some("other"));
}

async fn what_the_route_returns_comes_with_the_websocket(over: Over) {
    #[derive(Debug)]
    struct User(&'static str);
    fn user_of(request: &Request) -> Result<User, Refusal> {
        match request.headers.get("authorization") {
            Some("Bearer 12345") => Ok(User("ann")),
            _ => Err(Refusal::fixed(401, &[]).with_text("who are you?")),
        }
    }
    async fn greet(mut websocket: WebSocket) {
        let user = websocket.upgrade_info().and_then(|info| info.attachment::<User>());
        let text = user.map_or("nobody", |User(name)| name);
        websocket.send(Message::text(text)).await.expect("sent");
        while websocket.next().await.is_some() {}
    }
    let now = server().with_route(|request, _| user_of(request));
    let later = server().with_async_route(|request, _| Box::pin(async move { user_of(request) }));
    let headers = vec![("Authorization".to_owned(), "Bearer 12345".to_owned())];
    let options = ConnectOptions { headers, ..Default::default() };
    for (server, greeting) in [(now, "ann"), (later, "ann"), (server(), "nobody")] {
        let house = over.serve(server, greet);
        let mut websocket = house.try_connect("", &options).await.expect("open");
        assert_eq!(websocket.next().await.expect("open").expect("text"), Message::text(greeting));
        if greeting == "ann" {
            let refused = house.try_connect("", &ConnectOptions::default()).await;
            let error = refused.expect_err("refused");
            let response = error.response().expect("an answer");
            assert_eq!((response.status, &*response.body), (401, &b"who are you?"[..]));
            assert_eq!(response.headers.get("content-type"), Some("text/plain; charset=utf-8"));
        }
    }
}

async fn a_request_with_too_many_fields_is_refused_with_431(over: Over) {
    let house = over.house(AcceptOptions { max_headers: 20, ..Default::default() });
    let headers = (0..30).map(|number| (format!("x-{number}"), "1".to_owned())).collect();
    let options = ConnectOptions { headers, ..Default::default() };
    assert_eq!(status(house.try_connect("", &options).await), 431);
    house.connect().await;
}

async fn header_fields_go_both_ways(over: Over) {
    let server = server()
        .with_options(AcceptOptions {
            headers: vec![("Set-Cookie".into(), "seat=9".into())],
            ..Default::default()
        })
        .with_route(|request, _| match request.headers.get("authorization") {
            Some("Bearer 12345") => Ok(()),
            _ => Err(Refusal::fixed(401, &[])),
        });
    let house: House = over.serve(server, echo);
    let options = ConnectOptions {
        headers: vec![("Authorization".into(), "Bearer 12345".into())],
        ..Default::default()
    };
    let websocket = house.try_connect("", &options).await.expect("open");
    let info = websocket.upgrade_info().expect("kept");
    assert_eq!(info.headers().get("set-cookie"), Some("seat=9"));
}

async fn a_field_that_smuggles_is_not_sent(over: Over) {
    let house = over.house(AcceptOptions::default());
    let options = ConnectOptions {
        headers: vec![("X-Note".into(), "a\r\nEvil: b".into())],
        ..Default::default()
    };
    let error = house.try_connect("", &options).await.expect_err("refused");
    assert_eq!(error.reason(), "invalid_header");
}

/// So that who connects again and again can tell it from a server that is down.
async fn a_certificate_that_is_not_trusted_is_invalid_data(over: Over) {
    let house = over.house(AcceptOptions::default());
    if !house.url.starts_with("wss:") {
        return;
    }
    let client = house.client.clone().with_tls(distrustful());
    let refused = client.connect(&house.url, &ConnectOptions::default()).await;
    let Err(Error::Transport(TransportError::Io(error))) = refused else { panic!("{refused:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error}");
}

fn status(refused: Result<ws_tokio::WebSocket, Error>) -> u16 {
    let error = refused.expect_err("refused");
    assert_eq!(error.reason(), "unexpected_status");
    error.response().expect("an answer").status
}
