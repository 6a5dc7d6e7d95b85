//! The suite as a client: judges a server by its URL.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::arena::Arena;
#[cfg(feature = "h3")]
use crate::carrier::Carrier;
use crate::case::Case;
use crate::run::{Report, play, run_all};
use crate::settings::Settings;
use crate::target::Target;
#[cfg(feature = "h3")]
use crate::wire::raw_h3::RawH3;

/// A handshake that came to nothing later than this was waited for in vain.
const SILENCE: Duration = Duration::from_secs(4);

/// Sees whether anybody listens at `target` and answers, rightly or wrongly. Without this every
/// case would wait for the same nothing.
///
/// # Errors
///
/// Nobody listens by the carrier of `settings`, or three handshakes in a row were not answered.
pub async fn reach(target: &Target, settings: &Settings) -> io::Result<()> {
    let nobody = |error| io::Error::other(format!("nobody listens at {target}: {error}"));
    match settings.carrier {
        #[cfg(feature = "h3")]
        Carrier::H3 => drop(RawH3::dial(&target.host, target.port).await.map_err(nobody)?),
        _ => drop(target.dial().await.map_err(nobody)?),
    }
    let settings = Arc::new(settings.clone());
    for _ in 0..3 {
        let began = Instant::now();
        let mut arena = Arena::against_server(target.clone(), Arc::clone(&settings));
        let opened = arena.open().await;
        if opened.is_ok() || began.elapsed() < SILENCE {
            return Ok(());
        }
    }
    let why = format!("somebody listens at {target} but did not answer three handshakes in a row");
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
    let judge = move |case: Arc<Case>| {
        let arena = Arena::against_server(target.clone(), Arc::clone(&shared));
        async move { play(&case, arena).await }
    };
    run_all(cases, &settings, agent, true, judge).await
}
