//! Finds the peers, and installs the missing ones by name: Debian, PyPI and npm packages.
//!
//! Everything but the Debian packages goes into `target/peers`, inside the project and ignored.
//! Nothing here fails the run: what could not be installed is said, and its peer is NOT RUN.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::uwebsockets;
use crate::installer::{debian, try_often};
use crate::{process, workspace};

/// What a script needs to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Python with the package `websockets`.
    Websockets,
    /// Python with the packages `h2` and `wsproto`.
    PythonH2,
    /// Python with the packages `aioquic` and `wsproto`.
    Aioquic,
    /// Node alone.
    Node,
    /// Node, and Python with the package `cryptography`, which makes its certificate.
    NodeTls,
    /// Node with the package `ws`.
    Ws,
    /// Node with `playwright-core`, and the browser itself.
    Chromium,
    /// A gateway, and Python with the package `cryptography`, which makes its certificate.
    Gateway(Gateway),
}

/// What stands between clients and servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gateway {
    Haproxy,
    Nginx,
    Apache,
    Nghttpx,
}

impl Gateway {
    const ALL: [Self; 4] = [Self::Haproxy, Self::Nginx, Self::Apache, Self::Nghttpx];

    /// The program, and the Debian package that has it.
    const fn program(self) -> (&'static str, &'static str) {
        match self {
            Self::Haproxy => ("haproxy", "haproxy"),
            Self::Nginx => ("nginx", "nginx-light"),
            Self::Apache => ("apache2", "apache2-bin"),
            Self::Nghttpx => ("nghttpx", "nghttp2-proxy"),
        }
    }

    fn is_installed(self) -> bool {
        process::find(&[self.program().0]).is_some()
    }
}

impl Need {
    /// The program that runs the script.
    pub(super) fn interpreter(self) -> Result<PathBuf, String> {
        let found = match self {
            Self::Websockets | Self::PythonH2 | Self::Aioquic | Self::Gateway(_) => python(),
            Self::Node | Self::NodeTls | Self::Ws | Self::Chromium => node(),
        };
        found.ok_or_else(|| "its interpreter is not installed".to_owned())
    }
}

/// Why a need is not met, or `None` when it is.
pub(super) fn absent(need: Need) -> Option<String> {
    let missing = |what: &str| Some(format!("{what} is not installed (xtask peers --install)"));
    match need {
        Need::Websockets if !imports("websockets, cryptography") => missing("Python websockets"),
        Need::PythonH2 if !imports("h2, wsproto, cryptography") => {
            missing("Python h2 with wsproto")
        }
        Need::Aioquic if !imports("aioquic, wsproto, cryptography") => {
            missing("Python aioquic with wsproto")
        }
        Need::Node | Need::NodeTls if node().is_none() => missing("node"),
        Need::NodeTls if !imports("cryptography") => missing("Python cryptography"),
        Need::Ws if !requires("ws") => missing("node's ws"),
        Need::Chromium if !requires("playwright-core") => missing("playwright-core"),
        Need::Chromium if chromium().is_none() => missing("chromium"),
        Need::Gateway(gateway) if !gateway.is_installed() => missing(gateway.program().0),
        Need::Gateway(_) if !imports("cryptography") => missing("Python cryptography"),
        _ => None,
    }
}

/// Installs what is missing and says loudly what could not be had.
pub(crate) fn install() {
    println!("\n=== installing peers ===");
    let mut lost = Vec::new();
    let packages = debian_packages();
    if !packages.is_empty() {
        lost.extend(debian(&packages).err());
    }
    lost.extend(gateways().err());
    let python = [Need::Websockets, Need::PythonH2, Need::Aioquic];
    if python.into_iter().any(|need| absent(need).is_some()) {
        lost.extend(pypi().err());
    }
    if absent(Need::Ws).is_some() || !requires("playwright-core") {
        lost.extend(npm().err());
    }
    for why in lost {
        println!("!!! NOT INSTALLED: {why}");
    }
}

