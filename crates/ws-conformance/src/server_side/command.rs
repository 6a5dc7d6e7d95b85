//! Clients that are started by a command, once for each case, and echo until the server ends.

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::receive;
use crate::arena::{Arena, Memory, Refused};
use crate::case::Case;
use crate::judge::Verdict;
use crate::run::{Report, play, run_all};
use crate::settings::Settings;

/// Judges the echo client that `command` starts, `{url}` standing for the address to call.
///
/// The command is split at spaces; it is not handed to a shell.
pub async fn judge_client(
    command: &str,
    cases: Vec<Case>,
    settings: Settings,
    agent: &str,
) -> Report {
    let words: Arc<Vec<String>> = Arc::new(command.split_whitespace().map(str::to_owned).collect());
    let (shared, memory) = (Arc::new(settings.clone()), Arc::new(Memory::default()));
    let judge = move |case: Arc<Case>| {
        let (words, shared) = (Arc::clone(&words), Arc::clone(&shared));
        let memory = Arc::clone(&memory);
        async move {
            match call(&case, &words, shared, memory).await {
                Ok(verdict) => verdict,
                Err(error) => Refused::from(error).verdict(),
            }
        }
    };
    run_all(cases, &settings, agent, false, judge).await
}

async fn call(
    case: &Case,
    words: &[String],
    settings: Arc<Settings>,
    memory: Arc<Memory>,
) -> io::Result<Verdict> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/case/{}", listener.local_addr()?, case.id);
    let mut child = start(words, &url)?;
    let patience = Duration::from_secs(15);
    let (stream, _) = timeout(patience, listener.accept())
        .await
        .map_err(|_| io::Error::other("the client did not call within 15 s"))??;
    let visitor = receive(stream).await?;
    let verdict = play(case, Arena::against_client(visitor, settings, memory)).await;
    // A client that has nothing left to do ends by itself; one that hangs is ended.
    if timeout(Duration::from_millis(500), child.wait()).await.is_err() {
        child.kill().await?;
    }
    Ok(verdict)
}

fn start(words: &[String], url: &str) -> io::Result<Child> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(io::Error::other("the client's command is empty"));
    };
    Command::new(program)
        .args(arguments.iter().map(|word| word.replace("{url}", url)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}
