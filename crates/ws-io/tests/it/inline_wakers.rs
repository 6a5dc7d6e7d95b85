//! Halves whose wakers run their task at once, in the call that wakes them.

use std::future::pending;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use ws_frame::Message;
use ws_io::{CloseCode, Duplex, Notice, NoticeBoard, Transport, duplex};
use ws_session::{Config, SendError};

use crate::support::{Sim, client, give_up_after, pair, server, server_with};

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A task that runs in whatever call wakes it.
struct Inline {
    future: Mutex<Option<Running>>,
    is_woken: AtomicBool,
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        // One that runs already looks again by itself.
        while let Ok(mut future) = self.future.try_lock()
            && self.is_woken.swap(false, Ordering::SeqCst)
        {
            let waker = Waker::from(Arc::clone(&self));
            let is_over = future.as_mut().is_some_and(|future| {
                future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
            });
            if is_over {
                *future = None;
            }
        }
    }
}

fn run(future: impl Future<Output = ()> + Send + 'static) {
    let future = Mutex::new(Some(Box::pin(future) as _));
    Arc::new(Inline { future, is_woken: AtomicBool::new(false) }).wake();
}

/// Fails if `act` waits for itself.
#[expect(clippy::disallowed_methods, reason = "what waits for itself does not come back")]
fn in_time(act: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        act();
        done.send(()).expect("somebody waits");
    });
    is_done.recv_timeout(Duration::from_secs(10)).expect("a lock is waited for by who holds it");
}

/// Wakes whoever asks it for the first time at once, as a runtime does that wants its thread back.
struct Eager {
    inner: Duplex,
    has_woken: bool,
}

impl Transport for Eager {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        if !std::mem::replace(&mut self.has_woken, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.inner.poll_read(cx, buf, max)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        self.inner.poll_write(cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_shutdown(cx)
    }

    fn name(&self) -> &'static str {
        "eager"
    }
}

#[test]
fn a_transport_may_wake_a_half_while_the_other_polls_it() {
    in_time(|| {
        let sim = Sim::new();
        let (left, mut right) = duplex(50);
        let socket = server(&sim, Eager { inner: left, has_woken: false });
        let (mut reader, mut writer) = socket.split();
        let (tell, told) = mpsc::channel();
        run(async move {
            writer.send(Message::binary(vec![7; 300])).await.expect("open");
            tell.send(()).expect("somebody listens");
        });
        // Polls the transport while the writer waits for room.
        run(async move { while reader.next().await.is_some() {} });
        let mut cx = Context::from_waker(Waker::noop());
        let mut taken = BytesMut::with_capacity(1000);
        while let Poll::Ready(Ok(1..)) = right.poll_read(&mut cx, &mut taken, 50) {}
        assert_eq!(taken.len(), 304);
        assert_eq!(told.try_recv(), Ok(()));
    });
}

#[test]
fn a_task_that_gets_room_in_the_queue_may_use_the_other_half() {
    in_time(|| {
        let sim = Sim::new();
        let (_client, server) = pair(&sim);
        let (mut reader, mut writer) = server.split();
        let sender = reader.sender(1);
        sender.try_send(Message::text("first")).expect("room");
        let (tell, told) = mpsc::channel();
        run(async move {
            sender.send(Message::text("second")).await.expect("open");
            writer.send(Message::text("third")).await.expect("open");
            tell.send(()).expect("somebody listens");
        });
        assert!(told.try_recv().is_err(), "there is no room yet");
        run(async move { while reader.next().await.is_some() {} });
        assert_eq!(told.try_recv(), Ok(()));
    });
}

#[test]
fn a_task_whose_message_is_acknowledged_may_use_the_other_half() {
    in_time(|| {
        let sim = Sim::new();
        let (_client, server) = pair(&sim);
        let (mut reader, mut writer) = server.split();
        let sender = reader.sender(1);
        let (tell, told) = mpsc::channel();
        run(async move {
            sender.send_acknowledged(Message::text("first")).await.expect("open");
            writer.send(Message::text("second")).await.expect("open");
            tell.send(()).expect("somebody listens");
        });
        run(async move { while reader.next().await.is_some() {} });
        assert_eq!(told.try_recv(), Ok(()));
    });
}

