//! What a connection costs that carries nothing: the request, its answer, a goodbye.

use std::sync::Arc;

use ws_io::{AcceptOptions, Message};

use crate::driver::{Script, Socket, Still, ready};
use crate::{Case, script};

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// Takes `count` connections and sees each of them off.
pub fn serve() -> Case {
    let socket = Arc::new(Socket::new(vec![REQUEST.to_vec(), script::goodbye(), Vec::new()]));
    let (options, runtime) = (Arc::new(AcceptOptions::default()), Still::default());
    Box::new(move |count| {
        for _ in 0..count {
            socket.arrive(0);
            let transport = Script(Arc::clone(&socket));
            let accepted = ready(ws_io::accept(transport, runtime.clone(), Arc::clone(&options)));
            let mut websocket = accepted.and_then(Result::ok).expect("a request that is accepted");
            socket.arrive(1);
            let goodbye = ready(websocket.next());
            assert!(matches!(goodbye, Some(Some(Ok(Message::Close(_))))), "the goodbye is heard");
            assert!(ready(websocket.next()).is_none(), "and answered");
            socket.arrive(2);
            assert!(matches!(ready(websocket.next()), Some(None)), "and that is the end");
            assert!(websocket.outcome().is_some_and(|outcome| outcome.clean), "an orderly one");
        }
        Vec::new()
    })
}
