//! Servers in other languages, which take the place of this process. `cargo xtask bench` says in the
//! environment what runs them, where they are installed.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A server that is no part of this program.
struct Foreign {
    name: &'static str,
    /// The variable that holds its program or its interpreter.
    variable: &'static str,
    script: Option<&'static str>,
}

const NODE: Foreign = Foreign {
    name: "node-ws",
    variable: "WS_BENCH_NODE",
    script: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../../node/echo.js")),
};

const PYTHON: Foreign = Foreign {
    name: "python-websockets",
    variable: "WS_BENCH_PYTHON",
    script: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../../python/echo.py")),
};

const UWEBSOCKETS: Foreign =
    Foreign { name: "uwebsockets", variable: "WS_BENCH_UWEBSOCKETS", script: None };

/// Whether the server called `name` can run here: ours and those of other crates always can.
pub fn is_here(name: &str) -> bool {
    let foreign = [NODE, PYTHON, UWEBSOCKETS].into_iter().find(|foreign| foreign.name == name);
    foreign.is_none_or(|foreign| env::var_os(foreign.variable).is_some())
}

pub async fn node_ws() -> io::Result<()> {
    NODE.become_it()
}

pub async fn python_websockets() -> io::Result<()> {
    PYTHON.become_it()
}

pub async fn uwebsockets() -> io::Result<()> {
    UWEBSOCKETS.become_it()
}

impl Foreign {
    /// Returns only if it could not be started.
    fn become_it(&self) -> io::Result<()> {
        let Some(program) = env::var_os(self.variable) else {
            return Err(io::Error::new(io::ErrorKind::NotFound, self.variable));
        };
        Err(Command::new(program).args(self.script).exec())
    }
}
