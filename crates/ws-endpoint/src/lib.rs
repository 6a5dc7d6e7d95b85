//! WebSocket clients and servers over HTTP/1.1, HTTP/2 and HTTP/3, for any runtime.
