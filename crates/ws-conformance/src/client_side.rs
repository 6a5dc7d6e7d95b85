//! The suite as a client: judges a server by its URL.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::arena::Arena;
use crate::carrier::Carrier;
use crate::case::Case;
use crate::run::{Peer, Report, play, run_all};
use crate::settings::Settings;
use crate::target::Target;
#[cfg(feature = "h3")]
use crate::wire::raw_h3::RawH3;

/// A handshake that came to nothing later than this was waited for in vain.
const SILENCE: Duration = Duration::from_secs(4);

/// Between two looks whether a server has started.
const PAUSE: Duration = Duration::from_millis(100);

/// Sees whether a WebSocket can be opened at `target`, with a right handshake or a wrong one. Without
/// this every case would fail, and hide that it is all for one reason: a wrong path, no TLS.
///
/// # Errors
///
/// Nobody listens by the carrier of `settings`, or none of three handshakes in a row was accepted, and
/// that did not change within [`Settings::startup`]; the error says what came instead.
pub async fn reach(target: &Target, settings: &Settings) -> io::Result<()> {
    let startup = settings.startup;
    let deadline = Instant::now() + startup;
    loop {
        match reach_now(target, settings).await {
            Err(_) if Instant::now() < deadline => sleep(PAUSE).await,
            Err(error) if !startup.is_zero() => {
                let seconds = startup.as_secs_f64();
                return Err(io::Error::other(format!("{error}, and so it was for {seconds} s")));
            }
            reached => return reached,
        }
    }
}

async fn reach_now(target: &Target, settings: &Settings) -> io::Result<()> {
    let nobody = |error| io::Error::other(format!("nobody listens at {target}: {error}"));
    match settings.carrier {
        #[cfg(feature = "h3")]
        Carrier::H3 => drop(RawH3::dial(&target.host, target.port).await.map_err(nobody)?),
        _ => drop(target.dial().await.map_err(nobody)?),
    }
    if settings.carrier == Carrier::Best {
        // Any version will do, and which of them there are is what the cases find out.
        return Ok(());
    }
    let settings = Arc::new(settings.clone());
    let mut why = String::new();
    for _ in 0..3 {
        let began = Instant::now();
        let arena = Arena::against_server(target.clone(), Arc::clone(&settings));
        why = match arena.knock().await {
            Ok(()) => return Ok(()),
            Err(_) if began.elapsed() >= SILENCE => {
                format!("somebody listens at {target} but did not answer three handshakes in a row")
            }
            Err(refused) => format!("{target} opens no WebSocket: {refused}"),
        };
    }
    Err(io::Error::other(why))
}

/// Judges the echo server at `target` by `cases`.
pub async fn judge_server(
    target: Target,
    cases: Vec<Case>,
    settings: Settings,
    agent: &str,
) -> Report {
    let shared = Arc::new(settings.clone());
    let peer = Peer { agent, is_server: true, target: target.to_string() };
    let judge = move |case: Arc<Case>| {
        let arena = Arena::against_server(target.clone(), Arc::clone(&shared));
        async move { play(&case, arena).await }
    };
    run_all(cases, &settings, peer, judge).await
}
