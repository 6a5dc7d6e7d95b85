//! A program that panics where it was called: what that costs, and whom.

use std::sync::Arc;
use std::time::Duration;

use ws_stack::endpoint::{AcceptOptions, CloseCode, Message, SubprotocolPolicy, WebSocket};

use crate::Seen;
use crate::cell::{Cell, echo};
use crate::platform::Platform;

/// Where it panics, by the path that is asked for.
const WISHES: [&str; 5] = ["route", "later-route", "choice", "task", "task-in-between"];

async fn serve<N: Platform>(mut websocket: WebSocket<N>) {
    let path = websocket.upgrade_info().map(|info| info.path().to_owned());
    assert_ne!(path.as_deref(), Some("/task"), "as the case wants it");
    if path.as_deref() == Some("/task-in-between") {
        let first = websocket.next().await;
        panic!("as the case wants it, at {first:?}");
    }
    echo(websocket).await;
}

async fn talk<N: Platform>(websocket: &mut WebSocket<N>) {
    websocket.send(Message::text("hello")).await.expect("sent");
    loop {
        let message = websocket.next().await.expect("open").expect("a message");
        if message.data_kind().is_some() {
            break;
        }
    }
}

/// Over HTTP/2 and HTTP/3 they share the connection.
pub(crate) async fn a_panic_costs_its_own_websocket<N: Platform>(cell: Cell<N>) -> Seen {
    let subprotocols = SubprotocolPolicy::Custom(Arc::new(|offered| {
        assert!(!offered.iter().any(|name| name == "panics"), "as the case wants it");
        None
    }));
    let options = AcceptOptions { subprotocols, ..cell.accept_options() };
    let server = cell.listen(options).with_async_route(|request, _| {
        assert_ne!(request.path_only(), "/route", "as the case wants it");
        let panics_later = request.path_only() == "/later-route";
        Box::pin(async move {
            assert!(!panics_later, "as the case wants it");
            Ok(())
        })
    });
    let server = cell.serve(server, serve::<N>);
    let (client, options) = (cell.client(), cell.connect_options());
    let open = async |path: &str| {
        let mut options = options.clone();
        if path == "choice" {
            options.subprotocols = vec!["panics".to_owned()];
        }
        client.connect(&format!("{}{path}", server.url), &options).await
    };
    let mut neighbour = open("").await.expect("open");
    for wish in WISHES {
        let Ok(mut websocket) = open(wish).await else {
            assert!(!wish.starts_with("task"), "{wish}");
            continue;
        };
        assert!(wish.starts_with("task"), "{wish}");
        // It may be gone by now.
        let _sent = websocket.send(Message::text("hello")).await;
        while websocket.next().await.is_some() {}
        assert_eq!(websocket.outcome().expect("over").code, CloseCode::ABNORMAL, "{wish}");
    }
    talk(&mut neighbour).await;
    talk(&mut open("").await.expect("open")).await;
    // Their places are free again, or the server would wait for them.
    server.shutdown.drain(Duration::from_secs(10));
    while neighbour.next().await.is_some() {}
    assert_eq!(neighbour.outcome().expect("over").code, CloseCode::GOING_AWAY);
    drop(neighbour);
    assert_eq!(server.drained.await.expect("it has ended").cut, 0);
    Seen::Right
}
