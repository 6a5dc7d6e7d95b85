//! When a stream that its user has left comes to its end, and what becomes of its place.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use ws_h2::{Client, ClientConfig, H2Stream, HttpRequest, Request, Server, ServerConfig};
use ws_io::{Runtime, SharedBudget, Transport};

use crate::support::*;
use crate::wire::*;

const NO_ERROR: [u8; 4] = [0; 4];
const CANCEL: [u8; 4] = [0, 0, 0, 8];

async fn accept(server: &mut Server, wire: &mut Wire, id: u32) -> H2Stream {
    wire.send(&connect(id)).await;
    let Some(Request::WebSocket(request)) = server.next().await else { panic!("no websocket") };
    let stream = request.accept(Response::new(())).unwrap();
    assert_eq!(stream.id(), id);
    stream
}

/// A client's stream and its number.
async fn dial(client: &Client, wire: &mut Wire) -> (H2Stream, u32) {
    let answer = async {
        let id = wire.next_of(HEADERS).await.unwrap().stream;
        wire.send(&frame(HEADERS, END_HEADERS, id, &[0x88])).await;
        id
    };
    let (opened, id) = tokio::join!(client.connect(request()), answer);
    (opened.unwrap().1, id)
}

/// `POST http://a/`, whose body does not end.
async fn post(server: &mut Server, wire: &mut Wire, id: u32) -> HttpRequest {
    wire.send(&frame(HEADERS, END_HEADERS, id, b"\x83\x84\x86\x41\x01a")).await;
    let Some(Request::Http(request)) = server.next().await else { panic!("no request") };
    request
}

async fn end(mut stream: H2Stream) {
    stream.shutdown().await.unwrap();
}

/// The next stream that is reset, with its code.
async fn next_reset(wire: &mut Wire) -> (u32, [u8; 4]) {
    let reset = wire.next_of(RST_STREAM).await.unwrap();
    (reset.stream, reset.payload.try_into().unwrap())
}

// THREAT: idle-carrier
#[tokio::test(start_paused = true)]
async fn the_idle_time_begins_when_the_last_stream_has_ended() {
    let config = ServerConfig::default();
    let (mut server, client) = pair(&config, &ClientConfig::default()).await;
    for _ in 0..2 {
        let (mut near, mut far) = open(&mut server, &client).await;
        sleep(config.idle_timeout * 2).await;
        far.write(&mut &b"still here"[..]).await.unwrap();
        assert_eq!(near.read_len(10).await.unwrap(), "still here");
        let (near, far) = tokio::join!(near.shutdown(), far.shutdown());
        assert!(near.is_ok() && far.is_ok());
    }
    let start = Instant::now();
    let ended = timeout(config.idle_timeout * 2, server.next()).await;
    assert!(matches!(ended, Ok(None)), "{ended:?}");
    assert_eq!(start.elapsed().as_secs(), config.idle_timeout.as_secs());
}

// THREAT: idle-carrier
#[tokio::test(start_paused = true)]
async fn a_request_that_was_refused_for_want_of_room_keeps_no_connection() {
    let mut config = ServerConfig::default();
    config.max_streams = 1;
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    let start = Instant::now();
    wire.send(&[connect(1), frame(RST_STREAM, 0, 1, &CANCEL), connect(3)].concat()).await;
    assert_eq!(next_reset(&mut wire).await, (3, [0, 0, 0, 7]));
    let Some(Request::WebSocket(request)) = server.next().await else { panic!("no websocket") };
    assert!(request.accept(Response::new(())).is_err());
    let ended = timeout(config.idle_timeout * 2, wire.goaway_code()).await;
    assert_eq!(ended, Ok(Some(0)));
    assert_eq!(start.elapsed().as_secs(), config.idle_timeout.as_secs());
}

