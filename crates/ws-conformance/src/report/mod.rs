//! What a run leaves behind: a table for the terminal, JSON, JUnit and HTML, and the coverage of
//! the RFC rows.

pub mod coverage;
pub(crate) mod date;
pub mod html;
pub mod json;
pub mod junit;
mod rules;
pub mod table;
#[cfg(test)]
mod tests;
