//! The HTTP/1.1 handshake through its public surface: rows of the RFCs, every cut, hostile sizes.

mod client;
mod drip;
mod hostile;
mod reasons;
mod server;
mod wire;
