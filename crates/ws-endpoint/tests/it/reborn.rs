//! Servers that crash and come back, and clients that have kept a connection to the one before.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ws_endpoint::{
    Client, CloseCode, ConnectOptions, Error, HttpPolicy, HttpVersion, Message, QuicOptions,
    Server, WebSocket,
};

use crate::certificates::certificates;
use crate::hostile::Fault;
use crate::net::{Memory, Mishap, Side};
use crate::sim::Sim;

const NO_MISHAP: Mishap = Mishap { side: Side::Client, fault: Fault::Error, number: usize::MAX };

/// Echoes; the port.
fn serve(sim: &Sim, server: Server<Memory>) -> u16 {
    let port = server.local_addrs().next().unwrap().port();
    sim.spawn_collect(server.serve(|mut websocket| async move {
        while let Some(Ok(message)) = websocket.next().await {
            if message.data_kind().is_some() && websocket.send(message).await.is_err() {
                break;
            }
        }
    }));
    port
}

fn h3_server(net: &Memory) -> Server<Memory> {
    let identity = Arc::clone(&certificates().server);
    Server::new(net.clone()).listen_h3(([127, 0, 0, 1], 0).into(), identity).unwrap()
}

fn h3_client(net: &Memory, http: HttpPolicy) -> Client<Memory> {
    let trust = Arc::clone(&certificates().trust);
    Client::new(net.clone()).with_tls(trust).with_http(http)
}

async fn open(client: &Client<Memory>, port: u16) -> Result<WebSocket<Memory>, Error> {
    client.connect(&format!("wss://localhost:{port}/"), &ConnectOptions::default()).await
}

async fn greet(websocket: &mut WebSocket<Memory>) {
    websocket.send(Message::text("hello")).await.unwrap();
    assert_eq!(websocket.next().await.unwrap().unwrap(), Message::text("hello"));
}

#[test]
fn over_http_3_a_websocket_takes_a_new_connection_when_nothing_comes_on_the_old_one() {
    for http in [HttpPolicy::H3, HttpPolicy::Best] {
        let sim = Sim::new();
        sim.block_on(async {
            let (near, far) = Memory::new(&sim, NO_MISHAP);
            let port = serve(&sim, h3_server(&far));
            let client = h3_client(&near, http);
            let mut first = open(&client, port).await.unwrap();
            greet(&mut first).await;
            near.air().replace(port, serve(&sim, h3_server(&far)));
            for number in 0..2 {
                let began = sim.elapsed();
                let mut websocket = open(&client, port).await.unwrap();
                assert_eq!(websocket.transport().http_version(), HttpVersion::H3);
                greet(&mut websocket).await;
                let (took, most) = (sim.elapsed() - began, Duration::from_millis(1500));
                // Who has found out has done so for the others.
                assert!(took < most / if number == 0 { 1 } else { 10 }, "{number}: {took:?}");
            }
        });
    }
}

#[test]
fn over_http_3_a_server_that_is_there_may_take_its_time() {
    let sim = Sim::new();
    sim.block_on(async {
        let (near, far) = Memory::new(&sim, NO_MISHAP);
        let (asked, clock) = (Arc::new(AtomicUsize::new(0)), sim.clone());
        let counted = Arc::clone(&asked);
        let server = h3_server(&far).with_async_route(move |_, _| {
            let is_first = counted.fetch_add(1, Ordering::Relaxed) == 0;
            let time = Duration::from_secs(if is_first { 0 } else { 4 });
            let sleep = clock.sleep(time);
            Box::pin(async move {
                sleep.await;
                Ok(())
            })
        });
        let port = serve(&sim, server);
        let client = h3_client(&near, HttpPolicy::H3);
        for number in 1..=2 {
            greet(&mut open(&client, port).await.unwrap()).await;
            assert_eq!(asked.load(Ordering::Relaxed), number);
        }
    });
}