#[test]
fn a_task_that_finds_the_queue_closed_may_use_the_other_half() {
    in_time(|| {
        let sim = Sim::new();
        let (client, server) = pair(&sim);
        let (mut reader, mut writer) = server.split();
        let sender = reader.sender(1);
        let (tell, told) = mpsc::channel();
        run(async move {
            // More than the pipe takes, so nobody acknowledges it.
            let large = Message::binary(vec![7; 10_000_000]);
            let acknowledged = sender.send_acknowledged(large).await;
            tell.send((acknowledged, writer.outcome().is_some())).expect("somebody listens");
            let _ended = writer.flush().await;
        });
        drop(client);
        run(async move { while reader.next().await.is_some() {} });
        assert_eq!(told.try_recv(), Ok((Err(SendError::Closed), true)));
    });
}

#[test]
fn a_task_that_ends_with_its_last_waker_may_hold_a_half() {
    in_time(|| {
        let sim = Sim::new();
        let (client, mut server) = pair(&sim);
        let (give, given) = mpsc::channel();
        run(async move {
            // From here on the transport and the timer keep this task.
            assert!(give_up_after(1, server.next()).await.is_none());
            let (reader, writer) = server.split();
            give.send(reader).expect("somebody waits");
            pending::<()>().await;
            drop(writer);
        });
        let mut reader = given.try_recv().expect("it was given away");
        let mut next = pin!(reader.next());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(next.as_mut().poll(&mut cx).is_pending());
        assert!(given.try_recv().is_err_and(|error| error == mpsc::TryRecvError::Disconnected));
        drop(client);
        assert!(matches!(next.as_mut().poll(&mut cx), Poll::Ready(Some(Err(_)))));
    });
}

/// Wakes somebody when its connection is off it.
struct Board {
    notice: Arc<Mutex<Notice>>,
    waiting: Arc<Mutex<Option<Waker>>>,
}

impl NoticeBoard for Board {
    fn notice(&self) -> Notice {
        *self.notice.lock().expect("no panic")
    }

    fn wake_on_change(&self, _: &Waker) {}
}

