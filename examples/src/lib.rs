//! What the examples share, so that each of them shows nothing but its subject: certificates made
//! at start, the pages a browser opens, and the parts of a command line.

pub mod arguments;
pub mod certificates;
pub mod page;
