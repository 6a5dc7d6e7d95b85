//! What all clients together have done, and what went wrong.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ws_tests::Carrier;

use crate::clients::Behaviour;

/// Counters that every client adds to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) messages: AtomicU64,
    pub(crate) octets: AtomicU64,
    pub(crate) open: AtomicU64,
    /// Lives by carrier.
    connections: [AtomicU64; Carrier::ALL.len()],
    /// Lives by behaviour.
    lives: [AtomicU64; Behaviour::ALL.len()],
    violations: AtomicU64,
    /// The first of them, in words.
    words: Mutex<Vec<String>>,
}

impl Tally {
    pub(crate) fn live(&self, carrier: Carrier, behaviour: Behaviour) {
        let add = |counters: &[AtomicU64], at: usize| {
            if let Some(counter) = counters.get(at) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        };
        add(&self.connections, carrier as usize);
        add(&self.lives, behaviour as usize);
    }

    pub(crate) fn echoed(&self, octets: usize) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.octets.fetch_add(octets as u64, Ordering::Relaxed);
    }

    pub(crate) fn violation(&self, what: String) {
        self.violations.fetch_add(1, Ordering::Relaxed);
        let mut words = self.words.lock().expect("nobody panics with it");
        if words.len() < SHOWN {
            eprintln!("VIOLATION: {what}");
            words.push(what);
        }
    }

    pub(crate) fn violations(&self) -> u64 {
        self.violations.load(Ordering::Relaxed)
    }

    /// One line for a program to read.
    pub(crate) fn line(&self) -> String {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut line = format!(
            "load open={} messages={} octets={} violations={}",
            read(&self.open),
            read(&self.messages),
            read(&self.octets),
            self.violations()
        );
        for (carrier, counter) in Carrier::ALL.iter().zip(&self.connections) {
            let _ = write!(line, " {}={}", carrier.name(), read(counter));
        }
        for (behaviour, counter) in Behaviour::ALL.iter().zip(&self.lives) {
            let _ = write!(line, " {}={}", behaviour.name(), read(counter));
        }
        line
    }
}

/// Violations told in words.
const SHOWN: usize = 20;
