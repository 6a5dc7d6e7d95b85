//! A deterministic runtime on one thread with a virtual clock: when nothing can run, the clock jumps
//! to the next timer; when there is none either, the test is stuck and says so.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use ws_io::{Runtime, Timer};

#[derive(Clone)]
pub(crate) struct Sim {
    state: Arc<Mutex<State>>,
}

struct State {
    start: Instant,
    now: Instant,
    timers: BTreeMap<u64, (Instant, Option<Waker>)>,
    next_timer: u64,
    tasks: Vec<Task>,
    timer_moves: usize,
    /// How often somebody asked for the time.
    looks: usize,
}

impl Sim {
    #[expect(clippy::disallowed_methods, reason = "the virtual clock needs a first instant")]
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        let state = State {
            start: now,
            now,
            timers: BTreeMap::new(),
            next_timer: 0,
            tasks: Vec::new(),
            timer_moves: 0,
            looks: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Virtual time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        let state = self.lock();
        state.now - state.start
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.now += by;
        fire(&mut state);
    }

    /// Lets time pass while nobody looks at the timers, as on a runtime that is busy.
    pub(crate) fn fall_behind(&self, by: Duration) {
        self.lock().now += by;
    }

    /// How often timers were set or moved.
    pub(crate) fn timer_moves(&self) -> usize {
        self.lock().timer_moves
    }

    /// How often the clock was looked at.
    pub(crate) fn looks(&self) -> usize {
        self.lock().looks
    }

    /// How many timers there are.
    pub(crate) fn timers(&self) -> usize {
        self.lock().timers.len()
    }

    pub(crate) fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + use<> {
        let mut timer = self.timer(self.now() + duration);
        std::future::poll_fn(move |cx| timer.poll_expired(cx))
    }

    /// As `spawn`, for a task whose output is asked for later.
    pub(crate) fn spawn_collect<F>(&self, task: F) -> Collected<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let output = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&output);
        self.spawn(async move {
            let output = task.await;
            *slot.lock().unwrap() = Some(output);
        });
        Collected(output)
    }

    /// Runs `main`, and all spawned tasks, until `main` is ready.
    pub(crate) fn block_on<F: Future>(&self, main: F) -> F::Output {
        let mut main = pin!(main);
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(Arc::clone(&flag));
        for _turn in 0..MAX_TURNS {
            let mut ran = false;
            if flag.0.swap(false, Ordering::SeqCst) {
                ran = true;
                if let Poll::Ready(output) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return output;
                }
            }
            ran |= self.run_tasks();
            if !ran {
                let mut state = self.lock();
                let now = state.now;
                let waiting =
                    state.timers.values().filter(|(at, waker)| *at > now || waker.is_some());
                let next = waiting.map(|(at, _)| *at).min();
                state.now = now.max(next.expect("stuck: nothing can run and no timer is set"));
                fire(&mut state);
            }
        }
        panic!("{MAX_TURNS} turns and no end: something runs in circles");
    }

    /// Runs every task that wants to, once.
    fn run_tasks(&self) -> bool {
        let mut ran = false;
        let mut tasks = std::mem::take(&mut self.lock().tasks);
        tasks.retain_mut(|task| {
            if !task.flag.0.swap(false, Ordering::SeqCst) {
                return true;
            }
            ran = true;
            let waker = Waker::from(Arc::clone(&task.flag));
            task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
        });
        let mut state = self.lock();
        tasks.append(&mut state.tasks);
        state.tasks = tasks;
        ran
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Runtime for Sim {
    type Timer = SimTimer;

    fn now(&self) -> Instant {
        let mut state = self.lock();
        state.looks += 1;
        state.now
    }

    fn timer(&self, at: Instant) -> SimTimer {
        let mut state = self.lock();
        let id = state.next_timer;
        state.next_timer += 1;
        state.timer_moves += 1;
        state.timers.insert(id, (at, None));
        SimTimer { sim: self.clone(), id }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.lock().tasks.push(Task { future: Box::pin(task), flag: Arc::default() });
    }
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sim")
    }
}

pub(crate) struct SimTimer {
    sim: Sim,
    id: u64,
}

impl Timer for SimTimer {
    fn reset(&mut self, at: Instant) {
        let mut state = self.sim.lock();
        state.timer_moves += 1;
        state.timers.insert(self.id, (at, None));
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.sim.lock();
        let now = state.now;
        let (at, waker) = state.timers.get_mut(&self.id).unwrap();
        if *at <= now {
            return Poll::Ready(());
        }
        *waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn has_fired(&self) -> Option<bool> {
        // Firing takes the waker.
        Some(self.sim.lock().timers.get(&self.id).is_some_and(|(_, waker)| waker.is_none()))
    }
}

impl Drop for SimTimer {
    fn drop(&mut self) {
        self.sim.lock().timers.remove(&self.id);
    }
}

fn fire(state: &mut State) {
    let now = state.now;
    for (at, waker) in state.timers.values_mut() {
        if *at <= now
            && let Some(waker) = waker.take()
        {
            waker.wake();
        }
    }
}

const MAX_TURNS: usize = 1_000_000;

struct Task {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    flag: Arc<Flag>,
}

/// The output of a task, once it is there.
pub(crate) struct Collected<P>(Arc<Mutex<Option<P>>>);

impl<P> Collected<P> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_none()
    }

    pub(crate) fn take(&self) -> Option<P> {
        self.0.lock().unwrap().take()
    }

    /// Waits for it.
    pub(crate) async fn output(self) -> P {
        while self.is_empty() {
            yield_now().await;
        }
        self.take().unwrap()
    }
}

/// Whether a task wants to run; a new one does.
struct Flag(AtomicBool);

impl Default for Flag {
    fn default() -> Self {
        Self(AtomicBool::new(true))
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Both outputs, once both are there.
pub(crate) async fn join<A, B>(
    left: impl Future<Output = A>,
    right: impl Future<Output = B>,
) -> (A, B) {
    let (mut left, mut right) = (pin!(left), pin!(right));
    let (mut a, mut b) = (None, None);
    std::future::poll_fn(|cx| {
        if a.is_none()
            && let Poll::Ready(output) = left.as_mut().poll(cx)
        {
            a = Some(output);
        }
        if b.is_none()
            && let Poll::Ready(output) = right.as_mut().poll(cx)
        {
            b = Some(output);
        }
        match (a.take(), b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (left, right) => {
                (a, b) = (left, right);
                Poll::Pending
            }
        }
    })
    .await
}

/// Lets everything else run once.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Polls `future` `polls` times and drops it then; its output if it was ready before.
pub(crate) async fn give_up_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polled = 0;
    std::future::poll_fn(move |cx| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polled == polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
