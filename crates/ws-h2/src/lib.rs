//! WebSocket over HTTP/2 (RFC 8441) on the h2 crate, for any runtime.
