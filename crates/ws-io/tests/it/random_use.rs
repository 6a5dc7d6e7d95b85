//! Two halves and a sender on either side of a connection, used at random: waits that are given up,
//! pieces, flushes, queues and buffers of any size. Whatever the order, all that was sent arrives once,
//! in the order of each sender, and nobody waits for what will not come.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use ws_frame::Message;
use ws_io::{Chunk, Duplex, Reader, Runtime as _, Sender, WebSocket, Writer, duplex};
use ws_session::Config;

use crate::support::{Dice, Sim, client_with, give_up_after, server_with, yield_now};

/// Messages of each sender.
const COUNT: u8 = 12;
const SEEDS: u64 = 100;

impl Dice {
    /// A message that tells who sent it, and which one it is.
    fn payload(&self, who: u8, number: u8) -> Bytes {
        let len = self.below(self.one_of(&[1, 100, 3000]));
        let mut payload = vec![number; 2 + len];
        payload[0] = who;
        payload.into()
    }

    /// Whether to wait for only so many polls.
    fn patience(&self) -> usize {
        self.one_of(&[1, 2, usize::MAX, usize::MAX, usize::MAX])
    }

    async fn rest(&self) {
        if self.below(3) == 0 {
            yield_now().await;
        }
    }
}

async fn send_through(sender: Sender, dice: Dice) {
    for number in 0..COUNT {
        let message = Message::binary(dice.payload(b's', number));
        if dice.below(3) == 0 {
            sender.send_acknowledged(message).await.unwrap();
        } else {
            sender.send(message).await.unwrap();
        }
        dice.rest().await;
    }
}

async fn write(writer: &mut Writer<Duplex, Sim>, dice: &Dice) {
    for number in 0..COUNT {
        let message = Message::binary(dice.payload(b'w', number));
        while give_up_after(dice.patience(), writer.feed(message.clone())).await.is_none() {
            dice.rest().await;
        }
        match dice.below(4) {
            0 => writer.flush().await.unwrap(),
            1 => drop(give_up_after(1, writer.flush()).await),
            2 => writer.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap(),
            _ => dice.rest().await,
        }
    }
    writer.flush().await.unwrap();
}

/// The next data message, whole or in pieces.
async fn receive(reader: &mut Reader<Duplex, Sim>, dice: &Dice, in_pieces: bool) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        if in_pieces {
            match give_up_after(dice.patience(), reader.next_chunk()).await {
                Some(Some(Ok(Chunk::Data { data, last, .. }))) => {
                    whole.extend_from_slice(&data);
                    if last {
                        return whole;
                    }
                }
                Some(Some(Ok(Chunk::Control(_)))) => {}
                None => dice.rest().await,
                Some(end) => panic!("{end:?}"),
            }
        } else {
            match give_up_after(dice.patience(), reader.next()).await {
                Some(Some(Ok(Message::Binary(payload)))) => return payload.to_vec(),
                Some(Some(Ok(_))) => {}
                None => dice.rest().await,
                Some(end) => panic!("{end:?}"),
            }
        }
    }
}

/// What a side has received: the numbers of each sender, in order.
type Received = Arc<Mutex<[Vec<u8>; 2]>>;

/// What is still to be done.
type Left = Arc<AtomicUsize>;

/// Lets a side begin, each part in a task of its own, so that a wake-up which is lost is missed.
fn set_out(sim: &Sim, websocket: WebSocket<Duplex, Sim>, dice: &Dice, left: &Left) -> Received {
    let (mut reader, mut writer) = websocket.split();
    let sender = reader.sender(dice.below(4));
    let in_pieces = dice.below(2) == 0;
    let received = Received::default();
    let (at_sender, at_writer, at_reader) = (dice.clone(), dice.clone(), dice.clone());
    let ends = [left.clone(), left.clone(), left.clone()];
    let [sent, written, read] = ends;
    let gathered = Arc::clone(&received);
    sim.spawn(async move {
        send_through(sender, at_sender).await;
        sent.fetch_sub(1, Ordering::SeqCst);
    });
    sim.spawn(async move {
        write(&mut writer, &at_writer).await;
        written.fetch_sub(1, Ordering::SeqCst);
        // It lives as long as the reader.
        std::future::pending::<()>().await;
    });
    sim.spawn(async move {
        for _ in 0..2 * COUNT {
            let payload = receive(&mut reader, &at_reader, in_pieces).await;
            assert!(payload[1..].iter().all(|byte| *byte == payload[1]), "it is torn");
            gathered.lock().unwrap()[usize::from(payload[0] == b's')].push(payload[1]);
        }
        read.fetch_sub(1, Ordering::SeqCst);
        // Whoever reads also writes what the others queued.
        while reader.next().await.is_some() {}
    });
    received
}

/// Nothing happens because time passes.
fn timeless(high_water: usize) -> Arc<Config> {
    let mut config = Config::default();
    config.high_water = high_water;
    config.keep_alive = Duration::MAX;
    config.idle_timeout = Duration::MAX;
    config.message_timeout = Duration::MAX;
    config.write_timeout = Duration::MAX;
    Arc::new(config)
}

#[test]
fn everything_arrives_once_and_in_order_and_nobody_waits_in_vain() {
    for seed in 0..SEEDS {
        let dice = Dice::new(seed);
        let sim = Sim::new();
        let (a, b) = duplex(dice.one_of(&[7, 100, 5000, 1 << 20]));
        let config = timeless(dice.one_of(&[1, 300, 5000, 128 * 1024]));
        let left = Left::new(AtomicUsize::new(6));
        let sides = [
            set_out(&sim, client_with(&sim, a, Arc::clone(&config)), &dice, &left),
            set_out(&sim, server_with(&sim, b, config), &dice, &left),
        ];
        sim.block_on(async {
            while left.load(Ordering::SeqCst) > 0 {
                sim.sleep(Duration::from_secs(1)).await;
                let parts = left.load(Ordering::SeqCst);
                assert!(sim.elapsed().as_secs() < 5, "seed {seed}: {parts} of 6 wait in vain");
            }
        });
        for side in sides {
            let all: Vec<u8> = (0..COUNT).collect();
            assert_eq!(*side.lock().unwrap(), [all.clone(), all], "seed {seed}");
        }
    }
}
