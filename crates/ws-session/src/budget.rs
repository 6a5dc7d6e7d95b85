//! One number of bytes for many sessions: a counter that all of them charge.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A budget of memory that many sessions share; clones are the same budget.
///
/// Sessions charge what they [hold](crate::Account) in steps of 1 KiB, when it grows, and give it
/// back when it is delivered, written, or the session ends; an idle session costs one step or two
/// and touches the counter no more.
///
/// The last eighth is for connections that hold little: from there on nobody new
/// [is admitted](Self::has_room), and a session that would then hold more than 64 KiB is closed. So
/// the large growers go first, and a connection of small messages outlives a flood of large ones.
/// When all is used up, whoever grows is closed.
#[derive(Clone)]
pub struct SharedBudget(Arc<Shared>);

struct Shared {
    max: usize,
    used: AtomicUsize,
}

impl SharedBudget {
    /// A budget of `max` bytes; less than 1 MiB counts as 1 MiB.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self(Arc::new(Shared { max: max.max(MIN), used: AtomicUsize::new(0) }))
    }

    /// The budget, in bytes.
    #[must_use]
    pub fn max(&self) -> usize {
        self.0.max
    }

    /// How many bytes are in use: never more than [`max`](Self::max).
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Whether there is room for another connection; a server answers 503 when there is none.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.used() < self.line()
    }

    /// An account on this budget, with nothing charged yet.
    #[must_use]
    pub fn open(&self) -> Charge {
        Charge { budget: self.clone(), charged: 0 }
    }

    /// Up to where large holders are served.
    fn line(&self) -> usize {
        self.0.max - self.0.max / RESERVE
    }

    fn limit_for(&self, bytes: usize) -> usize {
        if bytes > SMALL { self.line() } else { self.0.max }
    }
}

/// The same budget, not one of the same size.
impl PartialEq for SharedBudget {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SharedBudget {}

impl fmt::Debug for SharedBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBudget")
            .field("max", &self.max())
            .field("used", &self.used())
            .finish()
    }
}

/// What one connection has charged on a [`SharedBudget`]; given back when dropped.
#[derive(Debug)]
pub struct Charge {
    budget: SharedBudget,
    charged: usize,
}

impl Charge {
    /// Charges `bytes` in all, instead of what was charged before; false, and nothing changes, if
    /// that is more than there is.
    #[must_use]
    pub fn set(&mut self, bytes: usize) -> bool {
        let wanted = bytes.checked_next_multiple_of(STEP).unwrap_or(usize::MAX);
        if wanted <= self.charged {
            self.budget.0.used.fetch_sub(self.charged - wanted, Ordering::Relaxed);
            self.charged = wanted;
            return true;
        }
        let more = wanted - self.charged;
        let limit = self.budget.limit_for(wanted);
        let grown = self.budget.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(more).filter(|used| *used <= limit)
        });
        if grown.is_ok() {
            self.charged = wanted;
        }
        grown.is_ok()
    }

    /// Up to how many bytes in all could be charged now.
    #[must_use]
    pub fn limit(&self) -> usize {
        let others = self.budget.used().saturating_sub(self.charged);
        let large = self.budget.line().saturating_sub(others);
        large.max(self.budget.max().saturating_sub(others).min(SMALL))
    }

    /// How many bytes are charged: what was [set](Self::set), rounded up to the step.
    #[must_use]
    pub const fn charged(&self) -> usize {
        self.charged
    }

    /// The budget that this is charged on.
    #[must_use]
    pub fn budget(&self) -> &SharedBudget {
        &self.budget
    }

    /// Whether `bytes` are charged already, to the step.
    pub(crate) const fn is(&self, bytes: usize) -> bool {
        self.charged >= bytes && self.charged - bytes < STEP
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.0.used.fetch_sub(self.charged, Ordering::Relaxed);
    }
}

const MIN: usize = 1024 * 1024;
/// What is charged at a time.
const STEP: usize = 1024;
/// The part of the budget that large holders do not get, as a fraction.
const RESERVE: usize = 8;
/// Who holds no more than this is no large holder.
const SMALL: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_eighth_is_for_small_holders() {
        let budget = SharedBudget::new(8 * MIN);
        let mut hoarder = budget.open();
        assert!(hoarder.set(7 * MIN), "all but an eighth");
        assert!(!hoarder.set(7 * MIN + 1));
        assert_eq!((budget.used(), budget.has_room()), (7 * MIN, false));
        let mut small: Vec<Charge> = Vec::new();
        loop {
            let mut charge = budget.open();
            if !charge.set(SMALL) {
                break;
            }
            small.push(charge);
        }
        assert_eq!((small.len(), budget.used()), (MIN / SMALL, budget.max()));
        assert!(!budget.open().set(1));
        drop(hoarder);
        assert_eq!((budget.used(), budget.has_room()), (MIN, true));
        small.clear();
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_limit_of_an_account_is_what_it_can_be_set_to() {
        let budget = SharedBudget::new(8 * MIN);
        let (mut one, mut two) = (budget.open(), budget.open());
        for (first, second) in [(0, 0), (7 * MIN, 3), (6 * MIN, MIN / 2), (MIN, 5 * MIN)] {
            assert!(one.set(0) && two.set(0) && one.set(first) && two.set(second));
            let limit = two.limit();
            assert!(two.set(limit), "{limit}");
            assert!(!two.set(limit + 1), "{limit}");
        }
    }

    #[test]
    fn any_numbers_are_survived() {
        assert_eq!(SharedBudget::new(0).max(), MIN);
        let mut charge = SharedBudget::new(usize::MAX).open();
        assert!(!charge.set(usize::MAX), "the reserve");
        assert!(charge.set(1) && charge.is(1) && !charge.is(0) && !charge.is(1025));
    }
}