// THREAT: open-after-close
#[tokio::test(start_paused = true)]
async fn a_deadline_of_a_stream_that_has_ended_is_none_for_the_next_in_its_place() {
    let config = ServerConfig::default();
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    end(accept(&mut server, &mut wire, 1).await).await;
    sleep(config.linger / 2).await;
    wire.send(&frame(DATA, END_STREAM, 1, b"")).await;
    settle().await;
    let start = Instant::now();
    end(accept(&mut server, &mut wire, 3).await).await;
    assert_eq!(next_reset(&mut wire).await, (3, NO_ERROR));
    assert_eq!(start.elapsed().as_millis(), config.linger.as_millis());
}

// THREAT: window-stall
#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_page_that_was_taken_is_none_for_what_comes_after() {
    let config = ServerConfig::default();
    // `SETTINGS_INITIAL_WINDOW_SIZE = 0`
    let (mut server, mut wire) = Wire::connect(&config, &[0, 4, 0, 0, 0, 0]).await;
    let page = || Response::new(Bytes::from_static(b"page"));
    // The end of a request's body is awaited for a moment behind the answer, whenever that was taken.
    post(&mut server, &mut wire, 1).await.respond(page()).unwrap();
    sleep(config.handshake_timeout - config.linger / 2).await;
    wire.send(&window_update(1, 4)).await;
    settle().await;
    let start = Instant::now();
    assert_eq!(next_reset(&mut wire).await, (1, NO_ERROR));
    assert_eq!(start.elapsed().as_millis(), config.linger.as_millis());
    // And the next stream has all of its time.
    post(&mut server, &mut wire, 3).await.respond(page()).unwrap();
    sleep(config.handshake_timeout / 2).await;
    wire.send(&[window_update(3, 4), frame(DATA, END_STREAM, 3, b"")].concat()).await;
    settle().await;
    let start = Instant::now();
    post(&mut server, &mut wire, 5).await.respond(page()).unwrap();
    assert_eq!(next_reset(&mut wire).await, (5, CANCEL));
    assert_eq!(start.elapsed().as_millis(), config.handshake_timeout.as_millis());
}

// THREAT: open-after-close, window-stall
#[tokio::test(start_paused = true)]
async fn a_page_that_is_not_taken_holds_up_the_end_of_no_other_stream() {
    let config = ServerConfig::default();
    let (mut server, mut wire) = Wire::connect(&config, &[0, 4, 0, 0, 0, 0]).await;
    let start = Instant::now();
    let page = Response::new(Bytes::from_static(b"page"));
    post(&mut server, &mut wire, 1).await.respond(page).unwrap();
    end(accept(&mut server, &mut wire, 3).await).await;
    assert_eq!(next_reset(&mut wire).await, (3, NO_ERROR));
    assert_eq!(start.elapsed().as_millis(), config.linger.as_millis());
    assert_eq!(next_reset(&mut wire).await, (1, CANCEL));
    assert_eq!(start.elapsed().as_millis(), config.handshake_timeout.as_millis());
}

// THREAT: open-after-close
#[tokio::test(start_paused = true)]
async fn a_client_waits_for_each_server_as_long() {
    let (server_config, config) = (ServerConfig::default(), ClientConfig::default());
    let (mut server, client) = pair(&server_config, &config).await;
    let (mut near, mut far) = open(&mut server, &client).await;
    let ending = tokio::spawn(async move { far.shutdown().await });
    sleep(config.linger / 2).await;
    near.shutdown().await.unwrap();
    ending.await.unwrap().unwrap();
    drop(near);
    settle().await;
    let start = Instant::now();
    let (_near, mut far) = open(&mut server, &client).await;
    // Asking twice is no reason to give up.
    let ask = far.poll_shutdown(&mut Context::from_waker(Waker::noop()));
    assert!(ask.is_pending());
    far.shutdown().await.unwrap();
    assert_eq!(start.elapsed().as_millis(), config.linger.as_millis());
}

