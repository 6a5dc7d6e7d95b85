//! Deadlines of a connection that was busy, at rest, in a message and given up in any order: whatever
//! went before, the peer that falls silent is left in time, and not before.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_channel::oneshot;
use futures_core::Stream as _;
use futures_sink::Sink;
use ws_io::{Config, Duplex, Error, Message, Runtime as _, duplex};

use crate::support::{Dice, Sim, Socket, frame, server_with, write};

const SEEDS: u64 = 150;

/// When the peer has said something last, and since when a message of it has not been complete.
type Said = Arc<Mutex<(Duration, Option<Duration>)>>;

/// Says something in one go.
async fn say(sim: &Sim, raw: &mut Duplex, said: &Said, bytes: &[u8], ends_message: bool) {
    write(raw, bytes).await;
    let mut said = said.lock().unwrap();
    said.0 = sim.elapsed();
    said.1 = if ends_message { None } else { said.1.or(Some(said.0)) };
}

/// Talks for a while, falls silent, and hangs up much later.
async fn peer(sim: Sim, mut raw: Duplex, dice: Dice, said: Said, long: Duration) {
    let pause = |most: Duration| most * dice.below(1000) as u32 / 1000;
    for _ in 0..dice.below(8) {
        match dice.below(4) {
            0 => sim.sleep(pause(long)).await,
            1 => {
                let message = frame(0x81, b"hello");
                let cut = dice.one_of(&[1, 3, 8]);
                say(&sim, &mut raw, &said, &message[..cut], false).await;
                sim.sleep(pause(long / 4)).await;
                say(&sim, &mut raw, &said, &message[cut..], true).await;
            }
            _ => {
                let gap = dice.one_of(&[Duration::from_nanos(1), long / 1000, long / 7000]);
                for _ in 0..dice.one_of(&[1, 100, 255, 300, 700]) {
                    let message = frame(dice.one_of(&[0x81, 0x89, 0x8a]), b"hello");
                    say(&sim, &mut raw, &said, &message, true).await;
                    sim.sleep(gap).await;
                }
            }
        }
    }
    if dice.below(3) == 0 {
        say(&sim, &mut raw, &said, &frame(0x81, b"hello")[..4], false).await;
    }
    sim.sleep(long * 100).await;
}

async fn in_a_task<F>(sim: &Sim, future: F) -> F::Output
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let (tell, told) = oneshot::channel();
    sim.spawn(async move { drop(tell.send(future.await)) });
    told.await.unwrap()
}

/// Waits in a task of its own each time, or is given up now and then.
async fn receive(sim: &Sim, mut socket: Socket, dice: &Dice, long: Duration) -> Error {
    let is_moved = dice.below(2) == 0;
    loop {
        let patience = dice.one_of(&[long / 900, long / 10, long * 1000]);
        let clock = sim.clone();
        let wait = async move {
            let mut over = Box::pin(clock.sleep(patience));
            let mut next = Box::pin(socket.next());
            let end = poll_fn(|cx| match next.as_mut().poll(cx) {
                Poll::Ready(next) => Poll::Ready(next),
                Poll::Pending => over.as_mut().poll(cx).map(|()| Some(Ok(Message::text("")))),
            });
            let end = end.await;
            drop(next);
            (socket, end)
        };
        let end;
        (socket, end) = if is_moved { in_a_task(sim, wait).await } else { wait.await };
        if let Err(error) = end.expect("it fails before it ends") {
            return error;
        }
    }
}

/// Waits with one half while the other one sends, if there is something to send.
async fn receive_beside(sim: &Sim, socket: Socket, dice: &Dice, long: Duration) -> Error {
    let (mut reader, mut writer) = socket.split();
    let (clock, rolls) = (sim.clone(), dice.clone());
    sim.spawn(async move {
        loop {
            let gap = rolls.one_of(&[long / 1000, long / 7000, long / 50, long]);
            for _ in 0..rolls.one_of(&[1, 300, 2000]) {
                let sent = match rolls.below(3) {
                    0 => writer.send(Message::text("tick")).await,
                    1 => writer.feed(Message::text("tick")).await,
                    _ => writer.flush().await,
                };
                if sent.is_err() {
                    return;
                }
                clock.sleep(gap).await;
            }
        }
    });
    loop {
        if let Err(error) = reader.next().await.expect("it fails before it ends") {
            return error;
        }
    }
}

/// As a stream, while another task sends through it as a sink.
async fn receive_shared(sim: &Sim, socket: Socket, dice: &Dice, long: Duration) -> Error {
    let shared = Arc::new(Mutex::new(socket));
    let (clock, rolls, sink) = (sim.clone(), dice.clone(), Arc::clone(&shared));
    let locked = move |poll: PollSink| {
        let sink = Arc::clone(&sink);
        poll_fn(move |cx| poll(Pin::new(&mut *sink.lock().unwrap()), cx))
    };
    let sink = Arc::clone(&shared);
    sim.spawn(async move {
        while locked(Sink::poll_ready).await.is_ok() {
            if Pin::new(&mut *sink.lock().unwrap()).start_send(Message::text("tick")).is_err() {
                return;
            }
            if rolls.below(2) == 0 && locked(Sink::poll_flush).await.is_err() {
                return;
            }
            clock.sleep(rolls.one_of(&[long / 1000, long / 7000, long / 7000, long / 50])).await;
        }
    });
    loop {
        let next = poll_fn(|cx| Pin::new(&mut *shared.lock().unwrap()).poll_next(cx)).await;
        if let Err(error) = next.expect("it fails before it ends") {
            return error;
        }
    }
}

type PollSink = fn(Pin<&mut Socket>, &mut Context<'_>) -> Poll<Result<(), Error>>;

// THREAT: silent-peer, slow-message
#[test]
fn a_peer_that_falls_silent_is_left_in_time_whatever_went_before() {
    for seed in 0..SEEDS {
        let (sim, dice) = (Sim::new(), Dice::new(seed));
        let mut config = Config::default();
        let long = dice.one_of(&[60_000, 60_000, 8].map(Duration::from_millis));
        config.idle_timeout = long;
        config.keep_alive = dice.one_of(&[long / 2, Duration::MAX, long / 4]);
        config.message_timeout = dice.one_of(&[long, long / 3, long * 2]);
        config.close_timeout = Duration::ZERO;
        let (idle, message) = (config.idle_timeout, config.message_timeout);
        // Nobody is pinged after a few milliseconds.
        let is_pinged = config.keep_alive > Duration::from_secs(1) && config.keep_alive < idle;
        let late = if is_pinged { config.keep_alive } else { idle } / 8 + Duration::from_micros(10);
        let (raw, right) = duplex(1 << 26);
        let server = server_with(&sim, right, Arc::new(config));
        let said = Said::default();
        sim.spawn(peer(sim.clone(), raw, dice.clone(), Arc::clone(&said), long));
        let error = sim.block_on(async {
            match dice.below(3) {
                0 => receive(&sim, server, &dice, long).await,
                1 => receive_shared(&sim, server, &dice, long).await,
                _ => receive_beside(&sim, server, &dice, long).await,
            }
        });
        let (last, since) = *said.lock().unwrap();
        let now = sim.elapsed();
        match error {
            Error::Idle => {
                let silence = now - last;
                assert!((idle..idle + late).contains(&silence), "{seed}: {silence:?} of {idle:?}");
            }
            Error::MessageStalled => {
                let age = now - since.expect("a message has begun");
                let late = Duration::from_micros(10);
                assert!((message..message + late).contains(&age), "{seed}: {age:?} of {message:?}");
            }
            error => panic!("{seed}: {error:?}"),
        }
    }
}
