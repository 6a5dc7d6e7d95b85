//! A client and a server of this crate over sockets whose n-th call goes wrong, on the one side or
//! the other, for n from the first call on until a conversation has no more of them: TCP, TLS, HTTP/2
//! and QUIC. No panic, no hang, a typed outcome, every WebSocket told of its end once, and no task
//! left behind when everybody's deadline has passed.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ws_endpoint::{
    Client, CloseCode, ConnectOptions, Error, Handler, HttpPolicy, Message, Outcome, Server,
};
use ws_io::{Flow, Peer};

use crate::certificates::{Certificates, certificates};
use crate::hostile::Fault;
use crate::net::{Memory, Mishap, Side};
use crate::sim::Sim;

/// How they speak.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Way {
    http: HttpPolicy,
    scheme: &'static str,
}

fn survives(http: HttpPolicy, scheme: &'static str) {
    let way = Way { http, scheme };
    for side in [Side::Client, Side::Server] {
        for fault in Fault::ALL {
            for number in 0.. {
                let mishap = Mishap { side, fault, number };
                let (result, calls) = converse(way, mishap);
                if let Err(error) = &result {
                    let reason = error.reason();
                    let is_known = REASONS.contains(&reason)
                        // Who ends a connection before the first SETTINGS may not know HTTP/2.
                        || fault == Fault::End && reason == "unsupported_http_version";
                    assert!(is_known, "{way:?} {mishap:?}: {reason}");
                }
                if fault == Fault::OneByte || calls <= number {
                    assert!(matches!(result, Ok(true)), "{way:?} {mishap:?}: {result:?}");
                }
                if calls <= number {
                    assert!(number > 4, "{way:?}: a conversation uses its sockets");
                    break;
                }
            }
        }
    }
}

/// As what such sockets may be told.
const REASONS: [&str; 5] =
    ["transport_error", "idle", "write_stalled", "message_stalled", "closed"];

/// A conversation from dialling to the goodbye: what became of it for the client, and how often the
/// sockets with the fault were called.
fn converse(way: Way, mishap: Mishap) -> (Result<bool, Error>, usize) {
    let sim = Sim::new();
    let (near, far) = Memory::new(&sim, mishap);
    let told = Arc::new(Told::default());
    let result = sim.block_on(async {
        let Certificates { server: identity, trust, .. } = certificates();
        let server = Server::new(far.clone());
        let anywhere = ([127, 0, 0, 1], 0).into();
        let server = match way {
            Way { http: HttpPolicy::H3, .. } => server.listen_h3(anywhere, Arc::clone(identity)),
            Way { scheme: "wss", .. } => server.listen_tls(anywhere, Arc::clone(identity)),
            _ => server.listen(anywhere),
        };
        let server = server.expect("a free port");
        let url = server.urls().next().expect("it listens").replace("127.0.0.1", "localhost");
        let shutdown = server.shutdown_handle();
        let serving = Arc::clone(&told);
        let drained = sim.spawn_collect(
            server.serve_handlers(move |_| Echo { told: Arc::clone(&serving), ended: false }),
        );
        crate::sim::yield_now().await;
        let at_rest = far.tasks();

        let client = Client::new(near).with_tls(Arc::clone(trust)).with_http(way.http);
        let began = sim.elapsed();
        let result = talk(&client, &url).await;
        if mishap.fault == Fault::OneByte {
            // A datagram without its rest is lost, whichever it is, the last one of a flight too.
            let took = sim.elapsed() - began;
            assert!(took < Duration::from_secs(4), "{way:?} {mishap:?}: {took:?}");
        }
        let is_past =
            way.http != HttpPolicy::H3 || matches!(mishap.fault, Fault::Error | Fault::OneByte);
        if is_past && far.calls() > mishap.number {
            // Only the first connection has bad luck, or the one datagram. One that others may share can be
            // dead without anybody's knowing: then the request is sent again.
            let again = talk(&client, &url).await;
            assert!(matches!(again, Ok(true)), "{way:?} {mishap:?}: {again:?} after {result:?}");
        }
        client.wait_idle().await;
        // What is left has its deadlines.
        sim.sleep(Duration::from_secs(300)).await;
        assert!(far.tasks() <= at_rest, "{way:?} {mishap:?}: tasks are left, {result:?}");
        assert_eq!(
            told.opened.load(Ordering::Relaxed),
            told.terminated.load(Ordering::Relaxed),
            "{way:?} {mishap:?}: {result:?}"
        );
        shutdown.drain(Duration::from_secs(1));
        assert_eq!(drained.output().await.cut, 0, "{way:?} {mishap:?}");
        crate::sim::yield_now().await;
        assert_eq!(far.tasks(), 0, "{way:?} {mishap:?}: tasks outlive the server");
        result
    });
    (result, far.calls())
}

