//! `cargo xtask docs`: rustdoc without warnings, and no dead links between the written pages.

use crate::options::Options;
use crate::{Verdict, markdown, process, workspace};

pub(crate) const ABOUT: &str =
    "builds the documentation, warnings being errors, and checks the links in README.md and others";

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    Options::parse(arguments, &[], &[])?;
    check()
}

/// Builds rustdoc and follows the links.
pub(crate) fn check() -> Verdict {
    let built = document(&["--workspace", "--all-features", "--exclude", "xtask"])?
        // The guide links from one page to another, whichever of them a feature adds.
        && document(&["--package", "ws-stack", "--features", "tokio"])?
        && document(&["--package", "ws-stack", "--features", "smol,deflate"])?;
    let dead = dead_links()?;
    for link in &dead {
        println!("{link}");
    }
    Ok(built && dead.is_empty())
}

fn document(arguments: &[&str]) -> Verdict {
    let mut command = process::cargo(&["doc", "--no-deps"]);
    process::run(command.args(arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

fn dead_links() -> Result<Vec<String>, String> {
    let mut dead = Vec::new();
    for path in workspace::files()?.iter().filter(|path| path.ends_with(".md")) {
        let text = workspace::read(path)?;
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        for (number, target) in markdown::links(&text) {
            if let Err(why) = follow(directory, path, &target) {
                dead.push(format!("{path}:{number}: {target}: {why}"));
            }
        }
    }
    Ok(dead)
}

/// Whether a link from a page leads somewhere. Links to the outside are not followed, and links to
/// Rust items are rustdoc's to check.
fn follow(directory: &str, page: &str, target: &str) -> Result<(), String> {
    if target.contains("://") || target.starts_with("mailto:") || target.contains("::") {
        return Ok(());
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if file.is_empty() { page.to_owned() } else { format!("{directory}/{file}") };
    let path = workspace::root().join(file.trim_start_matches('/'));
    if !path.exists() {
        return Err("no such file".to_owned());
    }
    if anchor.is_empty() || path.extension().is_none_or(|extension| extension != "md") {
        return Ok(());
    }
    let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
    if markdown::anchors(&text).iter().any(|known| known == anchor) {
        return Ok(());
    }
    Err(format!("no heading #{anchor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_pages_have_no_dead_links() {
        let dead = dead_links().expect("the pages can be read");
        assert!(dead.is_empty(), "\n{}", dead.join("\n"));
    }
}
