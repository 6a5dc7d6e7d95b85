//! The WebSocket wire format (RFC 6455 sections 5 and 6): frames, masks, UTF-8, messages.
#![no_std]

extern crate alloc;
