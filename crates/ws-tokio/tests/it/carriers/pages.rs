//! Pages on a budget: for a client that asks for many over HTTP/2 and takes none, spoken octet by octet.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use ws_tokio::{ConnectOptions, Message, Page, SharedBudget, client, server};

use crate::support::{echo, until};

const MIB: usize = 1024 * 1024;
const BODY: usize = 60_000;
const STREAMS: u32 = 200;

/// `:method` (RFC 7541 appendix A).
const GET: &[u8] = b"\x82";
const HEAD: &[u8] = b"\x02\x04HEAD";

/// A connection whose windows stay shut, and on which so many streams have asked for a page.
async fn ask(address: SocketAddr, method: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    // SETTINGS_INITIAL_WINDOW_SIZE is zero (RFC 9113 §6.5.2).
    let mut octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    octets.extend(b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0");
    // And http, /, and an authority.
    let fields = [method, b"\x86\x84\x01\x01a"].concat();
    for number in 0..STREAMS {
        octets.extend([0, 0, u8::try_from(fields.len()).expect("short"), 1, 5]);
        octets.extend((2 * number + 1).to_be_bytes());
        octets.extend(&fields);
    }
    stream.write_all(&octets).await.expect("sent");
    stream
}

/// How many of the answers, all of which must come, have status 200.
async fn granted(stream: &mut TcpStream) -> usize {
    timeout(Duration::from_secs(10), count_granted(stream)).await.expect("answers")
}

async fn count_granted(stream: &mut TcpStream) -> usize {
    let (mut answers, mut granted) = (0, 0);
    while answers < STREAMS {
        let mut header = [0; 9];
        stream.read_exact(&mut header).await.expect("a frame");
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.expect("all of it");
        if header[3] == 1 {
            answers += 1;
            granted += usize::from(payload.first() == Some(&0x88));
        }
    }
    granted
}

/// A connection on which requests for these paths have been sent, one after the other.
async fn visit(address: SocketAddr, paths: &[&str]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let mut octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for (number, path) in (1_u32..).step_by(2).zip(paths) {
        let length = u8::try_from(path.len()).expect("short");
        let fields = [GET, b"\x86\x04", &[length], path.as_bytes(), b"\x01\x01a"].concat();
        octets.extend([0, 0, u8::try_from(fields.len()).expect("short"), 1, 5]);
        octets.extend(number.to_be_bytes());
        octets.extend(&fields);
    }
    stream.write_all(&octets).await.expect("sent");
    stream
}

/// By the number of its stream, the first octet of the next answer; GOAWAY has none.
async fn answer(stream: &mut TcpStream) -> (u32, u8) {
    loop {
        let mut header = [0; 9];
        stream.read_exact(&mut header).await.expect("a frame");
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.expect("all of it");
        assert_ne!(header[3], 7, "GOAWAY");
        if header[3] == 1 {
            let number = [header[5], header[6], header[7], header[8]];
            return (u32::from_be_bytes(number), payload.first().copied().unwrap_or_default());
        }
    }
}

/// The status of the page over HTTP/1.1.
async fn status(address: SocketAddr, method: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(answer.get(9..12).expect("a status")).into_owned()
}

fn house(page: impl Fn() -> Page + Send + Sync + 'static) -> (SocketAddr, SharedBudget) {
    let server = server().with_memory_budget(MIB).with_pages(move |_| Some(page()));
    let budget = server.memory_budget().expect("it was given one");
    let server = server.listen("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = server.local_addrs().next().expect("it listens");
    tokio::spawn(server.serve(echo));
    (address, budget)
}

// THREAT: memory-amplification
/// They have a budget of their own, beside that of the WebSockets.
#[tokio::test]
async fn pages_that_nobody_takes_stay_within_their_budget_and_are_in_nobodys_way() {
    let (address, budget) = house(|| Page::text("x".repeat(BODY)));
    let mut stream = ask(address, GET).await;
    let held = granted(&mut stream).await;
    assert!((2..=MIB / BODY).contains(&held), "{held} pages of {BODY} octets are held");
    assert!(budget.used() < BODY, "{budget:?}");
    let url = format!("ws://{address}/");
    let websocket = client().connect(&url, &ConnectOptions::default()).await;
    let mut websocket = websocket.expect("there is room for it");
    let large = Message::binary(vec![7; MIB / 2]);
    websocket.send(large.clone()).await.expect("sent");
    assert_eq!(websocket.next().await.expect("open").expect("a message"), large);
    drop(stream);
    let mut again = 0;
    for _ in 0..100 {
        again = granted(&mut ask(address, GET).await).await;
        if again == held {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(again, held, "everything is given back");
}

#[tokio::test]
async fn a_page_that_is_part_of_the_program_is_held_for_nobody() {
    let (address, budget) = house(|| Page::new("text/plain", &[b'x'; BODY]).expect("a valid type"));
    let granted = granted(&mut ask(address, GET).await).await;
    assert_eq!((granted, budget.used() < BODY), (STREAMS as usize, true), "{budget:?}");
}

#[tokio::test]
async fn who_asks_for_the_header_of_a_page_holds_nothing_of_it() {
    let (address, _) = house(|| Page::text("x".repeat(2 * MIB)));
    assert_eq!(granted(&mut ask(address, GET).await).await, 0);
    assert_eq!(granted(&mut ask(address, HEAD).await).await, STREAMS as usize);
}

#[tokio::test]
async fn a_page_is_answered_503_while_the_budget_is_used_up() {
    let (address, budget) = house(|| Page::text("x".repeat(BODY)));
    let mut others = budget.open();
    assert!(others.set(MIB - MIB / 8));
    assert_eq!(status(address, "GET").await, "503");
    assert_eq!(status(address, "HEAD").await, "200", "nothing is held for it");
    drop(others);
    assert_eq!(status(address, "GET").await, "200");
    until("it is given back", || budget.used() == 0).await;
}

// THREAT: memory-amplification
#[tokio::test]
async fn a_page_over_http_1_1_is_charged_once_unless_it_is_a_part_of_the_program() {
    for (length, expected) in [(900_000, "200"), (950_000, "503")] {
        let (address, _) = house(move || Page::text("x".repeat(length)));
        assert_eq!(status(address, "GET").await, expected, "{length} of {MIB}");
        assert_eq!(status(address, "HEAD").await, "200", "nothing of it is sent");
    }
    static LARGE: [u8; 2 * MIB] = [b'x'; 2 * MIB];
    let (address, _) = house(|| Page::new("text/plain", &LARGE[..]).expect("a valid type"));
    assert_eq!(status(address, "GET").await, "200");
}

/// The connection carries WebSockets and pages of others, who have done nothing.
#[tokio::test]
async fn a_page_over_http_2_that_panics_costs_its_own_request() {
    let server = server().with_pages(|path| {
        assert_ne!(path, "/panics", "as the test wants it");
        Some(Page::text("fine"))
    });
    let server = server.listen("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = server.local_addrs().next().expect("it listens");
    tokio::spawn(server.serve(echo));
    let mut stream = visit(address, &["/", "/panics", "/"]).await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        let answer = timeout(Duration::from_secs(10), answer(&mut stream));
        answers.push(answer.await.expect("an answer"));
    }
    answers.sort_unstable();
    // 200 and 500 (RFC 7541 appendix A).
    assert_eq!(answers, [(1, 0x88), (3, 0x8e), (5, 0x88)]);
}