#[test]
fn over_http_3_all_connections_to_the_server_before_are_left_at_once() {
    let sim = Sim::new();
    sim.block_on(async {
        let (near, far) = Memory::new(&sim, NO_MISHAP);
        let mut options = QuicOptions::default();
        options.max_requests = 2;
        let port = serve(&sim, h3_server(&far).with_quic(options));
        let client = h3_client(&near, HttpPolicy::H3);
        // One on each of two connections, with room for another.
        let mut kept = Vec::new();
        for _ in 0..3 {
            kept.push(open(&client, port).await.unwrap());
        }
        let mut gone = kept.remove(0);
        gone.close(CloseCode::NORMAL, "").await.unwrap();
        while gone.next().await.is_some() {}
        drop(gone);
        sim.sleep(Duration::from_secs(1)).await;
        near.air().replace(port, serve(&sim, h3_server(&far)));
        greet(&mut open(&client, port).await.unwrap()).await;
    });
}

// RFC 9114 §5.4: what the server has acknowledged it may have processed.
#[test]
fn over_http_3_what_one_server_has_heard_is_not_asked_of_the_next() {
    let sim = Sim::new();
    sim.block_on(async {
        let (near, far) = Memory::new(&sim, NO_MISHAP);
        let number = AtomicUsize::new(0);
        let clock = sim.clone();
        let first = h3_server(&far).with_async_route(move |_, _| {
            let is_first = number.fetch_add(1, Ordering::Relaxed) == 0;
            let sleep = clock.sleep(Duration::from_secs(if is_first { 0 } else { 3600 }));
            Box::pin(async move {
                sleep.await;
                Ok(())
            })
        });
        let port = serve(&sim, first);
        let client = h3_client(&near, HttpPolicy::H3);
        let mut websocket = open(&client, port).await.unwrap();
        greet(&mut websocket).await;
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let second = h3_server(&far).with_async_route(move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { Ok(()) })
        });
        let second = serve(&sim, second);
        let (air, clock) = (near.clone(), sim.clone());
        sim.spawn_collect(async move {
            clock.sleep(Duration::from_secs(1)).await;
            air.air().replace(port, second);
        });
        let options = ConnectOptions {
            handshake_timeout: Duration::from_secs(600),
            ..ConnectOptions::default()
        };
        let opened = client.connect(&format!("wss://localhost:{port}/"), &options).await;
        assert!(opened.is_err(), "{opened:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 0);
    });
}

/// Opens one WebSocket and then another: the calls of the client's first socket before the second, how
/// that one went, and how many connections they took.
fn two_over_http_2(mishap: Mishap) -> (usize, Result<(), Error>, usize) {
    let sim = Sim::new();
    sim.block_on(async {
        let (near, far) = Memory::new(&sim, mishap);
        let server = Server::new(far).listen(([127, 0, 0, 1], 0).into()).unwrap();
        let url = server.urls().next().unwrap();
        serve(&sim, server);
        let client = Client::new(near.clone()).with_http(HttpPolicy::H2);
        let mut first = client.connect(&url, &ConnectOptions::default()).await.unwrap();
        greet(&mut first).await;
        sim.sleep(Duration::from_secs(1)).await;
        let calls = near.calls();
        let second = client.connect(&url, &ConnectOptions::default()).await;
        let second = match second {
            Ok(mut websocket) => {
                greet(&mut websocket).await;
                Ok(())
            }
            Err(error) => Err(error),
        };
        (calls, second, near.dials())
    })
}

#[test]
fn over_http_2_a_websocket_takes_a_new_connection_when_the_old_one_turns_out_to_be_gone() {
    let (calls, second, dials) = two_over_http_2(NO_MISHAP);
    assert!(second.is_ok() && dials == 1, "{second:?}");
    for fault in [Fault::Error, Fault::End, Fault::Pending] {
        let mishap = Mishap { side: Side::Client, fault, number: calls };
        let (_, second, dials) = two_over_http_2(mishap);
        assert!(second.is_ok(), "{fault:?}: {second:?}");
        assert_eq!(dials, 2, "{fault:?}");
    }
}
