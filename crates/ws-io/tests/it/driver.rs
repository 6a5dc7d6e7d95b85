//! When the driver reads, writes and looks at the clock: the policy that decides the speed.

use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use ws_frame::{FrameHeader, Message};
use ws_io::{CloseCode, Config, Error, Notice, NoticeBoard, Runtime as _, TransportError, duplex};

use crate::support::{
    Counts, Hostile, Plan, Sim, Socket, client, echo, give_up_after, join, pair, server,
    server_with,
};

/// A client of an echo whose calls are counted, with room for so many bytes between them.
fn counted(sim: &Sim, room: usize) -> (Socket, Arc<Mutex<Counts>>) {
    let (left, right) = duplex(room);
    let transport = Hostile::new(right, Plan::default());
    let counts = transport.counts();
    let mut server = server(sim, transport);
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    (client(sim, left), counts)
}

#[test]
fn a_burst_of_messages_is_answered_with_one_write() {
    let sim = Sim::new();
    let (mut client, counts) = counted(&sim, 64 * 1024);
    sim.block_on(async {
        for _ in 0..64 {
            client.feed(Message::text("0123456789abcdef")).await.unwrap();
        }
        for _ in 0..64 {
            client.next().await.unwrap().unwrap();
        }
    });
    let counts = counts.lock().unwrap();
    assert_eq!(counts.writes, 1);
    assert!(counts.reads <= 3, "{counts:?}");
}

#[test]
fn a_message_of_64_kib_takes_few_reads_once_the_size_is_known() {
    let sim = Sim::new();
    let (mut client, counts) = counted(&sim, 1024 * 1024);
    sim.block_on(async {
        for _ in 0..20 {
            client.send(Message::binary(vec![0; 65_536])).await.unwrap();
            client.next().await.unwrap().unwrap();
        }
    });
    let counts = counts.lock().unwrap();
    assert!(counts.reads <= 20 * 4, "{counts:?}");
    assert!(counts.writes <= 20 * 2, "{counts:?}");
}

#[test]
fn what_came_in_one_read_is_answered_in_one_write_though_it_is_more_than_high_water() {
    let sim = Sim::new();
    let (mut client, counts) = counted(&sim, 2 * 1024 * 1024);
    sim.block_on(async {
        let mut before = (0, 0);
        for round in 0..4 {
            for _ in 0..16 {
                client.feed(Message::binary(vec![0; 65_536])).await.unwrap();
            }
            for _ in 0..16 {
                client.next().await.unwrap().unwrap();
            }
            let counts = counts.lock().unwrap();
            let (reads, writes) = (counts.reads - before.0, counts.writes - before.1);
            // A read takes four of them, and one more finds that nothing is there.
            assert!(round == 0 || reads <= 6 && writes < reads, "{reads} reads, {writes} writes");
            before = (counts.reads, counts.writes);
        }
    });
}

#[test]
fn a_turn_that_has_read_may_queue_twice_high_water_and_no_more() {
    const SIZE: usize = 10_000;
    let sim = Sim::new();
    for has_read in [false, true] {
        let (left, right) = duplex(100);
        let (mut client, mut server) = (client(&sim, left), server(&sim, right));
        sim.block_on(async {
            if has_read {
                client.send(Message::text("question")).await.unwrap();
                server.next().await.unwrap().unwrap();
            }
            while give_up_after(1, server.feed(Message::binary(vec![0; SIZE]))).await.is_some() {}
        });
        let queued = server.into_parts().session.transmit().len();
        let high_water = 128 * 1024 * (1 + usize::from(has_read));
        let most = high_water + SIZE + FrameHeader::MAX_LEN;
        assert!((high_water..most).contains(&queued), "{queued} of {high_water}");
    }
}

