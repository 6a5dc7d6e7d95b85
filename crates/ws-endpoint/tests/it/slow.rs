//! Servers that are there and take their time, on connections that others have used before.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use ws_endpoint::{
    AcceptOptions, Client, ConnectOptions, Error, H2Options, HttpPolicy, HttpVersion, Message,
    Server, WebSocket,
};

use crate::certificates::{Certificates, certificates};
use crate::hostile::Fault;
use crate::net::{Memory, Mishap, Side};
use crate::sim::{Sim, yield_now};

const NO_MISHAP: Mishap = Mishap { side: Side::Client, fault: Fault::Error, number: usize::MAX };

/// A server that takes a time of its own for each request, the last one for all that come later, and a client.
struct Stage {
    near: Memory,
    client: Client<Memory>,
    url: String,
    asked: Arc<AtomicUsize>,
    /// As many as there are WebSockets on the server, and one.
    alive: Arc<()>,
}

impl Stage {
    fn new(sim: &Sim, http: HttpPolicy, mishap: Mishap, millis: &'static [u64]) -> Self {
        let (near, far) = Memory::new(sim, mishap);
        let Certificates { server: identity, trust, .. } = certificates();
        let (asked, clock) = (Arc::new(AtomicUsize::new(0)), sim.clone());
        let counted = Arc::clone(&asked);
        let anywhere = ([127, 0, 0, 1], 0).into();
        let server = Server::new(far);
        let server = match http {
            HttpPolicy::H3 => server.listen_h3(anywhere, Arc::clone(identity)),
            _ => server.listen_tls(anywhere, Arc::clone(identity)),
        };
        let handshake_timeout = Duration::from_secs(60);
        let options = AcceptOptions { handshake_timeout, ..AcceptOptions::default() };
        let server = server.unwrap().with_options(options).with_async_route(move |_, _| {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            let time = millis.get(number).or_else(|| millis.last()).copied().unwrap();
            let sleep = clock.sleep(Duration::from_millis(time));
            Box::pin(async move {
                sleep.await;
                Ok(())
            })
        });
        let url = server.urls().next().unwrap().replace("127.0.0.1", "localhost");
        let alive = Arc::new(());
        let counted = Arc::clone(&alive);
        sim.spawn_collect(server.serve(move |mut websocket| {
            let counted = Arc::clone(&counted);
            async move {
                while let Some(Ok(message)) = websocket.next().await {
                    if message.data_kind().is_some() && websocket.send(message).await.is_err() {
                        break;
                    }
                }
                drop(counted);
            }
        }));
        let mut bounds = H2Options::default();
        bounds.max_streams = 100;
        let client = Client::new(near.clone()).with_tls(Arc::clone(trust)).with_http(http);
        let client = client.with_h2(bounds);
        Self { near, client, url, asked, alive }
    }

    async fn open(&self, seconds: u64) -> Result<WebSocket<Memory>, Error> {
        let handshake_timeout = Duration::from_secs(seconds);
        let options = ConnectOptions { handshake_timeout, ..ConnectOptions::default() };
        let mut websocket = self.client.connect(&self.url, &options).await?;
        websocket.send(Message::text("hello")).await.unwrap();
        assert_eq!(websocket.next().await.unwrap().unwrap(), Message::text("hello"));
        Ok(websocket)
    }