/// The client's part, two echoes and the goodbye: whether there were two.
async fn talk(client: &Client<Memory>, url: &str) -> Result<bool, Error> {
    let mut socket = client.connect(url, &ConnectOptions::default()).await?;
    let (mut failure, mut is_whole) = (None, true);
    for size in [10, 3000] {
        let message = Message::binary(vec![7; size]);
        if let Err(error) = socket.send(message.clone()).await {
            failure.get_or_insert(error);
        }
        match socket.next().await {
            Some(Ok(echo)) if echo.data_kind().is_some() => assert_eq!(echo, message),
            Some(Err(error)) => failure = Some(error),
            // The server, which met the fault, says goodbye.
            Some(Ok(_)) | None => is_whole = false,
        }
    }
    assert!(socket.close(CloseCode::NORMAL, "").await.is_ok());
    while let Some(message) = socket.next().await {
        if let Err(error) = message {
            failure = Some(error);
        }
    }
    assert!(socket.outcome().is_some() && socket.next().await.is_none());
    failure.map_or(Ok(is_whole), Err)
}

/// What the server's handlers were told, all together.
#[derive(Debug, Default)]
struct Told {
    opened: AtomicUsize,
    terminated: AtomicUsize,
    causes: Mutex<Vec<&'static str>>,
}

struct Echo {
    told: Arc<Told>,
    ended: bool,
}

impl Handler for Echo {
    type Info = Infallible;
    type Error = Error;

    async fn on_open(&mut self, _: &mut Peer<'_, Infallible>) -> Result<Flow, Error> {
        self.told.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Flow::Continue)
    }

    async fn on_message(
        &mut self,
        message: Message,
        peer: &mut Peer<'_, Infallible>,
    ) -> Result<Flow, Error> {
        if message.data_kind().is_some() {
            peer.send(message).await?;
        }
        Ok(Flow::Continue)
    }

    async fn on_terminate(&mut self, outcome: &Outcome) {
        assert!(!std::mem::replace(&mut self.ended, true), "told twice");
        self.told.terminated.fetch_add(1, Ordering::Relaxed);
        self.told.causes.lock().unwrap().push(outcome.cause.reason());
    }
}

// THREAT: endless-loop
#[test]
fn http_1_survives_a_fault_at_any_call() {
    survives(HttpPolicy::H1, "ws");
}

#[test]
fn http_1_over_tls_survives_a_fault_at_any_call() {
    survives(HttpPolicy::H1, "wss");
}

#[test]
fn http_2_survives_a_fault_at_any_call() {
    survives(HttpPolicy::H2, "ws");
}

#[test]
fn http_2_over_tls_survives_a_fault_at_any_call() {
    survives(HttpPolicy::H2, "wss");
}

#[test]
fn the_best_version_survives_a_fault_at_any_call() {
    survives(HttpPolicy::Best, "wss");
}

#[test]
fn http_3_survives_a_fault_at_any_datagram() {
    survives(HttpPolicy::H3, "wss");
}