impl Drop for Board {
    fn drop(&mut self) {
        let waiting = self.waiting.lock().expect("no panic").take();
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[test]
fn a_task_that_waits_for_the_end_of_a_connection_may_use_the_other_half() {
    for closes in [false, true] {
        in_time(move || {
            let sim = Sim::new();
            let (_client, mut server) = pair(&sim);
            let notice = Arc::new(Mutex::new(Notice::Stay));
            let waiting = Arc::new(Mutex::new(None));
            let board = Board { notice: Arc::clone(&notice), waiting: Arc::clone(&waiting) };
            server.watch(Arc::new(board));
            let (mut reader, mut writer) = server.split();
            let (tell, told) = mpsc::channel();
            run(async move {
                let mut waits = true;
                std::future::poll_fn(|cx| {
                    *waiting.lock().expect("no panic") = Some(cx.waker().clone());
                    if std::mem::take(&mut waits) { Poll::Pending } else { Poll::Ready(()) }
                })
                .await;
                if closes {
                    writer.close(CloseCode::NORMAL, "").await.expect("a code that may be sent");
                } else {
                    writer.send(Message::text("late")).await.expect_err("it was cut");
                }
                tell.send(()).expect("somebody listens");
            });
            *notice.lock().expect("no panic") = Notice::Cut;
            run(async move { while reader.next().await.is_some() {} });
            assert_eq!(told.try_recv(), Ok(()));
        });
    }
}

#[test]
fn a_task_that_the_transport_wakes_may_use_the_other_half() {
    in_time(|| {
        let sim = Sim::new();
        let (mut client, server) = pair(&sim);
        let (mut reader, mut writer) = server.split();
        let sender = reader.sender(1);
        let (tell, told) = mpsc::channel();
        run(async move {
            // It is the peer as well, and woken by what is written to it.
            assert_eq!(client.next().await.expect("open").expect("open"), Message::text("first"));
            writer.send(Message::text("second")).await.expect("open");
            assert_eq!(client.next().await.expect("open").expect("open"), Message::text("second"));
            tell.send(()).expect("somebody listens");
        });
        sender.try_send(Message::text("first")).expect("room");
        run(async move { while reader.next().await.is_some() {} });
        assert_eq!(told.try_recv(), Ok(()));
    });
}

#[test]
fn a_task_that_the_transport_wakes_may_ask_for_the_outcome() {
    in_time(|| {
        let sim = Sim::new();
        let (mut client, server) = pair(&sim);
        let (mut reader, writer) = server.split();
        let sender = reader.sender(1);
        let (tell, told) = mpsc::channel();
        run(async move {
            assert_eq!(client.next().await.expect("open").expect("open"), Message::text("first"));
            tell.send(writer.outcome()).expect("somebody listens");
        });
        sender.try_send(Message::text("first")).expect("room");
        run(async move { while reader.next().await.is_some() {} });
        assert_eq!(told.try_recv().map(|outcome| outcome.is_some()), Ok(false));
    });
}

#[test]
fn a_task_that_the_transport_wakes_may_take_a_sender() {
    // Nobody has one yet, or the whole connection has made it, or one of its halves.
    for (whole_has_one, half_has_one) in [(false, false), (true, false), (false, true)] {
        in_time(move || {
            let sim = Sim::new();
            let (mut client, mut server) = pair(&sim);
            let before = whole_has_one.then(|| server.sender(2));
            let (mut reader, mut writer) = server.split();
            let before = before.or_else(|| half_has_one.then(|| reader.sender(2)));
            let (tell, told) = mpsc::channel();
            run(async move {
                let first = client.next().await.expect("open").expect("open");
                assert_eq!(first, Message::text("first"));
                // The writer is at work further up in this thread.
                let (sender, same) = (reader.sender(2), reader.sender(9));
                assert!(reader.outcome().is_none());
                sender.try_send(Message::text("second")).expect("room");
                before.as_ref().unwrap_or(&same).try_send(Message::text("third")).expect("room");
                same.try_send(Message::text("fourth")).expect_err("it is the same queue");
                run(async move {
                    let outcome = loop {
                        if reader.next().await.is_none() {
                            break reader.outcome();
                        }
                    };
                    assert!(outcome.is_some() && reader.sender(1).is_closed());
                });
                for text in ["second", "third"] {
                    let next = client.next().await.expect("open").expect("open");
                    assert_eq!(next, Message::text(text));
                }
                same.try_send(Message::text("fourth")).expect("there is room again");
                let fourth = client.next().await.expect("open").expect("open");
                assert_eq!(fourth, Message::text("fourth"));
                drop(client);
                tell.send(sender).expect("somebody listens");
            });
            run(async move { writer.send(Message::text("first")).await.expect("open") });
            let sender = told.try_recv().expect("all has come");
            assert!(sender.is_closed(), "{whole_has_one} {half_has_one}");
        });
    }
}

// THREAT: memory-amplification
#[test]
fn a_queue_that_is_made_meanwhile_has_the_budget_of_the_connection() {
    const BUDGET: usize = 1024 * 1024;
    in_time(|| {
        let sim = Sim::new();
        let (near, far) = duplex(64 * 1024);
        let mut config = Config::default();
        config.memory_budget = BUDGET;
        let (mut client, server) = (client(&sim, near), server_with(&sim, far, Arc::new(config)));
        let (mut reader, mut writer) = server.split();
        let (tell, told) = mpsc::channel();
        run(async move {
            assert_eq!(client.next().await.expect("open").expect("open"), Message::text("first"));
            let sender = reader.sender(usize::MAX);
            let large = Message::binary(vec![7; BUDGET / 10]);
            let taken = (0..100).take_while(|_| sender.try_send(large.clone()).is_ok()).count();
            tell.send(taken).expect("somebody listens");
        });
        run(async move { writer.send(Message::text("first")).await.expect("open") });
        let taken = told.try_recv().expect("it has been woken");
        assert!((9..=10).contains(&taken), "{taken} tenths of the budget");
    });
}