    /// Over UDP nothing comes to the server or from it, for so long from now on.
    fn cut_udp(&self, sim: &Sim, millis: u64) {
        let port = self.url.trim_end_matches('/').rsplit(':').next().unwrap();
        let (port, near, clock) = (port.parse().unwrap(), self.near.clone(), sim.clone());
        near.air().replace(port, 1);
        sim.spawn_collect(async move {
            clock.sleep(Duration::from_millis(millis)).await;
            near.air().restore(port);
        });
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[test]
fn a_server_that_is_there_is_asked_once_however_long_it_takes() {
    for http in [HttpPolicy::H2, HttpPolicy::H3] {
        let sim = Sim::new();
        sim.block_on(async {
            let stage = Stage::new(&sim, http, NO_MISHAP, &[0, 12_000]);
            for number in 1..=2 {
                stage.open(15).await.unwrap();
                assert_eq!(stage.asked(), number, "{http:?}");
            }
        });
    }
}

#[test]
fn who_uses_the_connection_of_another_has_a_time_of_its_own() {
    for http in [HttpPolicy::H2, HttpPolicy::H3] {
        for (dialled_in, time, is_open) in [(1, 15, true), (15, 1, false)] {
            let sim = Sim::new();
            sim.block_on(async {
                let stage = Stage::new(&sim, http, NO_MISHAP, &[0, 4_000]);
                let _first = stage.open(dialled_in).await.unwrap();
                let second = stage.open(time).await;
                assert_eq!(second.is_ok(), is_open, "{http:?} in {time} s: {second:?}");
                assert_eq!(stage.asked(), 2, "{http:?} in {time} s");
            });
        }
    }
}

/// At which call of its socket the first connection dies, a second after it was opened.
fn death(http: HttpPolicy, fault: Fault) -> Mishap {
    let sim = Sim::new();
    let number = sim.block_on(async {
        let stage = Stage::new(&sim, http, NO_MISHAP, &[0]);
        let _first = stage.open(10).await.unwrap();
        sim.sleep(Duration::from_secs(1)).await;
        stage.near.calls()
    });
    Mishap { side: Side::Client, fault, number }
}

#[test]
fn a_new_connection_that_had_no_time_left_says_nothing_of_the_version() {
    let mishap = death(HttpPolicy::H2, Fault::Pending);
    let sim = Sim::new();
    sim.block_on(async {
        let stage = Stage::new(&sim, HttpPolicy::Best, mishap, &[0, 1_000, 0]);
        let first = stage.open(10).await.unwrap();
        assert_eq!(first.transport().http_version(), HttpVersion::H2);
        sim.sleep(Duration::from_secs(1)).await;
        // What is left of the time for HTTP/2 when the silence was found out is too short for the server.
        let second = stage.open(10).await.unwrap();
        let third = stage.open(10).await.unwrap();
        let versions = [second, third].map(|websocket| websocket.transport().http_version());
        assert_eq!(versions, [HttpVersion::H1, HttpVersion::H2]);
    });
}

#[test]
fn hundreds_who_wait_when_their_connection_dies_dial_what_they_need() {
    for fault in [Fault::Pending, Fault::Error, Fault::End] {
        let mishap = death(HttpPolicy::H2, fault);
        let sim = Sim::new();
        sim.block_on(async {
            let stage = Arc::new(Stage::new(&sim, HttpPolicy::H2, mishap, &[0]));
            let _first = stage.open(15).await.unwrap();
            sim.sleep(Duration::from_secs(1)).await;
            let opening: Vec<_> = (0..250)
                .map(|_| {
                    let stage = Arc::clone(&stage);
                    sim.spawn_collect(async move { stage.open(15).await })
                })
                .collect();
            sim.sleep(Duration::from_secs(15)).await;
            for opening in opening {
                assert!(opening.take().unwrap().is_ok(), "{fault:?}");
            }
            // A hundred go over each.
            assert_eq!(stage.near.dials(), 4, "{fault:?}");
        });
    }
}

#[test]
fn who_gives_up_at_whatever_time_leaves_nothing_behind() {
    let dies = death(HttpPolicy::H2, Fault::Pending);
    for (http, mishap) in
        [(HttpPolicy::H2, dies), (HttpPolicy::H2, NO_MISHAP), (HttpPolicy::H3, NO_MISHAP)]
    {
        for millis in [0, 10, 600, 1600, 3000, 3010, 3500] {
            let sim = Sim::new();
            sim.block_on(async {
                let stage = Stage::new(&sim, http, mishap, &[0, 1_000, 1_000, 0]);
                yield_now().await;
                let at_rest = stage.near.tasks();
                let first = stage.open(15).await.unwrap();
                sim.sleep(Duration::from_secs(1)).await;
                for _ in 0..3 {
                    let (mut second, mut patience) =
                        (pin!(stage.open(15)), pin!(sim.sleep(Duration::from_millis(millis))));
                    poll_fn(|cx| {
                        let is_open = second.as_mut().poll(cx).is_ready();
                        if is_open { Poll::Ready(()) } else { patience.as_mut().poll(cx) }
                    })
                    .await;
                }
                let third = stage.open(15).await.unwrap();
                assert!(stage.near.dials() <= 3, "{http:?} {millis}");
                drop((first, third));
                let Stage { client, near, .. } = stage;
                client.wait_idle().await;
                sim.sleep(Duration::from_secs(300)).await;
                assert!(near.tasks() <= at_rest, "{http:?} {millis}: {}", near.tasks());
            });
        }
    }
}

#[test]
fn a_request_that_arrives_after_all_leaves_no_websocket_without_a_client() {
    // How long nothing arrives: a retransmission, the end of the wait, and the dialling after it.
    for millis in [300, 900, 1_000, 1_100, 2_000, 6_000] {
        let sim = Sim::new();
        sim.block_on(async {
            let stage = Stage::new(&sim, HttpPolicy::H3, NO_MISHAP, &[0]);
            let first = stage.open(15).await.unwrap();
            stage.cut_udp(&sim, millis);
            let second = stage.open(15).await.unwrap();
            sim.sleep(Duration::from_secs(10)).await;
            assert_eq!(Arc::strong_count(&stage.alive) - 2, 2, "after {millis} ms");
            assert!(stage.asked() <= 3, "after {millis} ms");
            drop((first, second));
        });
    }
}

#[test]
fn both_attempts_together_have_the_time_of_one() {
    let dies = death(HttpPolicy::H2, Fault::Pending);
    for (http, mishap) in [(HttpPolicy::H2, dies), (HttpPolicy::H3, NO_MISHAP)] {
        let sim = Sim::new();
        sim.block_on(async {
            let stage = Stage::new(&sim, http, mishap, &[0, 20_000]);
            let first = stage.open(15).await.unwrap();
            sim.sleep(Duration::from_secs(1)).await;
            if http == HttpPolicy::H3 {
                stage.cut_udp(&sim, 1_100);
            }
            let began = sim.elapsed();
            let second = stage.open(5).await.map(drop);
            let took = sim.elapsed() - began;
            assert!(stage.asked() >= 2, "{http:?}: the second attempt was under way");
            assert_eq!(second.unwrap_err().reason(), "transport_error", "{http:?}");
            assert_eq!(took, Duration::from_secs(5), "{http:?}");
            drop(first);
        });
    }
}
