//! Codecs in memory: bytes to messages and back, without a socket.
//!
//! Every decoder is given the same bytes by copying at most 64 KiB at a time into a buffer of its
//! own choice, as a read from a socket would; every encoder writes into memory it keeps.

pub mod decode;
mod decode_peers;
pub mod encode;

/// Something that can be timed: runs the case this often, returns nanoseconds for each message.
pub type Timed = Box<dyn FnMut(usize) -> Result<f64, String>>;

/// A candidate of a case by its name.
pub struct Candidate {
    pub name: &'static str,
    pub timed: Timed,
}

/// What one read brings at most.
pub const READ: usize = 64 * 1024;
