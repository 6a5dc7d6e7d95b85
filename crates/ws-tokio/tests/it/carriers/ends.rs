//! Every way a WebSocket comes to its end.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::mpsc;
#[cfg(feature = "h2")]
use ws_tokio::ConnectOptions;
use ws_tokio::{
    AcceptOptions, Cause, CloseCode, Config, Message, TransportError, WebSocket, server,
};

use super::over::{House, Over, over_every_carrier};

over_every_carrier!(
    the_client_says_goodbye,
    the_server_says_goodbye,
    a_client_that_just_leaves_is_noticed,
    everyone_is_told_that_the_server_goes_away,
    who_does_not_leave_in_time_is_cut,
    silence_is_closed_with_1001,
    beyond_the_cap_there_is_no_room,
);

#[cfg(feature = "h2")]
mod kept {
    macro_rules! over {
        ($($name:ident, $over:ident);*) => {
            $(
                #[tokio::test]
                async fn $name() {
                    let over = crate::carriers::over::Over::$over;
                    super::what_has_ended_and_is_kept_keeps_nobody_out(over).await;
                }
            )*
        };
    }
    over!(h2, H2; h2_tls, H2Tls);
    #[cfg(feature = "h3")]
    over!(h3, H3);
}

/// A server that hands back each WebSocket that has ended.
fn telling(over: Over) -> (House, mpsc::UnboundedReceiver<WebSocket>) {
    telling_up_to(65_536, over)
}

fn telling_up_to(max: usize, over: Over) -> (House, mpsc::UnboundedReceiver<WebSocket>) {
    let (tell, told) = mpsc::unbounded_channel();
    let house = over.serve(server().with_max_connections(max), move |mut websocket: WebSocket| {
        let tell = tell.clone();
        async move {
            while let Some(message) = websocket.next().await {
                if matches!(message, Ok(Message::Text(_))) {
                    websocket.start_close(CloseCode::new(4002), "enough").expect("valid");
                }
            }
            tell.send(websocket).expect("somebody listens");
        }
    });
    (house, told)
}

async fn the_client_says_goodbye(over: Over) {
    let (house, mut told) = telling(over);
    let mut websocket = house.connect().await;
    let outcome = websocket.close(CloseCode::new(4001), "bye").await.expect("a valid code");
    assert!(outcome.clean, "{outcome:?}");
    let told = told.recv().await.expect("told");
    let outcome = told.outcome().expect("it has ended");
    assert_eq!((outcome.code.get(), &*outcome.reason, outcome.clean), (4001, "bye", true));
    assert!(matches!(outcome.cause, Cause::Remote), "{outcome:?}");
}

