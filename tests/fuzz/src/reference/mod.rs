//! Slow, obvious readings of the specifications, to compare with. They share no code with the crates
//! under test.

pub mod field_lines;
pub mod frames;
pub mod head;
pub mod messages;
