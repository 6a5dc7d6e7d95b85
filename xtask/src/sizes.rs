//! `cargo xtask sizes`: what each choice of features weighs, as a table in the guide.
//!
//! For every row a small program is made outside the workspace, as a user's would be, and built as
//! cargo builds a release. The figures depend on the compiler and the target, which the table names;
//! therefore nothing compares them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::options::Options;
use crate::{Verdict, process, workspace};

pub(crate) const ABOUT: &str = "builds a program for each of the usual choices of features and writes\n\
its size and its dependencies into the guide (minutes)";

/// The page, and what the table stands between.
const PAGE: &str = "crates/ws-stack/docs/features.md";
const BEGIN: &str = "<!-- written by `cargo xtask sizes` -->\n";
const END: &str = "<!-- end -->\n";

/// The choices; without a runtime the program is a loop around a session.
const CHOICES: &[&str] = &[
    "",
    "deflate",
    "tokio",
    "tokio,deflate",
    "tokio,rustls",
    "tokio,rustls,deflate,h2",
    "tokio,rustls,deflate,h2,h3",
    "smol",
    "async-std",
];

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    Options::parse(arguments, &[], &[])?;
    let empty = build("empty", "", "fn main() {}\n")?;
    let mut table = String::from("| features | dependencies | program |\n|---|---|---|\n");
    let _ = writeln!(table, "| an empty program | 0 | {} KiB |", empty.1);
    for choice in CHOICES {
        let features: Vec<&str> = choice.split(',').filter(|name| !name.is_empty()).collect();
        let name = if features.is_empty() { "none".to_owned() } else { features.join("-") };
        let (dependencies, size) = build(&name, &manifest(&features), &program(&features))?;
        let names: Vec<String> = features.iter().map(|name| format!("`{name}`")).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let _ = writeln!(table, "| {names} | {dependencies} | {size} KiB |");
    }
    let text = workspace::read(PAGE)?;
    let (before, rest) =
        text.split_once(BEGIN).ok_or_else(|| format!("{PAGE}: no place for the table"))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| format!("{PAGE}: the table has no end"))?;
    let compiler = compiler()?;
    let page = format!("{before}{BEGIN}With {compiler}:\n\n{table}{END}{after}");
    let path = workspace::root().join(PAGE);
    fs::write(&path, page).map_err(|error| format!("{PAGE}: {error}"))?;
    println!("{table}");
    Ok(true)
}

/// Builds a program; the number of packages it is made of beside ours, and its size in KiB.
fn build(name: &str, dependencies: &str, source: &str) -> Result<(usize, u64), String> {
    let directory = place()?.join(name);
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    fs::create_dir_all(directory.join("src")).map_err(failed)?;
    let manifest = format!(
        "[package]\nname = \"program-{name}\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [profile.release]\nstrip = true\n\n[dependencies]\n{dependencies}"
    );
    keep(&directory.join("Cargo.toml"), &manifest).map_err(failed)?;
    keep(&directory.join("src/main.rs"), source).map_err(failed)?;
    // The same versions as everywhere else.
    fs::copy(workspace::root().join("Cargo.lock"), directory.join("Cargo.lock")).map_err(failed)?;
    if !process::run(cargo(&directory)?.args(["build", "--release", "--quiet"]))? {
        return Err(format!("the program for {name} does not build"));
    }
    let edges = ["tree", "--edges", "normal,no-proc-macro", "--prefix", "none", "--quiet"];
    let tree = cargo(&directory)?.args(edges).output().map_err(failed)?;
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    let file = format!("program-{name}{}", std::env::consts::EXE_SUFFIX);
    let program = place()?.join("target").join("release").join(file);
    let size = fs::metadata(&program).map_err(failed)?.len();
    Ok((foreign(&tree), size.div_ceil(1024)))
}

/// Writes a file unless it is there already: what is older than its program is not built again.
fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|found| found == text) {
        return Ok(());
    }
    fs::write(path, text)
}

/// How many packages of a tree are not from this workspace: those have their path behind them.
fn foreign(tree: &str) -> usize {
    let packages = tree.lines().filter(|line| !line.is_empty() && !line.contains(" (/"));
    packages.map(|line| line.trim_end_matches(" (*)")).collect::<BTreeSet<_>>().len()
}

fn manifest(features: &[&str]) -> String {
    let path = workspace::root().join("crates/ws-stack");
    let mut lines = format!("ws-stack = {{ path = {path:?}, features = {features:?} }}\n");
    let mut add = |wanted: bool, line: &str| {
        if wanted {
            lines.push_str(line);
            lines.push('\n');
        }
    };
    let has = |name| features.contains(&name);
    add(features.iter().all(|name| runtime(name).is_none()), "bytes = \"1\"");
    add(has("tokio"), "tokio = { version = \"1\", features = [\"rt-multi-thread\"] }");
    add(has("async-std"), "async-std = { version = \"1\", default-features = false }");
    add(has("smol"), "smol = \"2\"");
    add(has("rustls"), "rustls = { version = \"0.23\", default-features = false }");
    lines
}