// THREAT: open-after-close
#[tokio::test(start_paused = true)]
async fn who_sends_on_and_on_after_the_end_is_cut_at_once() {
    let config = ServerConfig::default();
    for is_page in [false, true] {
        // So that a page is not taken.
        let settings: &[u8] = if is_page { &[0, 4, 0, 0, 0, 0] } else { &[] };
        let (mut server, mut wire) = Wire::connect(&config, settings).await;
        let start = Instant::now();
        if is_page {
            let page = Response::new(Bytes::from_static(b"page"));
            post(&mut server, &mut wire, 1).await.respond(page).unwrap();
        } else {
            end(accept(&mut server, &mut wire, 1).await).await;
        }
        settle().await;
        let flood = frame(DATA, 0, 1, &[0; 16 * 1024]);
        for _ in 0..64 {
            wire.send(&flood).await;
            settle().await;
        }
        wire.send(&frame(PING, 0, 0, &[0; 8])).await;
        let answer = loop {
            let frame = wire.next().await.unwrap();
            if [PING, RST_STREAM].contains(&frame.kind) {
                break frame.kind;
            }
        };
        assert_eq!(answer, PING, "a mebibyte may have been on its way");
        wire.send(&flood).await;
        let code = if is_page { CANCEL } else { NO_ERROR };
        assert_eq!(next_reset(&mut wire).await, (1, code));
        assert!(start.elapsed() < config.linger, "{:?}", start.elapsed());
    }
}

// RFC: H2-10.5-01
#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_our_end_with_a_reset_is_not_charged_for_it() {
    let mut config = ServerConfig::default();
    (config.reset_burst, config.resets_per_second) = (1, 0);
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    for id in [1, 3, 5, 7] {
        end(accept(&mut server, &mut wire, id).await).await;
        settle().await;
        wire.send(&reset(id, 8)).await;
        settle().await;
    }
    wire.send(&frame(PING, 0, 0, &[0; 8])).await;
    let answer = timeout(SOON, wire.next_of(PING)).await;
    assert!(answer.is_ok_and(|answer| answer.is_some()), "the connection lives");
}

/// So that the peer can come to its end in order, and nobody is charged for what nobody will read.
#[tokio::test(start_paused = true)]
async fn what_lay_unread_at_the_end_is_given_back_to_the_peer_and_to_the_budget() {
    let budget = SharedBudget::new(1 << 20);
    let mut config = ServerConfig::default();
    config.budget = Some(budget.clone());
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    let stream = accept(&mut server, &mut wire, 1).await;
    for _ in 0..config.stream_window / (16 * 1024) {
        wire.send(&frame(DATA, 0, 1, &[0; 16 * 1024])).await;
    }
    settle().await;
    assert!(budget.used() >= config.stream_window as usize, "{budget:?}");
    end(stream).await;
    let credit = loop {
        let update = timeout(SOON, wire.next_of(WINDOW_UPDATE)).await.unwrap().unwrap();
        if update.stream == 1 {
            break u32::from_be_bytes(update.payload.try_into().unwrap());
        }
    };
    assert_eq!(credit, config.stream_window);
    assert_eq!(budget.used(), 0);
}

/// Such as a WebSocket that is kept for its outcome.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_over_and_kept_is_charged_no_more() {
    let budget = SharedBudget::new(1 << 20);
    let mut config = ServerConfig::default();
    config.budget = Some(budget.clone());
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    let mut kept = Vec::new();
    for (id, is_ended) in [(1, true), (3, false)] {
        let mut stream = accept(&mut server, &mut wire, id).await;
        wire.send(&frame(DATA, 0, id, b"something")).await;
        settle().await;
        assert_eq!(budget.used(), 1024, "stream {id}");
        if is_ended {
            stream.shutdown().await.unwrap();
        }
        assert!(stream.release());
        wire.send(&frame(DATA, END_STREAM, id, b"")).await;
        settle().await;
        assert_eq!(budget.used(), 0, "stream {id}");
        kept.push(stream);
    }
}

