//! WebSocket on smol: dial, listen, serve.
