//! WebSockets that share the connections of their client, and connections that have enough of them.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use ws_endpoint::{
    AcceptOptions, Client, ConnectOptions, Error, H2Options, HttpPolicy, HttpVersion, Message,
    QuicOptions, Server, WebSocket,
};

use crate::certificates::{Certificates, certificates};
use crate::hostile::Fault;
use crate::net::{Memory, Mishap, Side};
use crate::sim::{Collected, Sim, yield_now};

const NO_MISHAP: Mishap = Mishap { side: Side::Client, fault: Fault::Error, number: usize::MAX };

/// A server that answers each request but the second, and a client, on one network.
fn silent_to_the_second(sim: &Sim, http: HttpPolicy) -> (Client<Memory>, Memory, String) {
    let (near, far) = Memory::new(sim, NO_MISHAP);
    let Certificates { server: identity, trust, .. } = certificates();
    let handshake_timeout = Duration::from_secs(600);
    let options = AcceptOptions { handshake_timeout, ..AcceptOptions::default() };
    let asked = AtomicUsize::new(0);
    let server = Server::new(far)
        .listen_tls(([127, 0, 0, 1], 0).into(), Arc::clone(identity))
        .unwrap()
        .with_options(options)
        .with_async_route(move |_, _| {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move { if number == 1 { pending().await } else { Ok(()) } })
        });
    let url = server.urls().next().unwrap().replace("127.0.0.1", "localhost");
    serve(sim, server);
    let client = Client::new(near.clone()).with_tls(Arc::clone(trust)).with_http(http);
    (client, near, url)
}

fn serve(sim: &Sim, server: Server<Memory>) {
    sim.spawn_collect(server.serve(|mut websocket| async move {
        while let Some(Ok(message)) = websocket.next().await {
            if message.data_kind().is_some() && websocket.send(message).await.is_err() {
                break;
            }
        }
    }));
}

fn within(seconds: u64) -> ConnectOptions {
    let handshake_timeout = Duration::from_secs(seconds);
    ConnectOptions { handshake_timeout, ..ConnectOptions::default() }
}

/// Drops `future` when it has not ended by then.
async fn in_time<F: Future>(sim: &Sim, patience: Duration, future: F) -> Option<F::Output> {
    let (mut future, mut patience) = (pin!(future), pin!(sim.sleep(patience)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => patience.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// Opens so many at once, and says how each of them went. The one that runs first comes second to the
/// client, so that another dials.
async fn open_at_once(
    sim: &Sim,
    client: &Client<Memory>,
    url: &str,
    number: usize,
) -> Vec<Result<WebSocket<Memory>, Error>> {
    let open = |index| {
        let (client, url) = (client.clone(), url.to_owned());
        sim.spawn_collect(async move {
            if index == 0 {
                yield_now().await;
            }
            client.connect(&url, &ConnectOptions::default()).await
        })
    };
    let opening: Vec<Collected<_>> = (0..number).map(open).collect();
    sim.sleep(Duration::from_secs(20)).await;
    opening.into_iter().map(|opening| opening.take().unwrap()).collect()
}

#[test]
fn a_connection_on_which_an_attempt_hung_carries_on_and_takes_no_more() {
    // How long the caller waits before it drops the attempt, or how long the options let it take.
    for (gives_up, timeout, dials) in [
        (Some(Duration::from_secs(2)), 15, 2),
        (None, 2, 2),
        // It went too soon to say anything of the server.
        (Some(Duration::from_millis(10)), 15, 1),
    ] {
        let sim = Sim::new();
        sim.block_on(async {
            let (client, net, url) = silent_to_the_second(&sim, HttpPolicy::H2);
            let mut first = client.connect(&url, &within(15)).await.unwrap();
            let second = {
                let (client, url) = (client.clone(), url.clone());
                async move { client.connect(&url, &within(timeout)).await.map(drop) }
            };
            let second = match gives_up {
                Some(patience) => in_time(&sim, patience, second).await,
                None => Some(second.await),
            };
            assert!(!matches!(second, Some(Ok(()))), "{gives_up:?}, {timeout} s");
            let third = client.connect(&url, &within(2)).await;
            assert!(third.is_ok(), "{gives_up:?}, {timeout} s: {third:?}");
            assert_eq!(net.dials(), dials, "{gives_up:?}, {timeout} s");
            first.send(Message::text("still there")).await.unwrap();
            assert_eq!(first.next().await.unwrap().unwrap(), Message::text("still there"));
        });
    }
}

#[test]
fn a_shared_connection_gone_silent_says_nothing_of_the_version() {
    let sim = Sim::new();
    sim.block_on(async {
        let (client, net, url) = silent_to_the_second(&sim, HttpPolicy::Best);
        let first = client.connect(&url, &within(15)).await.unwrap();
        assert_eq!(first.transport().http_version(), HttpVersion::H2);
        let second = client.connect(&url, &within(15)).await.unwrap();
        assert_eq!(second.transport().http_version(), HttpVersion::H1);
        let third = client.connect(&url, &within(15)).await.unwrap();
        assert_eq!(third.transport().http_version(), HttpVersion::H2);
        assert_eq!(net.dials(), 3);
    });
}

#[test]
fn as_many_connections_are_opened_as_all_who_come_at_once_need() {
    let sim = Sim::new();
    sim.block_on(async {
        let (near, far) = Memory::new(&sim, NO_MISHAP);
        let mut options = H2Options::default();
        options.max_streams = 3;
        let server = Server::new(far).listen(([127, 0, 0, 1], 0).into()).unwrap();
        let server = server.with_h2(options);
        let url = server.urls().next().unwrap();
        serve(&sim, server);
        let client = Client::new(near.clone()).with_http(HttpPolicy::H2);
        for opened in open_at_once(&sim, &client, &url, 8).await {
            assert!(opened.is_ok(), "{opened:?}");
        }
        assert_eq!(near.dials(), 3);
    });
}

#[test]
fn who_dials_and_comes_too_late_for_a_stream_gets_one_elsewhere() {
    let sim = Sim::new();
    sim.block_on(async {
        let (near, far) = Memory::new(&sim, NO_MISHAP);
        let Certificates { server: identity, trust, .. } = certificates();
        let mut options = QuicOptions::default();
        options.max_requests = 1;
        let server = Server::new(far)
            .listen_h3(([127, 0, 0, 1], 0).into(), Arc::clone(identity))
            .unwrap()
            .with_quic(options);
        let url = server.urls().next().unwrap().replace("127.0.0.1", "localhost");
        serve(&sim, server);
        let client = Client::new(near).with_tls(Arc::clone(trust)).with_http(HttpPolicy::H3);
        for opened in open_at_once(&sim, &client, &url, 5).await {
            assert!(opened.is_ok(), "{opened:?}");
        }
    });
}
