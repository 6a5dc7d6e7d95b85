//! Handlers: who is called when, and how a connection ends under them.

use std::sync::{Arc, Mutex};

use ws_close::CloseCode;
use ws_frame::Message;
use ws_io::{Error, Fault, Flow, Handler, MailboxError, Peer, Runtime as _, duplex, mailbox, run};
use ws_session::{Cause, Outcome};

use crate::support::{Sim, client, pair, server, texts, yield_now};

type Log = Arc<Mutex<Vec<String>>>;

/// Does what it is told, and writes down what happens to it.
#[derive(Default)]
struct Scripted {
    log: Log,
    infos_to_self: usize,
}

impl Scripted {
    fn note(&self, line: impl Into<String>) {
        self.log.lock().unwrap().push(line.into());
    }
}

impl Handler for Scripted {
    type Info = usize;
    type Error = Error;

    async fn on_open(&mut self, peer: &mut Peer<'_, usize>) -> Result<Flow, Error> {
        self.note("open");
        let mailbox = peer.mailbox();
        for n in 0..self.infos_to_self {
            mailbox.try_send(n).unwrap();
        }
        Ok(Flow::Continue)
    }

    async fn on_message(
        &mut self,
        message: Message,
        peer: &mut Peer<'_, usize>,
    ) -> Result<Flow, Error> {
        match &message {
            Message::Text(text) => match text.as_str() {
                "stop" => return Ok(Flow::Stop),
                "leave" => peer.close(CloseCode::new(4000), "told to")?,
                "fail" => peer.close(CloseCode::new(1005), "never sent")?,
                "panic" => panic!("told to"),
                "twice" => {
                    peer.send(Message::text("one")).await?;
                    peer.send(Message::text("two")).await?;
                    peer.flush().await?;
                }
                "big" => {
                    for _ in 0..20 {
                        peer.send(Message::binary(vec![0; 50_000])).await?;
                    }
                    self.note("sent");
                }
                _ => peer.send(message).await?,
            },
            other => self.note(format!("{:?}", other.opcode())),
        }
        Ok(Flow::Continue)
    }

    async fn on_info(&mut self, info: usize, peer: &mut Peer<'_, usize>) -> Result<Flow, Error> {
        peer.send(Message::text(format!("info {info}"))).await?;
        Ok(Flow::Continue)
    }

    async fn on_terminate(&mut self, outcome: &Outcome) {
        self.note(format!("terminate {}", outcome.cause.reason()));
    }
}

/// Lets a scripted handler serve a client that sends `script`, then reads to the end.
fn serve(script: &[&str], infos_to_self: usize) -> (Vec<Message>, Vec<String>, Ending) {
    let sim = Sim::new();
    let (mut client, server) = pair(&sim);
    let handler = Scripted { infos_to_self, ..Scripted::default() };
    let log = Arc::clone(&handler.log);
    let (_mailbox, inbox) = mailbox(8);
    let served = sim.spawn_collect(async move {
        let end = run(server, handler, inbox).await;
        let failed = match end.fault {
            None => None,
            Some(Fault::Failed(_)) => Some("failed"),
            Some(_) => Some("panicked"),
        };
        Ending { failed, by_handler: matches!(end.outcome().cause, Cause::HandlerFailed) }
    });
    let (received, end) = sim.block_on(async {
        for line in script {
            client.send(Message::text(*line)).await.unwrap();
        }
        let mut received = Vec::new();
        while let Some(message) = client.next().await {
            received.push(message.unwrap());
        }
        (received, served.output().await)
    });
    let log = log.lock().unwrap().clone();
    (received, log, end)
}

#[derive(Debug, PartialEq, Eq)]
struct Ending {
    failed: Option<&'static str>,
    by_handler: bool,
}

fn close_code(messages: &[Message]) -> Option<u16> {
    match messages.last() {
        Some(Message::Close(Some(frame))) => Some(frame.code.get()),
        _ => None,
    }
}