/// How a runtime runs a future, and what it is called.
fn runtime(feature: &str) -> Option<(&'static str, &'static str)> {
    match feature {
        "tokio" => Some(("tokio::runtime::Runtime::new().unwrap().block_on", "tokio::Tokio")),
        "async-std" => Some(("async_std::task::block_on", "async_std::AsyncStd")),
        "smol" => Some(("smol::block_on", "smol::Smol")),
        _ => None,
    }
}

/// An echo server over all that the features have, and a client that talks to it.
fn program(features: &[&str]) -> String {
    let Some((block_on, runtime)) = features.iter().find_map(|name| runtime(name)) else {
        return SESSION.to_owned();
    };
    let has = |name| features.contains(&name);
    let deflate = if has("deflate") { "Some(Default::default())" } else { "None" };
    let (certificate, listen) = match (has("rustls"), has("h3")) {
        (false, _) => ("", ""),
        (true, false) => (CERTIFICATE, "server.listen_tls(here, certificate).unwrap()"),
        (true, true) => (CERTIFICATE, "server.listen_tls_and_h3(here, certificate).unwrap()"),
    };
    let listen = match listen {
        "" => String::new(),
        listen => format!("if let Some(certificate) = certificate() {{ server = {listen}; }}"),
    };
    let mutable = if has("rustls") { "mut " } else { "" };
    let mut program = ENDPOINTS.replace(
        "DEFLATE_FIELD",
        match has("deflate") {
            true => "deflate: DEFLATE, ",
            false => "",
        },
    );
    for (place, text) in [
        ("DEFLATE", deflate),
        ("LISTEN", &listen),
        ("MUT ", mutable),
        ("BLOCK_ON", block_on),
        ("RUNTIME", runtime),
    ] {
        program = program.replace(place, text);
    }
    program + certificate
}

const ENDPOINTS: &str = r#"use ws_stack::endpoint::{
    AcceptOptions, Client, ConnectOptions, Message, Net, Server, WebSocket,
};

async fn echo<N: Net>(mut websocket: WebSocket<N>) {
    while let Some(Ok(message)) = websocket.next().await {
        if message.data_kind().is_some() {
            let _ = websocket.feed(message).await;
        }
    }
}

async fn run<N: Net>(net: N) {
    let here = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let accept = AcceptOptions { DEFLATE_FIELD..Default::default() };
    let MUT server = Server::new(net.clone()).with_options(accept).listen(here).unwrap();
    LISTEN
    let url = server.urls().next().unwrap();
    net.spawn(async move {
        server.serve(echo).await;
    });
    let connect = ConnectOptions { DEFLATE_FIELD..Default::default() };
    let mut websocket = Client::new(net).connect(&url, &connect).await.unwrap();
    websocket.send(Message::text("hello")).await.unwrap();
    println!("{:?}", websocket.next().await);
}

fn main() {
    BLOCK_ON(run(ws_stack::RUNTIME));
}
"#;

const CERTIFICATE: &str = r"
/// Whether there is one the compiler cannot know.
fn certificate() -> Option<std::sync::Arc<rustls::ServerConfig>> {
    std::hint::black_box(None)
}
";

const SESSION: &str = r"use std::io::{Read, Write};

use bytes::Buf;
use ws_stack::session::{Config, Event, Session};

fn main() {
    let mut session = Session::server(Config::default());
    let mut bytes = [0; 4096];
    loop {
        while let Some(event) = session.poll_event() {
            match event {
                Event::Message(message) => session.send(message).unwrap(),
                Event::Finished => return,
                _ => {}
            }
        }
        let queue = session.transmit();
        while queue.has_remaining() {
            let written = std::io::stdout().write(queue.chunk()).unwrap();
            queue.advance(written);
        }
        match std::io::stdin().read(&mut bytes).unwrap() {
            0 => session.receive_eof(),
            count => session.read_buffer().extend_from_slice(&bytes[..count]),
        }
    }
}
";

fn place() -> Result<PathBuf, String> {
    let place = workspace::target_directory().join("sizes");
    fs::create_dir_all(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    Ok(place)
}

fn cargo(directory: &Path) -> Result<Command, String> {
    let mut command = process::cargo(&[]);
    command.current_dir(directory).env("CARGO_TARGET_DIR", place()?.join("target"));
    Ok(command)
}

/// `rustc 1.85.0 for x86_64-unknown-linux-gnu`.
fn compiler() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| error.to_string())?;
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = |name: &str| output.lines().find_map(|line| line.strip_prefix(name));
    match (value("release: "), value("host: ")) {
        (Some(release), Some(host)) => Ok(format!("rustc {release} for {host}")),
        _ => Err("rustc does not say its version".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_packages_and_repetitions_do_not_count() {
        let tree = "program v0.0.0 (/t/x)\nws-stack v0.1.0 (/r/ws-stack)\nbytes v1.12.2\n\
                    ws-io v0.1.0 (/r/ws-io) (*)\nbytes v1.12.2 (*)\nhttp v1.5.0\n";
        assert_eq!(foreign(tree), 2);
    }

    #[test]
    fn no_place_is_left_open_in_a_program() {
        for choice in CHOICES {
            let features: Vec<&str> = choice.split(',').collect();
            let program = program(&features);
            for place in ["DEFLATE", "LISTEN", "MUT ", "BLOCK_ON", "RUNTIME"] {
                assert!(!program.contains(place), "{choice}: {place}");
            }
        }
    }
}
