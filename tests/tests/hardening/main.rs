//! Hostile text and odd numbers through the public surface: nothing is smuggled, nothing panics,
//! nothing reaches the log as it came. And what the types of that surface may be used for.

mod arguments;
mod auto_traits;
mod injection;
mod logs;
mod logs_of_streams;
mod origins;