#[test]
fn replies_leave_in_order_and_terminate_comes_once() {
    let (received, log, end) = serve(&["a", "twice", "b", "stop", "never seen"], 0);
    assert_eq!(texts(&received), ["a", "one", "two", "b"]);
    assert_eq!(close_code(&received), Some(1000));
    assert_eq!(log.iter().filter(|line| line.starts_with("terminate")).count(), 1);
    assert_eq!(end, Ending { failed: None, by_handler: false });
}

#[test]
fn messages_to_oneself_while_opening_are_delivered_in_order() {
    let (received, _, _) = serve(&["stop"], 3);
    let infos = texts(&received);
    assert!(["info 0", "info 1", "info 2"].starts_with(&infos), "{infos:?}");
    let sim = Sim::new();
    let (mut client, server) = pair(&sim);
    let handler = Scripted { infos_to_self: 3, ..Scripted::default() };
    let (_mailbox, inbox) = mailbox(3);
    sim.spawn(async move { drop(run(server, handler, inbox).await) });
    sim.block_on(async {
        for n in 0..3 {
            let message = client.next().await.unwrap().unwrap();
            assert_eq!(message, Message::text(format!("info {n}")));
        }
    });
}

#[test]
fn the_close_code_of_the_handler_reaches_the_peer() {
    let (received, _, _) = serve(&["leave"], 0);
    assert_eq!(close_code(&received), Some(4000));
}

#[test]
fn an_error_or_a_panic_ends_the_connection_with_1011() {
    for (line, how) in [("fail", "failed"), ("panic", "panicked")] {
        let (received, log, end) = serve(&["a", line], 0);
        assert_eq!(texts(&received), ["a"]);
        assert_eq!(close_code(&received), Some(1011), "{line}");
        assert_eq!(log, ["open", "terminate handler_failed"]);
        assert_eq!(end, Ending { failed: Some(how), by_handler: true });
    }
}

#[test]
fn a_handler_that_fails_with_its_transport_does_not_hide_why() {
    let sim = Sim::new();
    let (mut client, server) = pair(&sim);
    let (_mailbox, inbox) = mailbox(1);
    let end = sim.block_on(async {
        client.send(Message::text("big")).await.unwrap();
        drop(client);
        run(server, Scripted::default(), inbox).await
    });
    assert!(matches!(end.fault, Some(Fault::Failed(_))), "{end:?}");
    assert!(matches!(end.outcome().cause, Cause::Transport(_)), "{end:?}");
}

#[test]
fn the_handler_sees_control_frames_and_the_close() {
    let sim = Sim::new();
    let (mut client, server) = pair(&sim);
    let handler = Scripted::default();
    let log = Arc::clone(&handler.log);
    let (_mailbox, inbox) = mailbox(1);
    let done = sim.spawn_collect(async move { drop(run(server, handler, inbox).await) });
    sim.block_on(async {
        client.send(Message::Ping("a".into())).await.unwrap();
        client.send(Message::Pong("b".into())).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong("a".into()));
        client.close(CloseCode::NORMAL, "").await.unwrap();
        done.output().await;
    });
    let log = log.lock().unwrap();
    assert_eq!(log[..4], ["open", "Ping", "Pong", "Close"]);
    assert!(log[4].starts_with("terminate"), "{log:?}");
}

#[test]
fn a_handler_is_held_back_by_a_peer_that_does_not_read() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let (mut client, server) = (client(&sim, left), server(&sim, right));
    let handler = Scripted::default();
    let log = Arc::clone(&handler.log);
    let (_mailbox, inbox) = mailbox(1);
    sim.spawn(async move { drop(run(server, handler, inbox).await) });
    sim.block_on(async {
        client.send(Message::text("big")).await.unwrap();
        sim.sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(log.lock().unwrap()[..], ["open"], "a megabyte does not fit the queue");
        for _ in 0..20 {
            assert_eq!(client.next().await.unwrap().unwrap().payload().len(), 50_000);
        }
        sim.sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(log.lock().unwrap()[..], ["open", "sent"]);
    });
}

