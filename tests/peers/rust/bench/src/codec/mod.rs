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
    /// Sets it up anew with its memory at the given one of [`PLACES`].
    pub fresh: Box<dyn Fn(usize) -> Timed>,
}

/// How memory happens to lie decides a copy's speed, and stays for the life of what holds it: each sample
/// has a fresh candidate, whose memory and whose input lie this many bytes further on at most.
pub const PLACES: usize = 4096;

/// What one read brings at most.
pub const READ: usize = 64 * 1024;
