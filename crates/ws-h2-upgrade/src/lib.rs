//! The WebSocket opening handshake over HTTP/2 (RFC 8441), without I/O.