#[test]
fn messages_of_the_program_reach_a_handler_that_waits() {
    let sim = Sim::new();
    let (mut client, server) = pair(&sim);
    let (to_handler, inbox) = mailbox(1);
    sim.spawn(async move { drop(run(server, Scripted::default(), inbox).await) });
    sim.block_on(async {
        sim.sleep(std::time::Duration::from_secs(1)).await;
        to_handler.send(7).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("info 7"));
    });
}

#[test]
fn the_peer_and_the_program_take_turns() {
    let sim = Sim::new();
    let (mut client, server) = pair(&sim);
    let (to_handler, inbox) = mailbox(8);
    let received = sim.block_on(async {
        for n in 0..4 {
            client.send(Message::text("message")).await.unwrap();
            to_handler.try_send(n).unwrap();
        }
        sim.spawn(async move { drop(run(server, Scripted::default(), inbox).await) });
        let mut received = Vec::new();
        for _ in 0..8 {
            received.push(client.next().await.unwrap().unwrap());
        }
        received
    });
    let kinds: Vec<_> = texts(&received).iter().map(|text| text.starts_with("info")).collect();
    assert!(kinds.windows(2).all(|pair| pair[0] != pair[1]), "{received:?}");
}

#[test]
fn clones_of_a_mailbox_share_its_room() {
    for (capacity, room) in [(0, 1), (1, 1), (16, 16), (usize::MAX, 1000)] {
        let (mailbox, inbox) = mailbox(capacity);
        let taken = (0..1000).filter(|n| mailbox.clone().try_send(*n).is_ok()).count();
        assert_eq!(taken, room);
        assert!(!mailbox.is_closed());
        if room < 1000 {
            assert_eq!(mailbox.try_send(1), Err(MailboxError::Full(1)));
        }
        drop(inbox);
        assert!(mailbox.is_closed());
        assert_eq!(mailbox.try_send(1), Err(MailboxError::Closed(1)));
    }
}

/// Always has something to say to itself.
struct Busy {
    thoughts: usize,
    /// After so many it leaves.
    enough: usize,
}

impl Handler for Busy {
    type Info = ();
    type Error = Error;

    async fn on_open(&mut self, peer: &mut Peer<'_, ()>) -> Result<Flow, Error> {
        peer.mailbox().try_send(()).unwrap();
        Ok(Flow::Continue)
    }

    async fn on_message(&mut self, _: Message, _: &mut Peer<'_, ()>) -> Result<Flow, Error> {
        Ok(Flow::Stop)
    }

    async fn on_info(&mut self, (): (), peer: &mut Peer<'_, ()>) -> Result<Flow, Error> {
        self.thoughts += 1;
        assert!(self.thoughts < 100_000, "nobody else runs");
        peer.mailbox().try_send(()).unwrap();
        Ok(if self.thoughts < self.enough { Flow::Continue } else { Flow::Stop })
    }
}

#[test]
fn a_handler_goes_on_with_its_mail_when_others_have_run() {
    let sim = Sim::new();
    let (mut client, server) = pair(&sim);
    let (_mailbox, inbox) = mailbox(1);
    let served = sim.spawn_collect(run(server, Busy { thoughts: 0, enough: 100 }, inbox));
    sim.block_on(async {
        while client.next().await.is_some() {}
        assert_eq!(served.output().await.handler.thoughts, 100);
    });
    assert!(sim.elapsed() < std::time::Duration::from_secs(1), "it waited for something else");
}

#[test]
fn a_handler_that_always_has_mail_lets_other_tasks_run() {
    let sim = Sim::new();
    let (mut client, server) = pair(&sim);
    let (_mailbox, inbox) = mailbox(1);
    let served = sim.spawn_collect(run(server, Busy { thoughts: 0, enough: usize::MAX }, inbox));
    sim.block_on(async {
        yield_now().await;
        client.send(Message::text("enough")).await.unwrap();
        while client.next().await.is_some() {}
        assert!(served.output().await.fault.is_none());
    });
}