/// What it had to say does not keep its place for longer than for a moment.
// THREAT: write-stall
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_where_the_socket_takes_nothing_gives_up_its_place() {
    let config = ClientConfig::default();
    // WebSockets are allowed, and the windows are as wide as they go.
    let settings = [0, 8, 0, 0, 0, 1, 0, 4, 0x7f, 0xff, 0xff, 0xff];
    let (client, mut wire) = Wire::serve(&settings).await;
    wire.send(&window_update(0, 1 << 30)).await;
    let server = async {
        let id = wire.next_of(HEADERS).await.unwrap().stream;
        wire.send(&frame(HEADERS, END_HEADERS, id, &[0x88])).await;
    };
    let (opened, ()) = tokio::join!(client.connect(request()), server);
    let (_, mut stream) = opened.unwrap();
    let mut bytes = pattern(4 << 20);
    let full = timeout(Duration::from_millis(1), stream.write(&mut bytes)).await;
    assert!(full.is_err(), "nobody reads");
    drop(stream);
    sleep(config.linger / 2).await;
    assert_eq!(client.open_streams(), 1);
    sleep(config.linger).await;
    assert_eq!(client.open_streams(), 0);
}

/// Windows as wide as they go, and WebSockets allowed.
const WIDE: [u8; 12] = [0, 8, 0, 0, 0, 1, 0, 4, 0x7f, 0xff, 0xff, 0xff];

/// Also when a client was about to end in order, and somebody thought better of it.
#[tokio::test(start_paused = true)]
async fn what_was_sent_before_the_drop_has_all_its_time_to_leave() {
    let linger = ClientConfig::default().linger;
    for is_server in [true, false] {
        let (mut server, client);
        let (mut wire, mut stream);
        if is_server {
            (server, wire) = Wire::connect(&ServerConfig::default(), &WIDE[6..]).await;
            stream = accept(&mut server, &mut wire, 1).await;
        } else {
            (client, wire) = Wire::serve(&WIDE).await;
            stream = dial(&client, &mut wire).await.0;
        }
        wire.send(&window_update(0, 1 << 30)).await;
        let mut bytes = pattern(4 << 20);
        let full = timeout(Duration::from_millis(1), stream.write(&mut bytes)).await;
        let sent = (4 << 20) - bytes.len();
        assert!(full.is_err() && sent > 1 << 20, "nobody reads");
        if !is_server {
            let ended = timeout(linger * 3 / 4, stream.shutdown()).await;
            assert!(ended.is_err(), "the server does not end it");
        }
        drop(stream);
        sleep(linger * 3 / 4).await;
        let mut arrived = 0;
        loop {
            let frame = wire.next().await.unwrap();
            match frame.kind {
                DATA => arrived += frame.payload.len(),
                RST_STREAM => break,
                _ => {}
            }
            // So that the socket takes a little at a time.
            tokio::task::yield_now().await;
        }
        assert_eq!(arrived, sent, "{is_server}");
    }
}

/// Whatever its last words filled.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_is_reset_as_soon_as_its_last_words_have_left() {
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &WIDE[6..]).await;
    wire.send(&window_update(0, 1 << 30)).await;
    // A turn gathers 64 KiB, with 9 octets for each frame.
    for (id, len) in [(1, 65_500), (3, 65_499), (5, 65_501), (7, 1)] {
        let stream = accept(&mut server, &mut wire, id).await;
        is_reset_behind(stream, len, &mut wire, id).await;
    }
    let (client, mut wire) = Wire::serve(&WIDE).await;
    wire.send(&window_update(0, 1 << 30)).await;
    for len in [65_500, 65_499, 65_501, 1] {
        let (stream, id) = dial(&client, &mut wire).await;
        is_reset_behind(stream, len, &mut wire, id).await;
    }
}

