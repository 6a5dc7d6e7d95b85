//! The WebSocket opening handshake over HTTP/3 (RFC 9220), without I/O.
