//! WebSocket close codes and close frames (RFC 6455 section 7.4).
#![no_std]

extern crate alloc;