/// Over TCP it keeps its socket.
#[cfg(feature = "h2")]
async fn what_has_ended_and_is_kept_keeps_nobody_out(over: Over) {
    // The connection and one WebSocket.
    let (house, mut told) = telling_up_to(2, over);
    let mut kept = Vec::new();
    for round in 0..3 {
        let mut tries = 0;
        let mut websocket = loop {
            match house.try_connect("", &ConnectOptions::default()).await {
                Ok(websocket) => break websocket,
                // The server's task of the one before may still be on its way out.
                Err(error) => assert!(tries < 250, "round {round}: {error}"),
            }
            tries += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(websocket.close(CloseCode::NORMAL, "").await.expect("a valid code").clean);
        kept.push((websocket, told.recv().await.expect("told")));
    }
}

async fn the_server_says_goodbye(over: Over) {
    let (house, mut told) = telling(over);
    let mut websocket = house.connect().await;
    websocket.send(Message::text("go")).await.expect("sent");
    while let Some(message) = websocket.next().await {
        message.expect("an orderly end");
    }
    let outcome = websocket.outcome().expect("it has ended");
    assert_eq!((outcome.code.get(), &*outcome.reason, outcome.clean), (4002, "enough", true));
    let told = told.recv().await.expect("told");
    assert!(told.outcome().expect("it has ended").clean);
}

// RFC: M1-9.8-01
async fn a_client_that_just_leaves_is_noticed(over: Over) {
    let (house, mut told) = telling(over);
    let neighbour = house.connect().await;
    drop(house.connect().await);
    let told = told.recv().await.expect("told");
    let outcome = told.outcome().expect("it has ended");
    assert!(matches!(outcome.cause, Cause::Transport(TransportError::Closed)), "{outcome:?}");
    assert!(!outcome.clean);
    let mut neighbour = neighbour;
    assert!(neighbour.close(CloseCode::NORMAL, "").await.expect("a valid code").clean);
}

async fn everyone_is_told_that_the_server_goes_away(over: Over) {
    let house = over.house(AcceptOptions::default());
    let mut websockets = Vec::new();
    for _ in 0..10 {
        websockets.push(house.connect().await);
    }
    house.shutdown.drain(Duration::from_secs(5));
    for websocket in &mut websockets {
        while let Some(message) = websocket.next().await {
            message.expect("an orderly end");
        }
        let outcome = websocket.outcome().expect("it has ended");
        assert_eq!(outcome.code, CloseCode::GOING_AWAY);
        assert!(outcome.clean && matches!(outcome.cause, Cause::Remote), "{outcome:?}");
    }
    assert_eq!(house.serving.await.expect("no panic").cut, 0);
    // Over UDP nobody says that the port is closed.
    let handshake_timeout = Duration::from_millis(300);
    let options = ws_tokio::ConnectOptions { handshake_timeout, ..Default::default() };
    assert!(house.client.connect(&house.url, &options).await.is_err());
}

async fn who_does_not_leave_in_time_is_cut(over: Over) {
    // A task that never reads, so that it never hears of the end.
    let house = over.serve(server(), |websocket| async move {
        std::future::pending::<()>().await;
        drop(websocket);
    });
    let mut websocket = house.connect().await;
    house.shutdown.drain(Duration::from_millis(50));
    assert_eq!(house.serving.await.expect("no panic").cut, 1);
    let end = websocket.next().await.expect("an error").expect_err("no goodbye");
    assert_eq!(end.reason(), "transport_error");
}

async fn silence_is_closed_with_1001(over: Over) {
    let mut session = Config::default();
    session.keep_alive = Duration::from_millis(50);
    session.idle_timeout = Duration::from_millis(150);
    let session = Arc::new(session);
    let house = over.house(AcceptOptions { session, ..Default::default() });
    let mut websocket = house.connect().await;
    // Who does not read does not answer the ping.
    tokio::time::sleep(Duration::from_millis(400)).await;
    while let Some(message) = websocket.next().await {
        if message.is_err() {
            break;
        }
    }
    let outcome = websocket.outcome().expect("it has ended");
    assert_eq!(outcome.code, CloseCode::GOING_AWAY);
}

async fn beyond_the_cap_there_is_no_room(over: Over) {
    // A connection that carries WebSockets counts as well.
    let is_carrier = over.version() != ws_tokio::HttpVersion::H1;
    let server = server().with_max_connections(1 + usize::from(is_carrier));
    let house = over.serve(server, crate::support::echo);
    let mut first = house.connect().await;
    let patience = Duration::from_millis(if is_carrier { 10_000 } else { 100 });
    match tokio::time::timeout(patience, house.connect_result()).await {
        // Over HTTP/1.1 it waits until it is accepted.
        Err(_) => assert!(!is_carrier),
        Ok(refused) => {
            let status = refused.expect_err("full").response().map(|answer| answer.status);
            assert_eq!((status, is_carrier), (Some(503), true));
        }
    }
    first.close(CloseCode::NORMAL, "").await.expect("a valid code");
    drop(first);
    // The server lets go of it a moment after the client has.
    let found_room = async {
        while house.connect_result().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), found_room).await.expect("room");
}

impl House {
    async fn connect_result(&self) -> Result<WebSocket, ws_tokio::Error> {
        self.try_connect("", &Default::default()).await
    }
}

/// Nobody is left who would wake it.
#[test]
fn a_websocket_that_outlives_its_runtime_has_ended() {
    let carriers = [
        Over::H1,
        Over::H1Tls,
        #[cfg(feature = "h2")]
        Over::H2,
        #[cfg(feature = "h2")]
        Over::H2Tls,
        #[cfg(feature = "h3")]
        Over::H3,
    ];
    for over in carriers {
        for is_split in [false, true] {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            let (house, mut websocket) = runtime.block_on(async {
                let house = over.house(AcceptOptions::default());
                let mut websocket = house.connect().await;
                websocket.send(Message::text("hello")).await.expect("sent");
                assert!(websocket.next().await.is_some(), "{over:?}");
                (house, websocket)
            });
            let sender = websocket.sender(1);
            drop(runtime);
            let mut cx = Context::from_waker(Waker::noop());
            let ended = if is_split {
                let (mut reader, writer) = websocket.split();
                let next = pin!(reader.next()).poll(&mut cx);
                drop(writer);
                next
            } else {
                pin!(websocket.next()).poll(&mut cx)
            };
            assert!(matches!(ended, Poll::Ready(Some(Err(_)))), "{over:?} {is_split}: {ended:?}");
            assert!(sender.is_closed(), "{over:?} {is_split}");
            house.shutdown.drain(Duration::ZERO);
            drop(house);
        }
    }
}