#[test]
fn a_message_is_fed_as_soon_as_the_queue_is_below_high_water() {
    let sim = Sim::new();
    let (left, _reads_nothing) = duplex(64 * 1024);
    let mut client = client(&sim, left);
    sim.block_on(async {
        client.feed(Message::binary(vec![0; 160 * 1024])).await.unwrap();
        let fed = give_up_after(1, client.feed(Message::text("behind"))).await;
        assert!(matches!(fed, Some(Ok(()))), "{fed:?}");
    });
}

#[test]
fn a_deadline_that_moves_away_does_not_move_the_timer() {
    let sim = Sim::new();
    let (left, right) = duplex(64 * 1024);
    let (mut client, mut server) = (client(&sim, left), server(&sim, right));
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    sim.block_on(async {
        client.send(Message::text("first")).await.unwrap();
        client.next().await.unwrap().unwrap();
        let before = sim.timer_moves();
        for _ in 0..100 {
            sim.advance(Duration::from_millis(1));
            client.send(Message::text("next")).await.unwrap();
            client.next().await.unwrap().unwrap();
        }
        assert!(sim.timer_moves() - before <= 4, "{} moves", sim.timer_moves() - before);
    });
}

// THREAT: endless-loop
#[test]
fn a_peer_that_never_pauses_does_not_keep_the_thread() {
    let sim = Sim::new();
    let (left, right) = duplex(100);
    let plan = Plan { read: 1, ..Plan::default() };
    let transport = Hostile::new(right, plan);
    let counts = transport.counts();
    let mut server = server(&sim, transport);
    let mut client = client(&sim, left);
    sim.block_on(async {
        client.send(Message::binary(vec![0; 80])).await.unwrap();
        let next = give_up_after(1, server.next()).await;
        assert!(next.is_none(), "80 bytes, one per read, are more than one turn may take");
    });
    assert!(counts.lock().unwrap().reads <= 32);
}

#[test]
fn what_a_turn_has_brought_is_written_when_it_is_used_up() {
    let sim = Sim::new();
    let (left, right) = duplex(100);
    let transport = Hostile::new(right, Plan { read: 1, ..Plan::default() });
    let counts = transport.counts();
    let (mut client, mut server) = (client(&sim, left), server(&sim, transport));
    sim.block_on(async {
        client.send(Message::binary(vec![0; 80])).await.unwrap();
        server.feed(Message::text("answer")).await.unwrap();
        assert!(give_up_after(1, server.next()).await.is_none(), "the message has not all come");
    });
    assert_eq!(counts.lock().unwrap().written, 8);
}

/// One notice, and whoever waits for it.
#[derive(Default)]
struct Board(Mutex<(Option<Notice>, Option<Waker>)>);

impl Board {
    fn put_up(&self, notice: Notice) {
        let mut state = self.0.lock().unwrap();
        state.0 = Some(notice);
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }
}

impl NoticeBoard for Board {
    fn notice(&self) -> Notice {
        self.0.lock().unwrap().0.unwrap_or(Notice::Stay)
    }

    fn wake_on_change(&self, waker: &Waker) {
        self.0.lock().unwrap().1 = Some(waker.clone());
    }
}

#[test]
fn a_notice_ends_a_connection_with_1001_wherever_it_waits() {
    for (is_split, deadlines) in [(false, true), (true, true), (false, false)] {
        let sim = Sim::new();
        let (left, right) = duplex(64 * 1024);
        let mut config = Config::default();
        if !deadlines {
            config.idle_timeout = Duration::MAX;
            config.keep_alive = Duration::MAX;
            config.close_timeout = Duration::MAX;
        }
        let mut client = client(&sim, left);
        let mut server = server_with(&sim, right, Arc::new(config));
        let board = Arc::new(Board::default());
        server.watch(Arc::clone(&board) as Arc<dyn NoticeBoard>);
        if is_split {
            let (mut reader, writer) = server.split();
            sim.spawn(async move {
                while reader.next().await.is_some() {}
                drop(writer);
            });
        } else {
            // Another task than the one that waits to the end.
            sim.block_on(async { assert!(give_up_after(1, server.next()).await.is_none()) });
            sim.spawn(async move { while server.next().await.is_some() {} });
        }
        sim.block_on(async {
            client.send(Message::text("before")).await.unwrap();
            sim.sleep(Duration::from_secs(1)).await;
            board.put_up(Notice::Leave);
            while let Some(message) = client.next().await {
                message.unwrap();
            }
        });
        assert_eq!(client.outcome().unwrap().code, CloseCode::GOING_AWAY);
        assert!(sim.elapsed() < Duration::from_secs(2), "{:?}", sim.elapsed());
    }
}

