//! The handshake for an HTTP server that has read the request by itself.

use http::Version;
use ws_handshake::Headers as _;
use ws_io::{AcceptOptions, Message, Runtime as _, SubprotocolPolicy, duplex};
use ws_session::{Config, SharedBudget};

use crate::support::{Sim, client, echo};

fn options() -> AcceptOptions {
    AcceptOptions {
        subprotocols: SubprotocolPolicy::optional(["chat"]),
        headers: vec![("X-Served-By".to_owned(), "me".to_owned())],
        ..AcceptOptions::default()
    }
}

fn upgrade() -> http::request::Builder {
    http::Request::get("/room?id=7")
        .header("host", "chat.example")
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "chat")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

fn connect() -> http::request::Builder {
    http::Request::connect("https://chat.example/room?id=7")
        .version(Version::HTTP_2)
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "chat")
}

#[test]
fn what_was_answered_becomes_a_websocket_on_what_is_handed_over() {
    for (request, protocol, status) in [(upgrade(), None, 101), (connect(), Some("websocket"), 200)]
    {
        let request = request.body(()).unwrap();
        let (response, accepted) = options().answer(&request, protocol).unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
        assert_eq!(response.headers()["x-served-by"], "me");
        assert_eq!(accepted.upgrade_info().path(), "/room?id=7");
        let sim = Sim::new();
        let (left, right) = duplex(1000);
        let mut server = accepted.over(right, sim.clone());
        assert_eq!(server.subprotocol(), Some("chat"));
        let mut client = client(&sim, left);
        sim.spawn(async move { echo(&mut server).await.unwrap() });
        sim.block_on(async {
            client.send(Message::text("inside")).await.unwrap();
            assert_eq!(client.next().await.unwrap().unwrap(), Message::text("inside"));
        });
    }
}

// RFC: H2-8.2.3-01
#[test]
fn cookies_that_came_in_pieces_are_one_field() {
    let request = connect().header("cookie", "a=b").header("x", "1").header("cookie", "c=d");
    let request = request.body(()).unwrap();
    let (_, accepted) = options().answer(&request, Some("websocket")).unwrap();
    let headers = accepted.upgrade_info().headers();
    assert_eq!((headers.get("cookie"), headers.get("x")), (Some("a=b; c=d"), Some("1")));
    assert_eq!(headers.values("cookie").count(), 1);
}

#[test]
fn what_becomes_none_is_answered_and_told() {
    let foreign =
        |request: http::request::Builder| request.header("origin", "https://evil.example");
    let rows = [
        (http::Request::get("/").header("host", "a"), None, "missing_upgrade_header", 426),
        (foreign(upgrade()), None, "origin_not_allowed", 403),
        (connect(), None, "wrong_protocol", 501),
        (foreign(connect()), Some("websocket"), "origin_not_allowed", 403),
    ];
    for (request, protocol, reason, status) in rows {
        let request = request.body(()).unwrap();
        let declined = options().answer(&request, protocol).unwrap_err();
        assert_eq!(
            (declined.error.reason(), declined.response.status().as_u16()),
            (reason, status)
        );
        // RFC 9110 §7.8, and there is no such field in HTTP/2.
        let connection = declined.response.headers().get("connection");
        assert_eq!(connection.is_some(), status == 426, "{reason}");
    }
    let budget = SharedBudget::new(1000);
    let mut others = Vec::new();
    while budget.has_room() {
        let mut other = budget.open();
        assert!(other.set(4096));
        others.push(other);
    }
    let session = Config::default().with_shared_budget(budget).into();
    let options = AcceptOptions { session, ..options() };
    let declined = options.answer(&upgrade().body(()).unwrap(), None).unwrap_err();
    assert_eq!(declined.error.reason(), "budget_exceeded");
    assert_eq!(declined.response.status(), 503);
}
