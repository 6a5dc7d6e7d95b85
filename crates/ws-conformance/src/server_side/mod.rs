//! The suite as a server: judges clients that are started for it, or that a driver sends.

mod command;
mod driver;
pub(crate) mod lobby;
pub(crate) mod visitor;

pub use command::judge_client;
pub use driver::listen;
