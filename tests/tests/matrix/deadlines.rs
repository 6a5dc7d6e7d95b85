//! Deadlines: short ones here, and the same numbers on every runtime.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use ws_stack::endpoint::{
    AcceptOptions, CloseCode, ConnectOptions, Error, Message, Transport as _, TransportError,
    WebSocket,
};

use crate::Seen;
use crate::cell::{Cell, echo, noise};
use crate::platform::Platform;

const DEADLINE: Duration = Duration::from_millis(250);

// RFC: WS-7.4.1-03
// THREAT: silent-peer
pub(crate) async fn a_silent_peer_is_closed_after_the_idle_timeout<N: Platform>(
    cell: Cell<N>,
) -> Seen {
    let options = cell.accept_with(|session| {
        session.idle_timeout = DEADLINE;
        session.keep_alive = Duration::MAX;
    });
    let (url, ended) = cell.once(options, async |mut websocket: WebSocket<N>| {
        let mut last = None;
        while let Some(message) = websocket.next().await {
            last = Some(message);
        }
        matches!(last, Some(Err(Error::Idle)))
    });
    let start = cell.net.now();
    let mut websocket = cell.connect(&url).await;
    let close = websocket.next().await.expect("open").expect("a close frame");
    let took = cell.elapsed(start, DEADLINE);
    let Message::Close(Some(close)) = close else { panic!("{close:?}") };
    assert_eq!(close.code, CloseCode::GOING_AWAY);
    while websocket.next().await.is_some() {}
    assert!(ended.await.expect("it was read"), "the server knows why");
    Seen::Took(took)
}

pub(crate) async fn a_quiet_peer_is_kept_alive_by_pings<N: Platform>(cell: Cell<N>) -> Seen {
    let idle = DEADLINE * 8;
    let options = cell.accept_with(|session| {
        session.idle_timeout = idle;
        session.keep_alive = DEADLINE;
    });
    let server = cell.serve(cell.listen(options), echo);
    let start = cell.net.now();
    let mut websocket = cell.connect(&server.url).await;
    let ping = websocket.next().await.expect("open").expect("a ping");
    assert!(matches!(ping, Message::Ping(_)), "{ping:?}");
    let took = cell.elapsed(start, DEADLINE);
    // Beyond the idle timeout nothing happens but pings, which are answered.
    let (rest, mut pings) = (idle + DEADLINE, 0);
    let other = cell.within(rest, async {
        loop {
            let message = websocket.next().await.expect("open").expect("a ping");
            if !matches!(message, Message::Ping(_)) {
                return message;
            }
            pings += 1;
        }
    });
    assert_eq!(other.await, None);
    // Of its own accord a session pings after half of the idle timeout.
    assert!(pings >= 4, "{pings} pings in {rest:?}");
    websocket.send(Message::text("still here")).await.expect("sent");
    while websocket.next().await.expect("open").expect("a message") != Message::text("still here") {
    }
    Seen::Took(took)
}

// THREAT: write-stall
pub(crate) async fn a_peer_that_never_reads_is_cut_by_the_write_timeout<N: Platform>(
    cell: Cell<N>,
) -> Seen {
    let options = cell.accept_with(|session| session.write_timeout = DEADLINE);
    let net = cell.net.clone();
    let (url, ended) = cell.once(options, move |mut websocket: WebSocket<N>| {
        let net = net.clone();
        async move {
            let payload = noise(256 * 1024);
            let mut last = net.now();
            // Far more than the buffers of the two sockets hold.
            for _ in 0..400 {
                match websocket.send(Message::binary(payload.clone())).await {
                    Ok(()) => last = net.now(),
                    Err(error) => return (last, Some(error)),
                }
            }
            (last, None)
        }
    });
    let websocket = cell.connect(&url).await;
    let (last, error) = ended.await.expect("it has ended");
    let took = cell.elapsed(last, DEADLINE);
    assert!(matches!(error, Some(Error::WriteStalled)), "{error:?}");
    drop(websocket);
    Seen::Took(took)
}

// THREAT: open-after-close
pub(crate) async fn a_peer_that_never_answers_a_close_is_left_in_time<N: Platform>(
    cell: Cell<N>,
) -> Seen {
    let options = cell.accept_with(|session| session.close_timeout = DEADLINE);
    let (url, closed) = cell.once(options, async |mut websocket: WebSocket<N>| {
        let outcome = websocket.close(CloseCode::NORMAL, "").await.expect("a valid code");
        (outcome.clean, outcome.code)
    });
    // The server begins when it has answered the handshake, some time before we see the answer.
    let start = cell.net.now();
    let websocket = cell.connect(&url).await;
    let (clean, code) = closed.await.expect("it was closed");
    let took = cell.elapsed(start, DEADLINE);
    assert_eq!((clean, code), (false, CloseCode::ABNORMAL));
    drop(websocket);
    Seen::Took(took)
}

// THREAT: slow-handshake
pub(crate) async fn a_client_that_says_nothing_is_given_up_on<N: Platform>(cell: Cell<N>) -> Seen {
    let options = AcceptOptions {
        silence_timeout: DEADLINE,
        handshake_timeout: if cell.carrier.is_secure() { DEADLINE } else { DEADLINE * 40 },
        ..cell.accept_options()
    };
    let server = cell.listen(options);
    let address = server.local_addrs().next().expect("it listens");
    let _server = cell.serve(server, echo);
    let start = cell.net.now();
    let mut stream = cell.net.connect_tcp(address).await.expect("connected");
    let mut answer = bytes::BytesMut::new();
    while poll_fn(|cx| stream.poll_read(cx, &mut answer, 4096)).await.expect("read") > 0 {}
    let took = cell.elapsed(start, DEADLINE);
    if cell.carrier.is_secure() {
        assert!(answer.is_empty(), "{answer:?}");
    } else {
        // Nothing was said, so nobody knows which version would have been spoken.
        assert!(answer.starts_with(b"HTTP/1.1 408 "), "{answer:?}");
    }
    Seen::Took(took)
}

// THREAT: slow-handshake
pub(crate) async fn a_server_that_says_nothing_is_given_up_on<N: Platform>(cell: Cell<N>) -> Seen {
    // The system accepts for it; nobody will ever answer.
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
    let scheme = if cell.carrier.is_secure() { "wss" } else { "ws" };
    let url = format!("{scheme}://{}/", listener.local_addr().expect("bound"));
    let options = ConnectOptions { handshake_timeout: DEADLINE, ..cell.connect_options() };
    let start = cell.net.now();
    let error = cell.client().connect(&url, &options).await.expect_err("no answer");
    let took = cell.elapsed(start, DEADLINE);
    assert!(matches!(error, Error::Transport(TransportError::Timeout)), "{error:?}");
    Seen::Took(took)
}
