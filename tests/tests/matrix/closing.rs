//! The end of a connection, from both sides.

use std::time::Duration;

use futures_channel::oneshot;
use ws_stack::endpoint::{
    Cause, CloseCode, CloseFrame, Config, Error, Message, Outcome, TransportError, WebSocket,
};

use crate::Seen;
use crate::cell::{Cell, echo};
use crate::platform::Platform;

/// What a side knows about the end: code, reason, whether it was clean, and who began.
type End = (u16, String, bool, &'static str);

fn end(outcome: &Outcome) -> End {
    let cause = outcome.cause.reason();
    (outcome.code.get(), outcome.reason.clone(), outcome.clean, cause)
}

/// Reads to the end; the close frame on the way, and how it ended.
async fn read_to_end<N: Platform>(websocket: &mut WebSocket<N>) -> (Option<CloseFrame>, End) {
    let mut frame = None;
    while let Some(message) = websocket.next().await {
        if let Message::Close(close) = message.expect("an orderly end") {
            frame = close;
        }
    }
    (frame, end(websocket.outcome().expect("it has ended")))
}

// RFC: WS-5.5.1-06, WS-7.1.5-01, WS-7.1.6-01
pub(crate) async fn the_client_closes_with_code_and_reason<N: Platform>(cell: Cell<N>) -> Seen {
    let rows = [(1000, ""), (1001, "page left"), (3000, "registered"), (4999, "größte 🦀")];
    for (code, reason) in rows {
        let (url, ended) = cell.once(cell.accept_options(), async |mut websocket: WebSocket<N>| {
            read_to_end(&mut websocket).await
        });
        let mut websocket = cell.connect(&url).await;
        let start = cell.net.now();
        let outcome = websocket.close(CloseCode::new(code), reason).await.expect("a valid code");
        // The answer repeats the code and needs no reason (RFC 6455 §5.5.1).
        assert_eq!(end(outcome), (code, String::new(), true, "normal"));
        drop(websocket);
        let (frame, theirs) = ended.await.expect("it was read");
        let frame = frame.expect("it has a code");
        assert_eq!((frame.code.get(), &*frame.reason), (code, reason));
        assert_eq!(theirs, (code, reason.to_owned(), true, "remote"));
        // Nobody waited for a deadline.
        assert!(cell.net.now() - start < Duration::from_secs(2));
    }
    Seen::Right
}

// RFC: WS-5.5.1-08, WS-7.1.1-02
pub(crate) async fn the_server_closes_with_code_and_reason<N: Platform>(cell: Cell<N>) -> Seen {
    let (url, ended) = cell.once(cell.accept_options(), async |mut websocket: WebSocket<N>| {
        websocket.feed(Message::text("last words")).await.expect("queued");
        let outcome = websocket.close(CloseCode::new(4001), "enough").await;
        end(outcome.expect("a valid code"))
    });
    let mut websocket = cell.connect(&url).await;
    let start = cell.net.now();
    let words = websocket.next().await.expect("open").expect("a message");
    assert_eq!(words, Message::text("last words"));
    let (frame, ours) = read_to_end(&mut websocket).await;
    assert_eq!(frame.expect("it has a code").code.get(), 4001);
    assert_eq!(ours, (4001, "enough".to_owned(), true, "remote"));
    // The client is still there, and the server does not have to wait for it to go.
    assert_eq!(ended.await.expect("it was closed"), (4001, String::new(), true, "normal"));
    assert!(cell.net.now() - start < Duration::from_secs(2), "both ends waited for each other");
    Seen::Right
}

/// However much of the message, and of others behind it, has arrived with the length that is too much.
// RFC: WS-7.1.7-02
// THREAT: length-arithmetic
pub(crate) async fn a_message_above_a_small_limit_is_told_so<N: Platform>(cell: Cell<N>) -> Seen {
    for (limit, len) in [(100, 101), (1000, 20_000), (16_384, 900_000)] {
        let options = cell.accept_with(|session| {
            session.limits = session.limits.with_max_message(limit).with_max_frame(limit);
        });
        let (url, ended) = cell.once(options, async |mut websocket: WebSocket<N>| {
            while websocket.next().await.is_some() {}
            websocket.outcome().expect("it has ended").sent.clone()
        });
        let mut websocket = cell.connect(&url).await;
        // The server may have said so before all of it has left.
        let _gone = websocket.send(Message::binary(vec![7; len])).await;
        let frame = loop {
            match websocket.next().await {
                Some(Ok(Message::Close(frame))) => break frame.expect("it says why"),
                Some(Ok(_)) => {}
                end => panic!("{len} bytes, at most {limit}: {end:?}"),
            }
        };
        assert_eq!(frame.code, CloseCode::MESSAGE_TOO_BIG, "{len} bytes, at most {limit}");
        drop(websocket);
        assert_eq!(ended.await.expect("it was read"), Some(Some(frame)));
    }
    Seen::Right
}

pub(crate) async fn everyone_is_told_that_the_server_goes_away<N: Platform>(cell: Cell<N>) -> Seen {
    // Another case may have been given the port meanwhile, but not again and again.
    for _ in 0..3 {
        let server = cell.echo();
        let mut clients = Vec::new();
        for _ in 0..5 {
            let mut websocket = cell.connect(&server.url).await;
            websocket.send(Message::text("in")).await.expect("sent");
            websocket.next().await.expect("open").expect("a message");
            clients.push(websocket);
        }
        server.shutdown.drain(Duration::from_secs(5));
        for websocket in &mut clients {
            let (_, ours) = read_to_end(websocket).await;
            assert_eq!(ours, (1001, String::new(), true, "remote"));
        }
        assert_eq!(server.drained.await.expect("no panic").cut, 0);
        if cell.try_connect(&server.url).await.is_err() {
            return Seen::Right;
        }
    }
    panic!("the port is open");
}

pub(crate) async fn a_server_that_restarts_says_so_to_who_may_be_told<N: Platform>(
    cell: Cell<N>,
) -> Seen {
    for is_told in [true, false] {
        let options = cell.accept_with(|config| config.iana_close_codes = is_told);
        let server = cell.serve(cell.listen(options), echo);
        let config = Config::default().with_iana_close_codes(true);
        let options = cell.connect_options().with_session(config);
        let mut websocket = cell.client().connect(&server.url, &options).await.expect("open");
        let goodbye = CloseFrame::new(CloseCode::SERVICE_RESTART, "new version");
        server.shutdown.drain_with(goodbye, Duration::from_secs(5));
        // The first call counts.
        server.shutdown.drain(Duration::from_secs(5));
        let (_, ours) = read_to_end(&mut websocket).await;
        let (code, reason) = if is_told { (1012, "new version") } else { (1001, "") };
        assert_eq!(ours, (code, reason.to_owned(), true, "remote"));
        assert_eq!(server.drained.await.expect("no panic").cut, 0);
    }
    Seen::Right
}

/// Where a program takes its connections to.
#[derive(Clone, Copy, Debug)]
enum Elsewhere {
    /// Another task, which the server's waits for.
    Task,
    /// Another task, and the server's ends.
    TaskAlone,
    /// A reader in another task.
    Half,
}

pub(crate) async fn wherever_a_connection_is_it_is_told<N: Platform>(cell: Cell<N>) -> Seen {
    for elsewhere in [Elsewhere::Task, Elsewhere::TaskAlone, Elsewhere::Half] {
        let net = cell.net.clone();
        let server =
            cell.serve(cell.listen(cell.accept_options()), move |mut websocket: WebSocket<N>| {
                let (net, (ended, end)) = (net.clone(), oneshot::channel::<()>());
                async move {
                    if let Elsewhere::Half = elsewhere {
                        let (mut reader, writer) = websocket.split();
                        net.spawn(async move {
                            while reader.next().await.is_some() {}
                            drop((ended, writer));
                        });
                    } else {
                        net.spawn(async move {
                            while websocket.next().await.is_some() {}
                            drop((ended, websocket));
                        });
                    }
                    if !matches!(elsewhere, Elsewhere::TaskAlone) {
                        let _ended = end.await;
                    }
                }
            });
        let mut websocket = cell.connect(&server.url).await;
        let start = cell.net.now();
        server.shutdown.drain(Duration::from_secs(20));
        let (_, ours) = read_to_end(&mut websocket).await;
        assert_eq!(ours, (1001, String::new(), true, "remote"), "{elsewhere:?}");
        drop(websocket);
        assert_eq!(server.drained.await.expect("no panic").cut, 0, "{elsewhere:?}");
        let took = cell.net.now() - start;
        assert!(took < Duration::from_secs(10), "{elsewhere:?} was told after {took:?}");
    }
    Seen::Right
}

pub(crate) async fn who_does_not_leave_in_time_is_cut<N: Platform>(cell: Cell<N>) -> Seen {
    // A task that never reads, so that it never hears of the end.
    let server = cell.serve(cell.listen(cell.accept_options()), |websocket| async move {
        std::future::pending::<()>().await;
        drop(websocket);
    });
    let mut websocket = cell.connect(&server.url).await;
    let patience = Duration::from_millis(200);
    let start = cell.net.now();
    server.shutdown.drain(patience);
    assert_eq!(server.drained.await.expect("no panic").cut, 1);
    let took = cell.elapsed(start, patience);
    let end = websocket.next().await.expect("an error");
    assert!(matches!(end, Err(Error::Transport(TransportError::Closed))), "{end:?}");
    Seen::Took(took)
}

pub(crate) async fn a_peer_that_vanishes_is_no_orderly_end<N: Platform>(cell: Cell<N>) -> Seen {
    let (url, ended) = cell.once(cell.accept_options(), async |mut websocket: WebSocket<N>| {
        let mut last = None;
        while let Some(message) = websocket.next().await {
            last = Some(message);
        }
        let Some(Err(Error::Transport(TransportError::Closed))) = last else { panic!("{last:?}") };
        let outcome = websocket.outcome().expect("it has ended");
        assert!(matches!(outcome.cause, Cause::Transport(_)), "{outcome:?}");
        end(outcome)
    });
    let mut websocket = cell.connect(&url).await;
    websocket.send(Message::text("and then")).await.expect("sent");
    drop(websocket);
    let theirs = ended.await.expect("it was read");
    assert_eq!(theirs, (1006, String::new(), false, "transport_error"));
    Seen::Right
}

/// Who has sent something and leaves without a goodbye breaks off, but not in the middle of a word.
pub(crate) async fn what_was_sent_arrives_although_the_connection_is_dropped<N: Platform>(
    cell: Cell<N>,
) -> Seen {
    async fn speak<N: Platform>(mut websocket: WebSocket<N>, len: usize) {
        for number in 0..3 {
            websocket.send(Message::binary(vec![number; len])).await.expect("open");
        }
    }
    async fn listen<N: Platform>(mut websocket: WebSocket<N>) -> Vec<u8> {
        let mut heard = Vec::new();
        while let Some(Ok(message)) = websocket.next().await {
            heard.extend(message.payload().first());
        }
        assert_eq!(websocket.outcome().expect("it has ended").code, CloseCode::ABNORMAL);
        heard
    }
    for len in [1, 10_000] {
        let (url, ended) =
            cell.once(cell.accept_options(), move |websocket| speak::<N>(websocket, len));
        assert_eq!(listen(cell.connect(&url).await).await, [0, 1, 2], "from a server, {len}");
        ended.await.expect("it has spoken");

        let (url, heard) = cell.once(cell.accept_options(), listen::<N>);
        // The connection it is on lives as long as its client.
        let (client, options) = (cell.client(), cell.connect_options());
        speak(client.connect(&url, &options).await.expect("open"), len).await;
        assert_eq!(heard.await.expect("it has ended"), [0, 1, 2], "from a client, {len}");
    }
    Seen::Right
}
