//! Many WebSockets at once to a server of which nobody knows yet what it speaks.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use ws_endpoint::tls::Tls;
use ws_endpoint::{
    Client, CloseCode, ConnectOptions, Error, HttpPolicy, HttpVersion, Listener as _, Net as _,
    Server, WebSocket,
};
use ws_io::AcceptOptions;

use crate::certificates::{Certificates, certificates};
use crate::hostile::Fault;
use crate::net::{Memory, Mishap, Side};
use crate::sim::{Collected, Sim, yield_now};

type Opened = (Result<WebSocket<Memory>, Error>, Duration);

/// Begins to open a WebSocket; it takes the virtual time in the output.
fn open(sim: &Sim, client: &Client<Memory>, url: &str, timeout: Duration) -> Collected<Opened> {
    let (began, clock) = (sim.elapsed(), sim.clone());
    let (client, url) = (client.clone(), url.to_owned());
    let options = ConnectOptions { handshake_timeout: timeout, ..ConnectOptions::default() };
    sim.spawn_collect(async move {
        let opened = client.connect(&url, &options).await;
        (opened, clock.elapsed() - began)
    })
}

/// Opens ten at once: each must be over `version`, and within `most`.
async fn ten_open(sim: &Sim, client: &Client<Memory>, url: &str, version: HttpVersion, most: u64) {
    let opening: Vec<_> =
        (0..10).map(|_| open(sim, client, url, Duration::from_secs(15))).collect();
    sim.sleep(LONG).await;
    for (number, opening) in opening.into_iter().enumerate() {
        let (opened, took) = opening.take().unwrap();
        assert_eq!(opened.unwrap().transport().http_version(), version, "{number}");
        assert!(took <= Duration::from_millis(most), "{number}: {took:?}");
    }
}

/// A client that goes for the best, and a server over TLS that no datagram reaches, on one network.
fn tcp_only(sim: &Sim, mishap: Mishap) -> (Client<Memory>, Server<Memory>, String) {
    let (near, far) = Memory::new(sim, mishap);
    let Certificates { server: identity, trust, .. } = certificates();
    let anywhere = ([127, 0, 0, 1], 0).into();
    let server = Server::new(far).listen_tls(anywhere, Arc::clone(identity)).unwrap();
    let url = server.urls().next().unwrap().replace("127.0.0.1", "localhost");
    let client = Client::new(near).with_tls(Arc::clone(trust)).with_http(HttpPolicy::Best);
    (client, server, url)
}

/// By then everything is open or has failed.
const LONG: Duration = Duration::from_secs(20);

const NO_MISHAP: Mishap = Mishap { side: Side::Client, fault: Fault::Error, number: usize::MAX };

#[test]
fn where_udp_is_blocked_one_finds_out_for_all() {
    let sim = Sim::new();
    sim.block_on(async {
        let (client, server, url) = tcp_only(&sim, NO_MISHAP);
        sim.spawn_collect(
            server.serve(|mut websocket| async move { while websocket.next().await.is_some() {} }),
        );
        ten_open(&sim, &client, &url, HttpVersion::H2, 600).await;
    });
}

#[test]
fn where_there_is_only_http_1_one_finds_out_for_all() {
    let sim = Sim::new();
    sim.block_on(async {
        let (near, far) = Memory::new(&sim, NO_MISHAP);
        let Certificates { server: identity, trust, .. } = certificates();
        let mut identity = rustls::ServerConfig::clone(identity);
        identity.alpn_protocols = vec![b"http/1.1".to_vec()];
        let (identity, clock) = (Arc::new(identity), sim.clone());
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("wss://localhost:{}/", socket.local_addr().unwrap().port());
        let mut listener = far.listen_tcp(socket).unwrap();
        let _serving = sim.spawn_collect(async move {
            loop {
                let stream = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
                let (far, identity) = (far.clone(), Arc::clone(&identity));
                clock.spawn_collect(async move {
                    far.sim.sleep(Duration::from_millis(300)).await;
                    let stream = Tls::accept(stream, identity).await.unwrap();
                    let accepting = ws_io::accept(stream, far, AcceptOptions::default());
                    let mut websocket = accepting.await.unwrap();
                    while websocket.next().await.is_some() {}
                });
            }
        });
        yield_now().await;
        let client = Client::new(near).with_tls(Arc::clone(trust)).with_http(HttpPolicy::Best);
        // Half a second for HTTP/3, and the first one's TLS, and that of the others side by side.
        ten_open(&sim, &client, &url, HttpVersion::H1, 1200).await;
    });
}

#[test]
fn who_has_only_waited_for_others_says_nothing_of_the_server() {
    let sim = Sim::new();
    sim.block_on(async {
        // The first connection over TCP hears nothing.
        let mishap = Mishap { side: Side::Client, fault: Fault::Pending, number: 0 };
        let (client, server, url) = tcp_only(&sim, mishap);
        sim.spawn_collect(
            server.serve(|mut websocket| async move { while websocket.next().await.is_some() {} }),
        );
        let patient = client.clone().with_http(HttpPolicy::H2);
        let first = open(&sim, &patient, &url, Duration::from_secs(8));
        let second = open(&sim, &client, &url, Duration::from_secs(6));
        sim.sleep(LONG).await;
        let (opened, took) = second.take().unwrap();
        assert_eq!(opened.unwrap().transport().http_version(), HttpVersion::H1);
        assert!(took <= Duration::from_secs(3), "{took:?}");
        let (opened, _) = first.take().unwrap();
        assert_eq!(opened.map(drop).unwrap_err().reason(), "transport_error");
        let third = open(&sim, &client, &url, Duration::from_secs(6));
        sim.sleep(LONG).await;
        let (opened, _) = third.take().unwrap();
        assert_eq!(opened.unwrap().transport().http_version(), HttpVersion::H2);
    });
}

#[test]
fn nobody_waits_at_the_end_for_a_server_that_was_not_reached_over_udp() {
    let sim = Sim::new();
    sim.block_on(async {
        let (client, server, url) = tcp_only(&sim, NO_MISHAP);
        sim.spawn_collect(
            server.serve(|mut websocket| async move { while websocket.next().await.is_some() {} }),
        );
        let mut websocket = client.connect(&url, &ConnectOptions::default()).await.unwrap();
        assert!(websocket.close(CloseCode::NORMAL, "").await.unwrap().clean);
        drop(websocket);
        let began = sim.elapsed();
        client.wait_idle().await;
        let took = sim.elapsed() - began;
        assert!(took < Duration::from_millis(500), "{took:?}");
    });
}
