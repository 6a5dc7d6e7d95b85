//! `cargo xtask targets`: compiles for systems and processors that are not those of this machine.
//!
//! Nothing is run there, and nothing installed unless asked: a target whose library or C compiler
//! is missing says so and counts as skipped.

use std::process::{Command, Stdio};

use crate::steps::{self, Outcome, Steps};
use crate::{Verdict, installer, process};

pub(crate) const ABOUT: &str = "compiles for Windows, WebAssembly and a processor without an operating system\n\
--install       adds the targets that rustup does not have yet, and their C compiler on Debian\n\
--install-only  adds them and stops";

struct Target {
    name: &'static str,
    /// The C compiler that the TLS library asks for.
    compiler: Option<Compiler>,
    checks: &'static [&'static [&'static str]],
}

struct Compiler {
    program: &'static str,
    debian_package: &'static str,
}

const TARGETS: &[Target] = &[
    // What claims to be `no_std`: there is no `std` here to be found by mistake.
    Target {
        name: "thumbv7em-none-eabihf",
        compiler: None,
        checks: &[
            &["--package", "ws-close"],
            &["--package", "ws-handshake", "--features", "uri"],
            &["--package", "ws-frame", "--no-default-features"],
        ],
    },
    // Whatever has no I/O, and pointers of 32 bits.
    Target {
        name: "wasm32-unknown-unknown",
        compiler: None,
        checks: &[&[
            "--package=ws-close",
            "--package=ws-handshake",
            "--package=ws-frame",
            "--package=ws-deflate",
            "--package=ws-h1-upgrade",
            "--package=ws-h2-upgrade",
            "--package=ws-h3-upgrade",
            "--package=ws-session",
            "--all-features",
        ]],
    },
    // The rest, and its tests, without Unix sockets.
    Target {
        name: "x86_64-pc-windows-gnu",
        compiler: Some(Compiler {
            program: "x86_64-w64-mingw32-gcc",
            debian_package: "gcc-mingw-w64-x86-64-win32",
        }),
        checks: &[&["--workspace", "--exclude=xtask", "--all-features", "--tests"]],
    },
];

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    steps::command(arguments, install, check)
}

/// Adds the missing targets and compilers, and says so when that fails.
pub(crate) fn install() {
    println!("\n=== installing targets ===");
    let installed = installed();
    for Target { name, .. } in TARGETS.iter().filter(|target| !is_listed(&installed, target.name)) {
        let added = process::run(Command::new("rustup").args(["target", "add", name]));
        if added != Ok(true) {
            println!("!!! NOT INSTALLED: {name}");
        }
    }
    let compilers = TARGETS.iter().filter_map(|target| target.compiler.as_ref());
    for Compiler { debian_package, .. } in compilers.filter(|compiler| !compiler.is_here()) {
        if let Err(why) = installer::debian(&[debian_package]) {
            println!("!!! NOT INSTALLED: {why}");
        }
    }
}

impl Compiler {
    fn is_here(&self) -> bool {
        process::find(&[self.program]).is_some()
    }
}

/// A step for each target.
pub(crate) fn check(steps: &mut Steps) {
    let installed = installed();
    for target in TARGETS {
        steps.run(target.name, || {
            if !is_listed(&installed, target.name) {
                let install = "cargo xtask targets --install";
                return Ok(Outcome::Skipped(format!("the target is not installed ({install})")));
            }
            if let Some(compiler) = &target.compiler
                && !compiler.is_here()
            {
                return Ok(Outcome::Skipped(format!("{} is not installed", compiler.program)));
            }
            let mut passed = true;
            for check in target.checks {
                let mut command = process::cargo(&["check", "--quiet", "--target", target.name]);
                passed &= process::run(command.args(*check).env("RUSTFLAGS", "-D warnings"))?;
            }
            Ok(Outcome::of(passed, "see above"))
        });
    }
}

/// The targets that rustup has, a line each; nothing without rustup.
fn installed() -> String {
    let mut command = Command::new("rustup");
    command.args(["target", "list", "--installed"]).stderr(Stdio::null());
    let listed = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&listed).into_owned()
}

fn is_listed(list: &str, name: &str) -> bool {
    list.lines().any(|line| line.trim() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn a_target_is_there_when_its_whole_name_is_listed() {
        let list = "wasm32-unknown-unknown\nx86_64-pc-windows-gnullvm\n";
        assert!(is_listed(list, "wasm32-unknown-unknown"));
        assert!(!is_listed(list, "x86_64-pc-windows-gnu") && !is_listed("", ""));
    }

    #[test]
    fn whatever_says_no_std_is_compiled_without_it() {
        let bare = TARGETS.iter().find(|target| target.name.starts_with("thumb"));
        let checked: Vec<&str> = bare.into_iter().flat_map(|t| t.checks).map(|c| c[1]).collect();
        for member in workspace::members().expect("the manifests can be read") {
            let root = workspace::read(&format!("{}/src/lib.rs", member.directory));
            let says = root.is_ok_and(|root| root.lines().any(|line| line == "#![no_std]"));
            assert_eq!(says, checked.contains(&&*member.name), "{}", member.name);
        }
    }
}
