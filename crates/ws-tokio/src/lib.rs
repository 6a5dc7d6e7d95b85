//! WebSocket on tokio: dial, listen, serve.
