//! The WebSocket stack: HTTP/1.1, HTTP/2 and HTTP/3, client and server, on tokio, async-std and smol.
