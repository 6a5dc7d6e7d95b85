//! WebSocket on async-std: dial, listen, serve.