/// The Debian packages for programs that are missing.
fn debian_packages() -> Vec<&'static str> {
    let mut packages = Vec::new();
    if chromium().is_none() {
        packages.push("chromium");
    }
    if !has_venv() {
        packages.extend(["python3", "python3-venv"]);
    }
    if node().is_none() {
        packages.push("nodejs");
    }
    if process::find(&["npm"]).is_none() {
        packages.push("npm");
    }
    packages
}

/// Gateways come as services: where one would be started at once, that is left to whoever is at home there.
fn gateways() -> Result<(), String> {
    let missing = Gateway::ALL.into_iter().filter(|gateway| !gateway.is_installed());
    let packages: Vec<&str> = missing.map(|gateway| gateway.program().1).collect();
    if packages.is_empty() {
        return Ok(());
    }
    if Path::new("/run/systemd/system").exists() {
        let packages = packages.join(", ");
        return Err(format!("Debian packages {packages}: they would start services here"));
    }
    debian(&packages)
}

fn pypi() -> Result<(), String> {
    let what = |why: String| format!("Python packages: {why}");
    let environment = workspace::peers_directory().join("venv");
    if !environment.join("bin").join("python").is_file() {
        let python =
            process::find(&["python3"]).ok_or_else(|| what("there is no python3".into()))?;
        try_often(|| {
            let mut command = Command::new(&python);
            command.args(["-m", "venv"]).arg(&environment);
            command
        })
        .map_err(what)?;
    }
    let list = workspace::root().join("tests/peers/python/requirements.txt");
    try_often(|| {
        let mut command = Command::new(environment.join("bin").join("python"));
        command.args(["-m", "pip", "install", "--quiet", "--timeout", "60", "--retries", "5"]);
        command.arg("--requirement").arg(&list);
        command
    })
    .map_err(what)
}

fn npm() -> Result<(), String> {
    let what = |why: String| format!("npm packages: {why}");
    let directory = workspace::peers_directory().join("node");
    std::fs::create_dir_all(&directory).map_err(|error| what(error.to_string()))?;
    let list = workspace::root().join("tests/peers/node/package.json");
    std::fs::copy(list, directory.join("package.json")).map_err(|error| what(error.to_string()))?;
    try_often(|| {
        let mut command = Command::new("npm");
        command.args([
            "install",
            "--no-package-lock",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
        ]);
        command.current_dir(&directory);
        command
    })
    .map_err(what)
}

/// The project's own Python environment if it was made, else the system's.
pub(super) fn python() -> Option<PathBuf> {
    let own = workspace::peers_directory().join("venv").join("bin").join("python");
    if own.is_file() { Some(own) } else { process::find(&["python3"]) }
}

fn node() -> Option<PathBuf> {
    process::find(&["node", "nodejs"])
}

fn chromium() -> Option<PathBuf> {
    process::find(&["chromium", "chromium-browser", "google-chrome"])
}

/// What the benches need to run servers in other languages, as far as it is installed.
pub(crate) fn bench_environment() -> Vec<(&'static str, PathBuf)> {
    let mut environment = Vec::new();
    if let (Some(node), true) = (node(), requires("ws")) {
        environment.push(("WS_BENCH_NODE", node));
        environment.push(("NODE_PATH", node_modules()));
    }
    if let (Some(python), true) = (python(), imports("websockets")) {
        environment.push(("WS_BENCH_PYTHON", python));
    }
    match uwebsockets::build() {
        Ok(program) => environment.push(("WS_BENCH_UWEBSOCKETS", program)),
        Err(why) => println!("!!! NOT MEASURED: uWebSockets: {why}"),
    }
    environment
}

/// Where npm's packages were put.
pub(super) fn node_modules() -> PathBuf {
    workspace::peers_directory().join("node").join("node_modules")
}

fn has_venv() -> bool {
    process::find(&["python3"]).is_some_and(|python| quiet(&python, &["-c", "import ensurepip"]))
}

fn imports(modules: &str) -> bool {
    python().is_some_and(|python| quiet(&python, &["-c", &format!("import {modules}")]))
}

fn requires(module: &str) -> bool {
    node().is_some() && node_modules().join(module).is_dir()
}

fn quiet(program: &Path, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
