//! Deadlines of an open connection, as the driver's one timer keeps them.

use std::sync::Arc;
use std::time::Duration;

use ws_io::{CloseCode, Config, Error, Message, Runtime as _, Transport as _, duplex};

use crate::support::{Sim, client, echo, frame, pair, server, server_with};

// THREAT: silent-peer
#[test]
fn a_silent_peer_is_pinged_and_then_left() {
    let sim = Sim::new();
    // The other end reads nothing and says nothing.
    let (raw, right) = duplex(1000);
    let mut server = server(&sim, right);
    let error = sim.block_on(async {
        let error = server.next().await.unwrap().unwrap_err();
        assert!(server.next().await.is_none());
        error
    });
    assert!(matches!(error, Error::Idle), "{error:?}");
    let elapsed = sim.elapsed().as_secs();
    assert!((60..=65).contains(&elapsed), "{elapsed} s: the idle timeout, then the goodbye");
    drop(raw);
}

#[test]
fn two_ends_of_ours_stay_connected_for_ever_in_silence() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    let (mut reader, mut writer) = client_halves(&sim, &mut client);
    sim.spawn(async move { while reader.next().await.is_some() {} });
    sim.block_on(async {
        sim.sleep(Duration::from_secs(3600)).await;
        writer.send(Message::text("still here")).await.unwrap();
    });
}

/// Splits what stands behind the reference.
fn client_halves(
    sim: &Sim,
    websocket: &mut crate::support::Socket,
) -> (ws_io::Reader<ws_io::Duplex, Sim>, ws_io::Writer<ws_io::Duplex, Sim>) {
    let (spare, _) = duplex(1);
    std::mem::replace(websocket, client(sim, spare)).split()
}

// THREAT: slow-message
#[test]
fn a_message_that_trickles_in_is_cut_though_bytes_keep_coming() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(1000);
    let mut config = Config::default();
    config.message_timeout = Duration::from_secs(10);
    let mut server = server_with(&sim, right, Arc::new(config));
    let clock = sim.clone();
    sim.spawn(async move {
        for byte in frame(0x81, &[b'a'; 100]) {
            let _ = std::future::poll_fn(|cx| raw.poll_write(cx, &mut &[byte][..])).await;
            clock.sleep(Duration::from_secs(1)).await;
        }
    });
    let error = sim.block_on(async { server.next().await.unwrap().unwrap_err() });
    assert!(matches!(error, Error::MessageStalled), "{error:?}");
    let elapsed = sim.elapsed().as_secs();
    assert!((10..=16).contains(&elapsed), "{elapsed} s");
}

// THREAT: open-after-close
#[test]
fn a_peer_that_does_not_answer_the_goodbye_is_not_waited_for() {
    let sim = Sim::new();
    let (raw, right) = duplex(1000);
    let mut server = server(&sim, right);
    let outcome = sim.block_on(async {
        let outcome = server.close(CloseCode::NORMAL, "").await.unwrap();
        (outcome.clean, outcome.code)
    });
    assert_eq!(outcome, (false, CloseCode::ABNORMAL));
    assert_eq!(sim.elapsed(), Duration::from_secs(5));
    drop(raw);
}

#[test]
fn after_both_goodbyes_the_end_of_the_peer_is_waited_for_for_a_moment() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(1000);
    let mut server = server(&sim, right);
    sim.block_on(async {
        let mut goodbye = frame(0x88, &1000_u16.to_be_bytes());
        std::future::poll_fn(|cx| raw.poll_write(cx, &mut goodbye)).await.unwrap();
        while server.next().await.is_some() {}
    });
    assert_eq!(sim.elapsed(), Duration::from_millis(1500));
}

#[test]
fn one_timer_serves_all_deadlines() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    sim.block_on(async {
        for _ in 0..10 {
            client.send(Message::text("hello")).await.unwrap();
            client.next().await.unwrap().unwrap();
        }
        assert_eq!(sim.timers(), 2, "one for each end");
        client.close(CloseCode::NORMAL, "").await.unwrap();
        sim.sleep(Duration::from_millis(1)).await;
        assert_eq!(sim.timers(), 0, "an ended connection has none");
    });
}

