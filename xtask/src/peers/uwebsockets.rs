//! Builds an echo server with uWebSockets, a C++ library that the benches are compared with.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{process, workspace};

const DIRECTORY: &str = "tests/peers/cpp";
/// The crate that carries the source, as it is called in the registry's directory.
const SOURCE: &str = "/libuwebsockets-sys-";
/// The parts that are C, without TLS and HTTP/3.
const PARTS: [&str; 6] =
    ["bsd.c", "context.c", "loop.c", "socket.c", "udp.c", "eventing/epoll_kqueue.c"];
const FLAGS: [&str; 4] = ["-O3", "-flto=auto", "-DLIBUS_NO_SSL", "-DUWS_NO_ZLIB"];

/// The server, built if it is not there or older than what it is made from.
pub(super) fn build() -> Result<PathBuf, String> {
    let out = workspace::peers_directory().join("uwebsockets");
    let (server, program) = (workspace::root().join(DIRECTORY).join("echo.cpp"), out.join("echo"));
    if is_newer(&program, &server) {
        return Ok(program);
    }
    let (cc, cxx) = (compiler(&["cc", "gcc"])?, compiler(&["c++", "g++"])?);
    std::fs::create_dir_all(&out).map_err(|error| error.to_string())?;
    let source = source()?;
    let sockets = source.join("uSockets/src");
    let mut objects = Vec::new();
    for part in PARTS {
        let object = out.join(part.replace('/', "-")).with_extension("o");
        let mut command = Command::new(&cc);
        command.args(FLAGS).arg("-I").arg(&sockets).arg("-c").arg(sockets.join(part));
        run(command.arg("-o").arg(&object))?;
        objects.push(object);
    }
    let mut command = Command::new(&cxx);
    command.args(FLAGS).args(["-std=c++20", "-I"]).arg(source.join("src"));
    command.arg("-I").arg(&sockets).arg(&server).args(&objects);
    run(command.arg("-o").arg(&program))?;
    Ok(program)
}

/// Where cargo has unpacked the source.
fn source() -> Result<PathBuf, String> {
    let mut command = process::cargo(&["metadata", "--format-version", "1", "--locked"]);
    command.args(["--manifest-path", &format!("{DIRECTORY}/Cargo.toml")]);
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let manifests = text.split("\"manifest_path\":\"").skip(1);
    let mut manifests = manifests.filter_map(|rest| rest.split('"').next());
    let manifest = manifests.find(|path| path.contains(SOURCE));
    let directory = manifest.and_then(|path| Path::new(path).parent());
    Ok(directory.ok_or("cargo does not find its source")?.join("uWebSockets"))
}

fn compiler(names: &[&str]) -> Result<PathBuf, String> {
    process::find(names).ok_or_else(|| format!("there is none of {names:?}"))
}

fn run(command: &mut Command) -> Result<(), String> {
    if process::run(command)? { Ok(()) } else { Err("it does not compile".to_owned()) }
}

fn is_newer(path: &Path, than: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|found| found.modified()).ok();
    changed(path) > changed(than)
}
