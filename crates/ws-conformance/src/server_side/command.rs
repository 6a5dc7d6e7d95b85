//! Clients that are started by a command, once for each case, and echo until the server ends.

use std::env::consts::EXE_EXTENSION;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::lobby::{Caller, Lobby};
use crate::arena::{Arena, Memory, Refused};
use crate::carrier::Carrier;
use crate::case::Case;
use crate::judge::Verdict;
use crate::run::{Peer, Report, play, run_all};
use crate::settings::Settings;
use crate::wire::identity::Identity;

/// Judges the echo client that `command` starts, `{url}` standing for the address to call.
///
/// The command is split at spaces; it is not handed to a shell.
///
/// # Errors
///
/// The command has no `{url}`, there is no such program, or no certificate for the suite could be made, or written.
pub async fn judge_client(
    command: &str,
    cases: Vec<Case>,
    settings: Settings,
    agent: &str,
) -> io::Result<Report> {
    if !command.contains("{url}") {
        let why = format!("the command {command:?} has no {{url}}, so the client cannot know it");
        return Err(io::Error::other(why));
    }
    let words: Arc<Vec<String>> = Arc::new(command.split_whitespace().map(str::to_owned).collect());
    let program = words.first().map(String::as_str).unwrap_or_default();
    if !is_there(program) {
        return Err(io::Error::other(format!("there is no program {program:?}")));
    }
    let identity = identity_for(&settings)?;
    let (shared, memory) = (Arc::new(settings.clone()), Arc::new(Memory::default()));
    let judge = move |case: Arc<Case>| {
        let (words, shared) = (Arc::clone(&words), Arc::clone(&shared));
        let (memory, identity) = (Arc::clone(&memory), identity.clone());
        async move {
            match call(&case, &words, identity, shared, memory).await {
                Ok(verdict) => verdict,
                Err(error) => Refused::from(error).verdict(),
            }
        }
    };
    let peer = Peer { agent, is_server: false, target: command.to_owned() };
    Ok(run_all(cases, &settings, peer, judge).await)
}

async fn call(
    case: &Case,
    words: &[String],
    identity: Option<Arc<Identity>>,
    settings: Arc<Settings>,
    memory: Arc<Memory>,
) -> io::Result<Verdict> {
    let mut lobby = Lobby::bind(([127, 0, 0, 1], 0).into(), settings.carrier, identity).await?;
    let mut child = start(words, &lobby.url(&format!("/case/{}", case.id)))?;
    let stderr = child.stderr.take();
    let said = tokio::spawn(async move {
        match stderr {
            Some(stream) => listen_to(stream).await,
            None => "nothing".into(),
        }
    });
    // A case of falling back waits for every call by itself.
    let caller = match settings.carrier {
        Carrier::Best => None,
        _ => match first_call(&mut lobby, &mut child).await? {
            Some(caller) => Some(caller),
            None => {
                let (status, said) = (child.wait().await?, heard(said).await);
                let why = format!("the client ended without a call ({status}); it said {said}");
                return Err(io::Error::other(why));
            }
        },
    };
    let arena = Arena::against_caller(caller, lobby, settings, memory);
    let log = arena.log.clone();
    let mut verdict = play(case, arena).await;
    // A client that has nothing left to do ends by itself; one that hangs is ended.
    let ended = timeout(Duration::from_millis(500), child.wait()).await;
    let how = match ended {
        Ok(status) => status?.to_string(),
        Err(_) => {
            child.kill().await?;
            "it did not end, and was ended".into()
        }
    };
    let said = heard(said).await;
    log.note(format!("the client: {how}; it said {said}"));
    verdict.log = log.entries();
    Ok(verdict)
}

/// The first call of the client; none when it has ended and still no call came.
async fn first_call(lobby: &mut Lobby, child: &mut Child) -> io::Result<Option<Caller>> {
    let patience = Duration::from_secs(15);
    let mut call = pin!(lobby.accept());
    tokio::select! {
        called = timeout(patience, &mut call) => {
            called.map_err(|_| io::Error::other("the client did not call within 15 s"))?.map(Some)
        }
        _ = child.wait() => {
            // It may have called just before, or left the call to a process of its own.
            timeout(Duration::from_millis(500), call).await.ok().transpose()
        }
    }
}

/// Reads what the client writes to its standard error stream, so that it never waits for us, and
/// gives the end of it, where a reason stands.
async fn listen_to(mut stream: ChildStderr) -> String {
    const KEPT: usize = 2000;
    let (mut kept, mut octets) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut octets).await {
        kept.extend(octets.get(..count).unwrap_or_default());
        kept.drain(..kept.len().saturating_sub(KEPT));
    }
    match String::from_utf8_lossy(&kept).trim() {
        "" => "nothing".into(),
        text => format!("{text:?}"),
    }
}

/// What the client said, once it has ended; a grandchild may hold the stream open.
async fn heard(said: JoinHandle<String>) -> String {
    let said = timeout(Duration::from_millis(100), said).await;
    said.ok().and_then(Result::ok).unwrap_or_else(|| "something still".into())
}

/// Who the suite is for clients that call by TLS.
pub(super) fn identity_for(settings: &Settings) -> io::Result<Option<Arc<Identity>>> {
    if !settings.is_encrypted() {
        return Ok(None);
    }
    let identity = Identity::new()?;
    if let Some(path) = &settings.ca_out {
        std::fs::write(path, identity.pem())?;
    }
    Ok(Some(Arc::new(identity)))
}

/// Whether a command of this name would start something.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = |directory: &Path| {
        let file = directory.join(program);
        file.is_file() || file.with_extension(EXE_EXTENSION).is_file()
    };
    match Path::new(program).components().count() {
        0 => false,
        1 => std::env::split_paths(&path).any(|directory| named(&directory)),
        _ => named(Path::new("")),
    }
}

fn start(words: &[String], url: &str) -> io::Result<Child> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(io::Error::other("the client's command is empty"));
    };
    Command::new(program)
        .args(arguments.iter().map(|word| word.replace("{url}", url)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}
