//! What every WebSocket handshake shares: header lists, extensions, subprotocols, origins.
#![no_std]

extern crate alloc;