/// Writes so many bytes on a stream and drops it: it is reset at once, with nobody waking its connection.
async fn is_reset_behind(mut stream: H2Stream, len: usize, wire: &mut Wire, id: u32) {
    settle().await;
    let start = Instant::now();
    stream.write(&mut pattern(len)).await.unwrap();
    drop(stream);
    assert_eq!(next_reset(wire).await, (id, CANCEL));
    assert_eq!(start.elapsed(), Duration::ZERO, "{len}");
}

/// Tokio, whose tasks can be dropped as by a runtime that ends.
#[derive(Clone, Debug, Default)]
struct Ending(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Ending {
    fn end(&self) {
        self.0.lock().unwrap().iter().for_each(JoinHandle::abort);
    }
}

impl Runtime for Ending {
    type Timer = Sleep;

    fn now(&self) -> std::time::Instant {
        Tokio.now()
    }

    fn timer(&self, at: std::time::Instant) -> Sleep {
        Tokio.timer(at)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap().push(tokio::spawn(task));
    }
}

/// Whether somebody was woken.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_ends_takes_its_streams_with_it() {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (serving, dialing) = (Ending::default(), Ending::default());
    let (server_config, client_config) = Default::default();
    let (server, client) = tokio::join!(
        Server::accept(far, None, serving.clone(), &server_config),
        Client::new(near, None, dialing.clone(), &client_config)
    );
    let (mut server, client) = (server.unwrap(), client.unwrap());
    let (near, far) = open(&mut server, &client).await;
    // One more, which the client's task has not seen yet.
    let (another_near, another_far) = open(&mut server, &client).await;
    let (leaving_near, leaving_far) = open(&mut server, &client).await;
    let mut streams = [near, far, another_near, another_far, leaving_near];
    let mut leaving = leaving_far;
    // Each waits, and is told of its own end.
    let woken = [(); 6].map(|()| Arc::new(Woken(AtomicBool::new(false))));
    let wakers = woken.clone().map(Waker::from);
    let mut buf = BytesMut::new();
    for (stream, waker) in streams.iter_mut().zip(&wakers) {
        assert!(stream.poll_read(&mut Context::from_waker(waker), &mut buf, 100).is_pending());
    }
    assert!(leaving.poll_shutdown(&mut Context::from_waker(&wakers[5])).is_pending());
    dialing.end();
    serving.end();
    settle().await;
    for (number, woken) in woken.iter().enumerate() {
        assert!(woken.0.load(Ordering::Relaxed), "{number}");
    }
    for stream in &mut streams {
        let end = stream.read(&mut buf).await;
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }
    assert!(server.next().await.is_none());
    assert!(!client.is_open() && client.close_reason().is_some());
}

/// One task may wait for what comes while another writes.
#[tokio::test]
async fn who_reads_and_who_writes_are_both_told_of_a_reset() {
    let (client, mut wire) = Wire::serve(&[0, 8, 0, 0, 0, 1]).await;
    let server = async {
        let id = wire.next_of(HEADERS).await.unwrap().stream;
        let answer = frame(HEADERS, END_HEADERS, id, &[0x88]);
        wire.send(&[answer, reset(id, 8)].concat()).await;
    };
    let (opened, ()) = tokio::join!(client.connect(request()), server);
    let (_, mut stream) = opened.unwrap();
    // The connection's task has not told the stream yet.
    let woken = [(); 2].map(|()| Arc::new(Woken(AtomicBool::new(false))));
    let wakers = woken.clone().map(Waker::from);
    let mut buf = BytesMut::new();
    let read = stream.poll_read(&mut Context::from_waker(&wakers[0]), &mut buf, 100);
    let written = stream.poll_write(&mut Context::from_waker(&wakers[1]), &mut &b"late"[..]);
    assert!(read.is_pending() && written.is_pending());
    settle().await;
    assert_eq!(woken.map(|woken| woken.0.load(Ordering::Relaxed)), [true, true]);
    for end in [stream.read(&mut buf).await.map(drop), stream.write(&mut &b"late"[..]).await] {
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}
