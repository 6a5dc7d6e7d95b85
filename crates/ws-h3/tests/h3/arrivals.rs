//! Who comes in, and from where: admission, clients that move, and networks that are away.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ws_h3::{Admission, Error, Handshake, QuicOptions, Request};

use crate::support::raw::{Answer, RawPeer, Section, answer, frame};
use crate::support::{Host, Setup, Tokio, open, read_exact, serve, shutdown, soon, write_all};

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// What the next that arrives is answered.
async fn arrival(host: &Host, admission: &Admission) -> Option<Handshake> {
    admission.admit(soon(host.endpoint.accept()).await.unwrap())
}

#[tokio::test]
async fn handshakes_are_begun_then_asked_for_an_address_then_refused() {
    let host = Host::new(Setup::default());
    let mut options = QuicOptions::default();
    (options.retry_above, options.max_handshakes) = (2, 3);
    let admission = Admission::new(&options);
    let mut clients = tokio::task::JoinSet::new();
    let dial = |clients: &mut tokio::task::JoinSet<_>| {
        let (config, address) = (host.client_config(), host.address);
        clients.spawn(async move {
            let endpoint = quinn::Endpoint::client(loopback()).unwrap();
            endpoint.connect_with(config, address, "localhost").unwrap().await
        });
    };
    dial(&mut clients);
    let first = arrival(&host, &admission).await.expect("few are under way");
    dial(&mut clients);
    let second = arrival(&host, &admission).await.expect("few are under way");
    dial(&mut clients);
    assert!(arrival(&host, &admission).await.is_none(), "asked for its address");
    let third = arrival(&host, &admission).await.expect("its address is proven");
    dial(&mut clients);
    assert!(arrival(&host, &admission).await.is_none(), "asked for its address");
    assert!(arrival(&host, &admission).await.is_none(), "refused, though its address is proven");
    assert_eq!(admission.under_way(), 3);
    let refused = soon(clients.join_next()).await.unwrap().unwrap();
    let Err(quinn::ConnectionError::ConnectionClosed(close)) = refused else { panic!() };
    assert_eq!(u64::from(close.error_code), 2, "CONNECTION_REFUSED");

    soon(third.complete()).await.expect("a connection");
    assert_eq!(admission.under_way(), 2);
    drop((first, second));
    assert_eq!(admission.under_way(), 0);
}

/// A client whose endpoint can be moved to another port.
async fn movable(host: &Host) -> (quinn::Endpoint, quinn::Connection, ws_h3::Server) {
    let endpoint = quinn::Endpoint::client(loopback()).unwrap();
    let connecting =
        endpoint.connect_with(host.client_config(), host.address, "localhost").unwrap();
    let (quic, server) = soon(async { tokio::join!(connecting, host.accept()) }).await;
    (endpoint, quic.unwrap(), server)
}

#[tokio::test]
async fn a_client_that_moves_to_another_address_keeps_its_streams() {
    let host = Host::new(Setup::default());
    let (endpoint, quic, server) = movable(&host).await;
    let handle = server.handle();
    tokio::spawn(serve(server));
    let client = soon(ws_h3::Client::new(quic, Tokio, &host.setup.client)).await.unwrap();
    let mut stream = soon(open(&client, "/echo")).await.unwrap();
    for _ in 0..3 {
        assert_eq!(handle.connection().remote_address(), endpoint.local_addr().unwrap());
        endpoint.rebind(UdpSocket::bind(loopback()).unwrap()).unwrap();
        soon(write_all(&mut stream, &mut &b"moved"[..])).await.unwrap();
        assert_eq!(soon(read_exact(&mut stream, 5)).await.unwrap(), "moved");
    }
    assert_eq!(handle.connection().remote_address(), endpoint.local_addr().unwrap());
}

// RFC: H3-10.5-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_to_another_address_forgives_no_waste() {
    let host = Host::new(Setup::default());
    let (endpoint, quic, server) = movable(&host).await;
    let handle = server.handle();
    tokio::spawn(serve(server));
    let peer = RawPeer::new(quic, &[]).await;
    let mut opened = 0;
    let flood = async {
        loop {
            let Ok((mut send, mut recv)) = peer.quic.open_bi().await else { return };
            opened += 1;
            let _ = send.write_all(&Section::websocket().frame()[..20]).await;
            let _ = (send.reset(0x10c_u32.into()), recv.stop(0x10c_u32.into()));
            if opened % 300 == 0 {
                endpoint.rebind(UdpSocket::bind(loopback()).unwrap()).unwrap();
            }
        }
    };
    soon(flood).await;
    // The server's word may have gone to an address that is no more.
    soon(peer.quic.closed()).await;
    let Some(Error::ProtocolError { code, .. }) = handle.close_reason() else { panic!() };
    assert_eq!(code, 0x107, "excessive load");
    assert!((1000..10_000).contains(&opened), "{opened} requests were wasted");
}

/// Passes packets on between one client and `server`, unless the network is away.
async fn network(front: tokio::net::UdpSocket, server: SocketAddr, is_away: Arc<AtomicBool>) {
    let back = tokio::net::UdpSocket::bind(loopback()).await.unwrap();
    back.connect(server).await.unwrap();
    let (mut there, mut here, mut client) = ([0; 65_536], [0; 65_536], None);
    loop {
        tokio::select! {
            Ok((len, from)) = front.recv_from(&mut there) => {
                client = Some(from);
                if !is_away.load(Ordering::Relaxed) {
                    back.send(&there[..len]).await.unwrap();
                }
            }
            Ok(len) = back.recv(&mut here) => {
                if !is_away.load(Ordering::Relaxed) {
                    front.send_to(&here[..len], client.unwrap()).await.unwrap();
                }
            }
        }
    }
}

#[tokio::test]
async fn an_end_that_was_lost_on_the_way_arrives_when_the_network_is_back() {
    let host = Host::new(Setup::default());
    let front = tokio::net::UdpSocket::bind(loopback()).await.unwrap();
    let (address, is_away) = (front.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
    tokio::spawn(network(front, host.address, Arc::clone(&is_away)));
    let endpoint = quinn::Endpoint::client(loopback()).unwrap();
    let connecting = endpoint.connect_with(host.client_config(), address, "localhost").unwrap();
    let (quic, mut server) = soon(async { tokio::join!(connecting, host.accept()) }).await;
    let peer = RawPeer::new(quic.unwrap(), &[]).await;
    let (_send, mut recv) = peer.open(&Section::websocket().frame()).await;
    let Some(Request::WebSocket(request)) = soon(server.next()).await else { panic!() };
    let mut stream = soon(request.accept(http::Response::new(()))).await.unwrap();
    assert_eq!(soon(answer(&mut recv)).await, Answer::Status("200".into()));
    is_away.store(true, Ordering::Relaxed);
    soon(write_all(&mut stream, &mut &b"goodbye"[..])).await.unwrap();
    soon(shutdown(&mut stream)).await.unwrap();
    drop(stream);
    // Longer than a connection with nothing else on it would wait for it.
    tokio::time::sleep(Duration::from_secs(6)).await;
    is_away.store(false, Ordering::Relaxed);
    assert_eq!(soon(recv.read_to_end(100)).await.unwrap(), frame(0, b"goodbye"));
}
