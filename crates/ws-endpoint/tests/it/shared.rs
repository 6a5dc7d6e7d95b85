//! WebSockets that share the connections of their client, and connections that have enough of them.

use std::sync::Arc;
use std::time::Duration;

use ws_endpoint::{
    Client, ConnectOptions, Error, H2Options, HttpPolicy, QuicOptions, Server, WebSocket,
};

use crate::certificates::{Certificates, certificates};
use crate::hostile::Fault;
use crate::net::{Memory, Mishap, Side};
use crate::sim::{Collected, Sim, yield_now};

const NO_MISHAP: Mishap = Mishap { side: Side::Client, fault: Fault::Error, number: usize::MAX };

fn serve(sim: &Sim, server: Server<Memory>) {
    sim.spawn_collect(server.serve(|mut websocket| async move {
        while let Some(Ok(message)) = websocket.next().await {
            if message.data_kind().is_some() && websocket.send(message).await.is_err() {
                break;
            }
        }
    }));
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
