//! The suite as a client: judges a server by its URL.

use std::sync::Arc;

use crate::arena::Arena;
use crate::case::Case;
use crate::run::{Report, play, run_all};
use crate::settings::Settings;
use crate::target::Target;

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
