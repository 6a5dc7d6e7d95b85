//! The wire log of a case: who sent what when, in words and in octets.
//!
//! It is bounded: long payloads are cut, and of a long case only the beginning and the end stay.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Who caused an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The suite wrote to the peer.
    Suite,
    /// The peer wrote to the suite.
    Peer,
    /// A remark.
    Note,
}

/// One line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: Duration,
    pub(crate) who: Who,
    pub(crate) words: String,
    /// The first octets, as hex and as text, where octets are shown.
    pub(crate) octets: Option<(String, String)>,
}

/// A log shared by everything that takes part in a case.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    started: Instant,
    entries: Arc<Mutex<Entries>>,
}

#[derive(Debug, Default)]
struct Entries {
    first: Vec<Entry>,
    last: VecDeque<Entry>,
    dropped: usize,
}

/// Entries kept at the beginning, and again at the end.
const KEPT: usize = 60;

/// Octets shown of each payload.
const SHOWN: usize = 96;

/// Octets shown of each head.
const HEAD: usize = 4096;

impl Log {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), entries: Arc::default() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn note(&self, words: impl Into<String>) {
        self.add(Who::Note, words.into(), None);
    }

    pub(crate) fn octets(&self, who: Who, words: impl FnOnce() -> String, octets: &[u8]) {
        if self.is_full() {
            // What will probably be dropped is not worth the time to describe it.
            return self.add(who, format!("{} octets", octets.len()), None);
        }
        self.add(who, words(), Some(render(octets)));
    }

    /// The head of a request or an answer, which is read as text and decides by any of its lines.
    pub(crate) fn head(&self, who: Who, words: impl Into<String>, octets: &[u8]) {
        if self.is_full() {
            return self.add(who, format!("{} octets", octets.len()), None);
        }
        let shown = octets.get(..HEAD).unwrap_or(octets);
        let lines = shown.escape_ascii().to_string().replace("\\r\\n", "\n");
        let rest = if octets.len() > HEAD { "…" } else { "" };
        let text = format!("{}{rest}", lines.trim_end().replace("\\\"", "\"").replace("\\'", "'"));
        self.add(who, words.into(), Some((String::new(), text)));
    }

    /// The entries in order; a remark stands for those that were dropped.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let entries = self.lock();
        let mut all = entries.first.clone();
        if entries.dropped > 0 {
            let words = format!("… {} entries are left out …", entries.dropped);
            let at = entries.last.front().map_or_else(|| self.elapsed(), |entry| entry.at);
            all.push(Entry { at, who: Who::Note, words, octets: None });
        }
        all.extend(entries.last.iter().cloned());
        all
    }

    fn add(&self, who: Who, words: String, octets: Option<(String, String)>) {
        let entry = Entry { at: self.elapsed(), who, words, octets };
        let mut entries = self.lock();
        if entries.first.len() < KEPT {
            return entries.first.push(entry);
        }
        if entries.last.len() == KEPT {
            entries.last.pop_front();
            entries.dropped += 1;
        }
        entries.last.push_back(entry);
    }

    fn is_full(&self) -> bool {
        self.lock().dropped > 4 * KEPT
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first octets as hex and as printable text.
pub(crate) fn render(octets: &[u8]) -> (String, String) {
    let shown = octets.get(..SHOWN).unwrap_or(octets);
    let mut hex = String::with_capacity(shown.len() * 3);
    for octet in shown {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{octet:02x} ");
    }
    let printable = |octet: &u8| if octet.is_ascii_graphic() { char::from(*octet) } else { '·' };
    let mut text: String = shown.iter().map(printable).collect();
    if octets.len() > SHOWN {
        hex.push('…');
        text.push('…');
    }
    (hex.trim_end().to_owned(), text)
}

/// A short form of a payload for sentences.
pub(crate) fn brief(octets: &[u8]) -> String {
    let length = octets.len();
    match std::str::from_utf8(octets) {
        Ok(text) if length <= 48 => format!("{text:?}"),
        Ok(text) => {
            let start: String = text.chars().take(24).collect();
            format!("{start:?}… ({length} octets)")
        }
        Err(_) if length <= 24 => render(octets).0,
        Err(_) => format!("{}… ({length} octets)", render(octets.get(..16).unwrap_or_default()).0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_keeps_its_beginning_and_its_end() {
        let log = Log::new();
        for number in 0..1000 {
            log.note(format!("{number}"));
        }
        let entries = log.entries();
        assert_eq!(entries.len(), 2 * KEPT + 1);
        assert_eq!(entries.first().map(|entry| entry.words.as_str()), Some("0"));
        assert_eq!(entries.last().map(|entry| entry.words.as_str()), Some("999"));
        assert!(entries[KEPT].words.contains("880 entries"));
    }

    #[test]
    fn heads_are_shown_in_full() {
        let log = Log::new();
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nX: \"\xff\"\r\n\r\n";
        log.head(Who::Suite, "the request", head);
        let shown: Vec<_> = log.entries().into_iter().filter_map(|entry| entry.octets).collect();
        assert_eq!(shown, [(String::new(), "GET / HTTP/1.1\nHost: a\nX: \"\\xff\"".into())]);
        log.head(Who::Peer, "the answer", &[b'*'; 5000]);
        let cut = log.entries().into_iter().next_back().and_then(|entry| entry.octets);
        assert!(cut.is_some_and(|(_, text)| text.len() < 4100 && text.ends_with('…')));
    }

    #[test]
    fn payloads_are_shown_briefly() {
        assert_eq!(brief(b"Hello"), "\"Hello\"");
        assert_eq!(brief(&[0xFE, 0x00]), "fe 00");
        assert!(brief(&[b'*'; 300]).ends_with("(300 octets)"));
    }
}