#[test]
fn a_long_send_to_a_slow_reader_is_not_taken_for_silence() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(1000);
    let mut server = server(&sim, right);
    let clock = sim.clone();
    sim.spawn(async move {
        // Says something once, which the server finds only after it has sent everything.
        let mut hello = frame(0x81, b"hello");
        std::future::poll_fn(|cx| raw.poll_write(cx, &mut hello)).await.unwrap();
        let mut bytes = bytes::BytesMut::new();
        while std::future::poll_fn(|cx| raw.poll_read(cx, &mut bytes, 1000)).await.is_ok() {
            clock.sleep(Duration::from_secs(1)).await;
        }
    });
    sim.block_on(async {
        server.send(Message::binary(vec![0; 300_000])).await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text("hello"));
    });
    assert!(sim.elapsed() > Duration::from_secs(200), "{:?}", sim.elapsed());
}

/// Sends so many messages, one at a time, so long after one another, and reads the echoes.
async fn talk(sim: &Sim, client: &mut crate::support::Socket, count: usize, pause: Duration) {
    for _ in 0..count {
        client.send(Message::text("hello")).await.unwrap();
        client.next().await.unwrap().unwrap();
        if !pause.is_zero() {
            sim.sleep(pause).await;
        }
    }
}

#[test]
fn a_busy_connection_does_not_look_at_the_clock_for_every_message() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    sim.block_on(async {
        talk(&sim, &mut client, 1000, Duration::ZERO).await;
        let (looks, moves) = (sim.looks(), sim.timer_moves());
        talk(&sim, &mut client, 10_000, Duration::ZERO).await;
        assert_eq!((sim.looks() - looks, sim.timer_moves() - moves), (0, 0));
    });
}

// THREAT: silent-peer
#[test]
fn a_peer_that_falls_silent_after_a_busy_time_is_left_no_more_than_an_eighth_later() {
    for last in [0, 1, 3, 4, 29] {
        let sim = Sim::new();
        let (raw, right) = duplex(100_000);
        let mut server = server(&sim, right);
        let clock = sim.clone();
        sim.spawn(async move {
            let mut raw = raw;
            let send = async |raw: &mut ws_io::Duplex| {
                let mut ping = frame(0x89, b"");
                std::future::poll_fn(|cx| raw.poll_write(cx, &mut ping)).await.unwrap();
                clock.sleep(Duration::from_millis(1)).await;
            };
            for _ in 0..1000 {
                send(&mut raw).await;
            }
            // Once more, on the way to the next step of the timer.
            clock.sleep(Duration::from_secs(last)).await;
            send(&mut raw).await;
            clock.sleep(Duration::from_secs(3600)).await;
        });
        let error = sim.block_on(async {
            loop {
                if let Err(error) = server.next().await.unwrap() {
                    return error;
                }
            }
        });
        assert!(matches!(error, Error::Idle), "{error:?}");
        let silence = sim.elapsed() - Duration::from_secs(last + 1);
        // The idle timeout with the eighth, then the goodbye.
        let most = Duration::from_millis(60_000 + 30_000 / 8 + 5_000 + 10);
        assert!((Duration::from_secs(64)..most).contains(&silence), "{last}: {silence:?}");
    }
}

#[test]
fn a_connection_that_is_not_busy_any_more_sets_its_timer_to_the_deadline_again() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    sim.block_on(async {
        talk(&sim, &mut client, 1000, Duration::ZERO).await;
        sim.sleep(Duration::from_secs(20)).await;
        let moves = sim.timer_moves();
        // A message every other second: the pings of two ends, and the timer of the pause.
        talk(&sim, &mut client, 100, Duration::from_secs(2)).await;
        let moves = sim.timer_moves() - moves;
        assert!(moves < 100 + 40, "{moves} moves");
    });
}
