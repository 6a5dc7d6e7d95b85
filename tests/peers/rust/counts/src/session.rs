//! `ws-session` without I/O: bytes in, the same message back, bytes out.

use std::hint::black_box;

use bytes::Buf;
use ws_session::{Config, Event, Session};

use crate::{Case, script};

const BATCH: usize = 16;

/// Echoes batches through a server's session.
pub fn echo(size: usize) -> Case {
    let wire = script::frames(size, false, BATCH);
    let mut session = Session::server(Config::default());
    Box::new(move |count| {
        for _ in 0..count.div_ceil(BATCH) {
            session.read_buffer().extend_from_slice(black_box(&wire));
            let mut seen = 0;
            while let Some(Event::Message(message)) = session.poll_event() {
                session.send(message).expect("an open session");
                seen += 1;
            }
            assert_eq!(seen, BATCH, "every message of a batch is echoed");
            let queue = session.transmit();
            while queue.has_remaining() {
                let len = black_box(queue.chunk()).len();
                queue.advance(len);
            }
        }
        Vec::new()
    })
}
