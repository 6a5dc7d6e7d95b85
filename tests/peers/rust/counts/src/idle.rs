//! What an idle connection holds: its own size and everything it has on the heap.

use std::sync::Arc;

use crate::driver::{Script, Socket, Still, open, ready};
use crate::{Case, held, script};

/// Opens `count` connections, echoes 1 KiB and then 64 KiB on each, and weighs them at rest. The
/// scripted socket below each is shared and not counted.
pub fn weigh() -> Case {
    Box::new(move |count| {
        let sizes = [1024, 64 * 1024];
        let scripts = sizes.map(|size| script::frames(size, false, 1)).to_vec();
        let socket = Arc::new(Socket::new(scripts));
        let mut connections = Vec::with_capacity(count);
        let mut weights = Vec::new();
        let before = held();
        for _ in 0..count {
            connections.push(open(Arc::clone(&socket)));
        }
        for number in 0..sizes.len() {
            for connection in &mut connections {
                socket.arrive(number);
                exchange(connection);
            }
            weights.push((held() - before) as f64 / count as f64);
        }
        let own = size_of::<ws_io::WebSocket<Script, Still>>() as f64;
        vec![("bytes-after-1-KiB", own + weights[0]), ("bytes-after-64-KiB", own + weights[1])]
    })
}

fn exchange(connection: &mut ws_io::WebSocket<Script, Still>) {
    let mut echoed = 0;
    while let Some(Some(Ok(message))) = ready(connection.next()) {
        assert!(
            ready(connection.feed(message)).is_some_and(|fed| fed.is_ok()),
            "room in the queue"
        );
        echoed += 1;
    }
    assert_eq!(echoed, 1, "the message is echoed");
}
