//! Hostile text and odd numbers through the public surface: nothing is smuggled, nothing panics,
//! nothing reaches the log as it came.

mod arguments;
mod injection;
mod logs;
mod logs_of_streams;
mod origins;
