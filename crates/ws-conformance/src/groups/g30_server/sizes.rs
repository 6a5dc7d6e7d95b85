//! Section 30.5: requests that are too large.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::probe::{Answer, Edit, Probe};
use crate::arena::{Arena, Refused};
use crate::case::{Case, Judges, Play, Playing, Weight};
use crate::judge::{Behavior, Verdict};

pub(super) fn cases() -> Vec<Case> {
    let many = |count: u32| (0..count).map(|n| Edit::Add(format!("X-{n}: {n}"))).collect();
    let long = |size| vec![Edit::Add(format!("X-Long: {}", "x".repeat(size)))];
    let refuse = Answer::Refuse(&[431, 400, 413], Behavior::NonStrict);
    let line = Edit::Line(format!("GET {{path}}?{} HTTP/1.1", "x".repeat(200_000)));
    let too_long = Answer::Refuse(&[414, 431, 400, 413], Behavior::NonStrict);
    let rows: &[&str] = &["SEM-5.4-01", "M1-3-01", "WS-10.4-01"];
    let table: [(&str, Vec<Edit>, Answer); 6] = [
        ("with 200 more fields", many(200), Answer::Either),
        ("with 10000 more fields", many(10_000), refuse),
        ("with a field of 60 kB", long(60_000), Answer::Either),
        ("with a field of 1 MB", long(1_000_000), refuse),
        ("with a target of 200 kB", vec![line], too_long),
        (
            "with a method of 100 kB",
            vec![Edit::Line(format!("{} / HTTP/1.1", "G".repeat(100_000)))],
            Answer::Refuse(&[501, 400, 405, 414, 431], Behavior::Failed),
        ),
    ];
    let mut cases: Vec<Case> = (1..)
        .zip(table)
        .map(|(number, (what, edits, answer))| {
            Probe::new(edits, answer).case(&[30, 5, number], what, rows)
        })
        .collect();
    let endless = Case::new(&[30, 5, 7], Endless)
        .does("Sends fields without end, up to 32 MiB.")
        .expects("The server refuses before a megabyte has passed.")
        .cites(&["SEM-5.4-01", "WS-10.4-01"])
        .judges(Judges::Servers)
        .weighs(Weight::Waiting);
    cases.push(endless);
    cases
}

/// A request that never ends.
#[derive(Debug)]
struct Endless;

impl Play for Endless {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut wire = arena.dial().await?;
            let target = arena.target()?;
            let line = format!("GET {} HTTP/1.1\r\nHost: {}\r\n", target.path, target.authority());
            wire.write(line.as_bytes()).await;
            let fields = "X-Field: some value that means nothing\r\n".repeat(400);
            let (mut sent, deadline) = (0, Instant::now() + Duration::from_secs(10));
            while sent < 32 * 1024 * 1024 && Instant::now() < deadline && wire.end().is_none() {
                match timeout(Duration::from_secs(3), wire.write(fields.as_bytes())).await {
                    Ok(true) => sent += fields.len(),
                    _ => break,
                }
                // A look whether the answer is there; it must not cost time.
                let _ = timeout(Duration::ZERO, wire.fill()).await;
                if !wire.buffered().is_empty() {
                    break;
                }
            }
            // An answer, or the end, may still be on its way.
            let _ = timeout(Duration::from_secs(1), wire.fill()).await;
            arena.log.note(format!("{sent} octets were taken"));
            arena.still_alive().await?;
            let answered = wire.end().is_some() || !wire.buffered().is_empty();
            let behavior = if sent <= 4 * 1024 * 1024 && (answered || sent < 1024 * 1024) {
                Behavior::Ok
            } else {
                Behavior::NonStrict
            };
            // Buffers of the system count in: a megabyte of them may be taken unread.
            Ok::<_, Refused>(Verdict::plain(
                behavior,
                format!("{sent} octets of fields were taken"),
            ))
        })
    }
}
