//! Judges any WebSocket server or client by the rules of RFC 6455 and RFC 7692, over HTTP/1.1,
//! HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220).
//!
//! The suite plays the other side, rightly and wrongly, and says of each case whether the peer
//! did what the RFC demands. It shares no code with the crates of this workspace: HTTP, frames,
//! masking and compression are its own.
//!
//! Most users want the program (`ws-conformance --help`); this library is what it is made of.
//!
//! ```no_run
//! use ws_conformance::{Effort, Selection, Settings, all_cases, judge_server};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), String> {
//! let target = "ws://127.0.0.1:9001".parse()?;
//! let cases = Selection::default().apply(all_cases(), true);
//! let report = judge_server(target, cases, Settings::new(Effort::Quick), "my server").await;
//! assert!(report.passed(false));
//! # Ok(()) }
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(all(feature = "h2", feature = "h3")),
    expect(dead_code, reason = "a build with fewer carriers does not need all of the wire code")
)]

mod arena;
mod attack;
mod carrier;
mod case;
mod client_side;
mod groups;
mod handshake;
mod judge;
mod link;
mod log;
mod material;
mod mutants;
mod progress;
mod pulse;
mod report;
mod run;
mod script;
mod select;
mod server_side;
mod settings;
mod standing;
mod target;
mod wire;

pub use attack::{Attacked, attack_client, attack_server, attacks};
pub use carrier::Carrier;
pub use case::{Case, CaseId, Judges, Weight};
pub use client_side::{judge_server, reach};
pub use groups::{all as all_cases, title as group_title};
pub use judge::{Behavior, CloseBehavior, Verdict};
pub use mutants::{SelfTest, self_test};
pub use report::{coverage, html, json, junit, table};
pub use run::{CaseResult, LeftOut, Report};
pub use select::{Selection, parse_reasons, parse_sections};
pub use server_side::{judge_client, listen};
pub use settings::{Effort, Settings};
pub use standing::Standing;
pub use target::Target;
pub use wire::stream::Duplex;
