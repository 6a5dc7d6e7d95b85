//! A chat with rooms: `cargo run -p ws-examples --bin chat_server`, then open the page it names in
//! a few windows.
//!
//! What is said in a room is encoded once and shared by everyone in it, however many they are. Who
//! does not keep up loses their place instead of slowing the room down, with 1008.

use std::collections::HashMap;
use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lexopt::Arg::{Long, Short};
use ws_examples::{arguments, page};
use ws_stack::io::Prepared;
use ws_stack::tokio::{AcceptOptions, CloseCode, Message, Refusal, Request, Sender, WebSocket};

const USAGE: &str = "\
A chat server with rooms and a page.

usage: chat_server [--listen ADDR]    (127.0.0.1:9003)";

/// Messages a member may lag behind.
const BACKLOG: usize = 256;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    ws_examples::logging();
    let address = read_options().unwrap_or_else(|error| arguments::refuse(error));
    let server = ws_stack::tokio::server()
        .with_options(AcceptOptions::default().with_max_message(16 * 1024))
        .with_pages(|path| (path == "/").then(page::chat))
        .with_route(|request, _| match room_of(request) {
            Some(_) => Ok(()),
            None => Err(Refusal::fixed(404, &[])),
        })
        .listen(address)?;
    for url in server.urls() {
        writeln!(std::io::stdout(), "listening {url}")?;
    }
    let shutdown = server.shutdown_handle();
    tokio::spawn(async move {
        ws_examples::told_to_end().await;
        shutdown.drain(Duration::from_secs(5));
    });
    let rooms = Rooms::default();
    server.serve(move |websocket| attend(websocket, rooms.clone())).await;
    Ok(())
}

/// One member, from entering a room to leaving it.
async fn attend(mut websocket: WebSocket, rooms: Rooms) {
    let path = websocket.upgrade_info().map(|info| info.path_only().to_owned()).unwrap_or_default();
    let Some(room) = room_name(&path) else { return };
    let id = rooms.enter(room, websocket.sender(BACKLOG));
    while let Some(Ok(message)) = websocket.next().await {
        if let Message::Text(_) = message {
            rooms.say(room, message);
        }
    }
    rooms.leave(room, id);
}

/// Who is where. Locked for as long as it takes to put a message into each member's queue.
#[derive(Clone, Default)]
struct Rooms {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    next_id: u64,
    rooms: HashMap<String, HashMap<u64, Sender>>,
}

impl Rooms {
    fn enter(&self, room: &str, member: Sender) -> u64 {
        let mut state = self.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.rooms.entry(room.to_owned()).or_default().insert(id, member);
        announce(&mut state, room);
        id
    }

    fn leave(&self, room: &str, id: u64) {
        let mut state = self.lock();
        if let Some(members) = state.rooms.get_mut(room) {
            members.remove(&id);
        }
        announce(&mut state, room);
    }

    fn say(&self, room: &str, message: Message) {
        say(&mut self.lock(), room, message);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn announce(state: &mut State, room: &str) {
    let count = state.rooms.get(room).map_or(0, HashMap::len);
    if count == 0 {
        state.rooms.remove(room);
        return;
    }
    say(state, room, Message::text(format!("{count} in the room")));
}

fn say(state: &mut State, room: &str, message: Message) {
    let (Some(members), Ok(message)) = (state.rooms.get_mut(room), Prepared::new(message)) else {
        return;
    };
    // The frame is one and shared; a member whose queue is full has to leave, and is told so behind
    // what is in it.
    let slow = members.extract_if(|_, member| member.try_send_prepared(&message).is_err());
    for (_, member) in slow {
        tokio::spawn(async move { member.close(CloseCode::POLICY_VIOLATION, "too slow").await });
    }
}

fn room_of(request: &Request) -> Option<&str> {
    room_name(request.path_only())
}

/// The room in `/rooms/NAME`: 1 to 32 letters, digits, `-` and `_`.
fn room_name(path: &str) -> Option<&str> {
    let name = path.strip_prefix("/rooms/")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    ((1..=32).contains(&name.len()) && name.bytes().all(is_plain)).then_some(name)
}

fn read_options() -> Result<SocketAddr, lexopt::Error> {
    let mut address = SocketAddr::from(([127, 0, 0, 1], 9003));
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("listen") => address = arguments::value(&mut parser)?,
            Long("help") | Short('h') => arguments::help(USAGE),
            other => return Err(other.unexpected()),
        }
    }
    Ok(address)
}
