//! The WebSocket opening handshake over HTTP/1.1 (RFC 6455 section 4), without I/O.
