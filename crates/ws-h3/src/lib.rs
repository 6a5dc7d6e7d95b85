//! WebSocket over HTTP/3 (RFC 9220) on quinn, for any runtime.