#[test]
fn a_board_that_is_watched_later_ends_the_task_that_waited_before() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    let board = Arc::new(Board::default());
    let watched = Arc::clone(&board);
    sim.spawn(async move {
        assert!(give_up_after(1, server.next()).await.is_none());
        server.watch(watched);
        while server.next().await.is_some() {}
    });
    sim.block_on(async {
        sim.sleep(Duration::from_secs(1)).await;
        board.put_up(Notice::Leave);
        while client.next().await.is_some() {}
    });
    assert!(sim.elapsed() < Duration::from_secs(2), "{:?}", sim.elapsed());
}

/// Gets its notice when somebody begins to wait, who is not woken for that.
struct LateBoard(Mutex<Notice>, Notice);

impl NoticeBoard for LateBoard {
    fn notice(&self) -> Notice {
        *self.0.lock().unwrap()
    }

    fn wake_on_change(&self, _: &Waker) {
        *self.0.lock().unwrap() = self.1;
    }
}

#[test]
fn a_notice_that_is_put_up_while_a_task_begins_to_wait_is_not_missed() {
    for (notice, sends) in [(Notice::Leave, false), (Notice::Cut, false), (Notice::Cut, true)] {
        let sim = Sim::new();
        let (_left, right) = duplex(1000);
        let mut server = server(&sim, right);
        server.watch(Arc::new(LateBoard(Mutex::new(Notice::Stay), notice)));
        sim.block_on(async {
            if sends {
                server.send(Message::binary(vec![0; 5000])).await.unwrap_err();
            } else {
                while server.next().await.is_some() {}
            }
        });
        let most = if notice == Notice::Leave { 5 } else { 0 };
        assert_eq!(sim.elapsed().as_secs(), most, "{notice:?}, sends: {sends}");
    }
}

#[test]
fn what_is_cut_fails_at_once_whether_it_receives_or_sends() {
    for sends in [false, true] {
        let sim = Sim::new();
        let (_left, right) = duplex(1000);
        let mut server = server(&sim, right);
        let board = Arc::new(Board::default());
        server.watch(Arc::clone(&board) as Arc<dyn NoticeBoard>);
        let cutting = async {
            sim.sleep(Duration::from_secs(1)).await;
            board.put_up(Notice::Cut);
        };
        let waiting = async {
            let end = if sends {
                server.send(Message::binary(vec![0; 5000])).await
            } else {
                server.next().await.map_or(Ok(()), |end| end.map(drop))
            };
            (end, sim.elapsed().as_secs())
        };
        let ((end, after), ()) = sim.block_on(join(waiting, cutting));
        assert!(matches!(end, Err(Error::Transport(TransportError::Closed))), "{end:?}");
        assert_eq!(after, 1);
        assert_eq!(Arc::strong_count(&board), 1, "it has let go of its place");
        assert!(sim.block_on(server.send(Message::text("x"))).is_err());
    }
}

#[test]
fn who_sends_waits_on_though_it_is_time_to_leave() {
    let sim = Sim::new();
    let (_takes_nothing, right) = duplex(1000);
    let config = Config::default().with_write_timeout(Duration::MAX);
    let mut server = server_with(&sim, right, config.into());
    server.watch(Arc::new(LateBoard(Mutex::new(Notice::Stay), Notice::Leave)));
    let send = server.send(Message::binary(vec![0; 5000]));
    assert!(sim.block_on(give_up_after(1, send)).is_none());
}
