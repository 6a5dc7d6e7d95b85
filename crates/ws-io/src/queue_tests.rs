//! The queue polled by hand, in random order against what it promises, and by real threads.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use proptest::prelude::*;

use super::*;

/// Counts how often somebody was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A future with the waker it is polled with.
struct Polled<F> {
    future: F,
    wakes: Arc<Wakes>,
}

impl<F: Future + Unpin> Polled<F> {
    fn new(future: F) -> Self {
        Self { future, wakes: Arc::default() }
    }

    fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        Pin::new(&mut self.future).poll(&mut Context::from_waker(&waker))
    }
}

/// A queue of numbers that weigh what they say.
fn weighed(count: usize, bytes: usize) -> (Tail<usize>, Head<usize>) {
    queue(Bounds { count, bytes })
}

fn take<T>(head: &mut Head<T>) -> Option<T> {
    match head.poll_take_if(&mut Context::from_waker(Waker::noop()), |_| true, Waker::wake) {
        Poll::Ready(item) => item,
        Poll::Pending => None,
    }
}

#[test]
fn clones_share_the_room() {
    for (count, room) in [(0, 1), (1, 1), (2, 2), (16, 16)] {
        let (tail, mut head) = weighed(count, usize::MAX);
        let added = (0..100).filter(|n| tail.clone().try_push(*n, 0).is_ok()).count();
        assert_eq!(added, room);
        assert_eq!(take(&mut head), Some(0));
        assert_eq!(tail.try_push(100, 0), Ok(()), "what was taken makes room");
        assert_eq!(tail.try_push(101, 0), Err(101));
    }
}

#[test]
fn bytes_are_bounded_and_a_larger_item_has_the_queue_for_itself() {
    let (tail, mut head) = weighed(100, 10);
    for (item, fits) in [(4, true), (6, true), (0, true), (1, false), (usize::MAX, false)] {
        assert_eq!(tail.try_push(item, item).is_ok(), fits, "{item}");
    }
    assert_eq!([take(&mut head), take(&mut head), take(&mut head)], [Some(4), Some(6), Some(0)]);
    for (item, fits) in [(usize::MAX, true), (0, false), (usize::MAX, false)] {
        assert_eq!(tail.try_push(item, item).is_ok(), fits, "{item}");
    }
    assert_eq!(take(&mut head), Some(usize::MAX));
    assert_eq!(tail.try_push(10, 10), Ok(()));
}

#[test]
fn room_goes_to_those_who_wait_in_the_order_of_asking() {
    let (tail, mut head) = weighed(1, usize::MAX);
    tail.try_push(0, 0).expect("room");
    let mut waiting: Vec<_> = (1..=3).map(|n| Polled::new(tail.push(n, 0))).collect();
    for push in &mut waiting {
        assert!(push.poll().is_pending());
    }
    for n in 1..=3 {
        assert_eq!(take(&mut head), Some(n - 1));
        assert_eq!(tail.try_push(9, 0), Err(9), "the room is somebody else's");
        let woken: Vec<_> = waiting.iter().map(|push| push.wakes.count()).collect();
        let expected: Vec<_> = (1..=3).map(|m| usize::from(m <= n)).collect();
        assert_eq!(woken, expected);
        for later in waiting.iter_mut().skip(n) {
            assert!(later.poll().is_pending());
        }
        assert_eq!(waiting[n - 1].poll(), Poll::Ready(Ok(())));
    }
}

#[test]
fn a_large_item_is_not_overtaken_and_makes_room_for_many_when_it_goes() {
    let (tail, mut head) = weighed(100, 10);
    tail.try_push(8, 8).expect("room");
    let mut large = Polled::new(tail.push(9, 9));
    let mut small: Vec<_> = (0..3).map(|_| Polled::new(tail.push(1, 1))).collect();
    assert!(large.poll().is_pending());
    for push in &mut small {
        assert!(push.poll().is_pending(), "there is room, for whose turn it is");
    }
    drop(large);
    let woken: Vec<_> = small.iter().map(|push| push.wakes.count()).collect();
    assert_eq!(woken, [1, 1, 0], "as many as fit beside the 8");
    assert_eq!(take(&mut head), Some(8));
    for mut push in small {
        assert_eq!(push.wakes.count(), 1);
        assert_eq!(push.poll(), Poll::Ready(Ok(())));
    }
}

#[test]
fn who_gives_up_loses_nobody_a_wake_up() {
    // Dropped while it waits, and dropped when it was woken.
    for woken_first in [false, true] {
        let (tail, mut head) = weighed(1, usize::MAX);
        tail.try_push(0, 0).expect("room");
        let (mut first, mut second) = (Polled::new(tail.push(1, 0)), Polled::new(tail.push(2, 0)));
        assert!(first.poll().is_pending() && second.poll().is_pending());
        if woken_first {
            assert_eq!(take(&mut head), Some(0));
            assert_eq!((first.wakes.count(), second.wakes.count()), (1, 0));
            drop(first);
        } else {
            drop(first);
            assert_eq!(second.wakes.count(), 0, "there is no room yet");
            assert_eq!(take(&mut head), Some(0));
        }
        assert_eq!(second.wakes.count(), 1);
        assert_eq!(second.poll(), Poll::Ready(Ok(())));
        assert_eq!((take(&mut head), take(&mut head)), (Some(2), None));
    }
}

#[test]
fn who_moves_to_another_task_is_woken_there() {
    let (tail, mut head) = weighed(1, usize::MAX);
    tail.try_push(0, 0).expect("room");
    let mut push = Polled::new(tail.push(1, 0));
    assert!(push.poll().is_pending());
    let before = std::mem::take(&mut push.wakes);
    assert!(push.poll().is_pending());
    assert_eq!(take(&mut head), Some(0));
    assert_eq!((before.count(), push.wakes.count()), (0, 1));
}

#[test]
fn who_takes_is_woken_by_the_next_item() {
    let (tail, mut head) = weighed(4, usize::MAX);
    let mut taking =
        Polled::new(std::future::poll_fn(move |cx| head.poll_take_if(cx, |_| true, Waker::wake)));
    assert!(taking.poll().is_pending());
    tail.try_push(1, 0).expect("room");
    tail.try_push(2, 0).expect("room");
    assert_eq!(taking.wakes.count(), 1, "once for both");
    assert_eq!([taking.poll(), taking.poll()], [Poll::Ready(Some(1)), Poll::Ready(Some(2))]);
    assert!(taking.poll().is_pending());
    assert_eq!(Polled::new(tail.push(3, 0)).poll(), Poll::Ready(Ok(())));
    assert_eq!(taking.wakes.count(), 2);
}

#[test]
fn what_is_not_wanted_yet_stays_and_counts() {
    let (tail, mut head) = weighed(1, usize::MAX);
    tail.try_push(1, 0).expect("room");
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(head.poll_take_if(&mut cx, |item| *item != 1, Waker::wake), Poll::Ready(None));
    assert_eq!(tail.try_push(2, 0), Err(2));
    assert_eq!(head.poll_take_if(&mut cx, |item| *item == 1, Waker::wake), Poll::Ready(Some(1)));
    assert_eq!(tail.try_push(2, 0), Ok(()));
}

#[test]
fn the_end_is_told_to_all_and_gives_items_back() {
    let (tail, mut head) = queue(Bounds { count: 1, bytes: usize::MAX });
    let left = Arc::new(());
    tail.try_push(Arc::clone(&left), 0).expect("room");
    let mut given = Polled::new(tail.push(Arc::clone(&left), 0));
    let mut waiting = Polled::new(tail.push(Arc::clone(&left), 0));
    let abandoned = Polled::new(tail.push(Arc::clone(&left), 0));
    assert!(given.poll().is_pending() && waiting.poll().is_pending());
    let mut given_up: Vec<_> =
        (0..3).map(|_| Polled::new(tail.push(Arc::clone(&left), 0))).collect();
    assert!(given_up.iter_mut().all(|push| push.poll().is_pending()));
    drop(take(&mut head));
    assert_eq!(given.wakes.count(), 1);
    drop(head);
    drop(given_up);
    assert!(tail.is_closed());
    assert_eq!((given.wakes.count(), waiting.wakes.count()), (1, 1));
    for push in [&mut given, &mut waiting] {
        assert!(matches!(push.poll(), Poll::Ready(Err(_))));
    }
    drop(abandoned);
    assert!(tail.try_push(Arc::clone(&left), 0).is_err());
    assert_eq!(Arc::strong_count(&left), 1);
}

#[test]
fn what_is_dropped_may_come_back_to_the_queue() {
    /// Looks at the queue that held it, as a task may when it ends.
    struct Visitor(Option<Tail<Self>>);
    impl Drop for Visitor {
        fn drop(&mut self) {
            if let Some(tail) = self.0.take() {
                assert!(tail.is_closed());
                assert!(tail.try_push(Self(None), 0).is_err());
            }
        }
    }
    let (tail, head) = queue(Bounds { count: 2, bytes: usize::MAX });
    assert!(tail.try_push(Visitor(Some(tail.clone())), 0).is_ok());
    assert!(tail.try_push(Visitor(Some(tail.clone())), 0).is_ok());
    drop(head);
}

#[test]
fn memory_follows_what_waits() {
    let (tail, mut head) = weighed(usize::MAX, usize::MAX);
    let room = |tail: &Tail<usize>| tail.shared.lock().items.capacity();
    assert_eq!(room(&tail), 0, "none up front");
    for n in 0..1000 {
        tail.try_push(n, 0).expect("room");
    }
    while take(&mut head).is_some() {}
    assert_eq!(room(&tail), 0, "none after a peak");
    for round in 0..100 {
        tail.try_push(round, 0).expect("room");
        assert_eq!(take(&mut head), Some(round));
    }
    assert!((1..=KEPT).contains(&room(&tail)), "and some in steady use");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    TryPush(usize),
    Push(usize),
    Poll(prop::sample::Index),
    Drop(prop::sample::Index),
    Take,
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = || 0_usize..8;
    prop_oneof![
        bytes().prop_map(Step::TryPush),
        bytes().prop_map(Step::Push),
        any::<prop::sample::Index>().prop_map(Step::Poll),
        any::<prop::sample::Index>().prop_map(Step::Drop),
        Just(Step::Take),
        Just(Step::Take),
    ]
}

type Item = (usize, usize);

/// What was promised to whom.
struct Model<'a> {
    bounds: Bounds,
    tail: &'a Tail<Item>,
    head: Head<Item>,
    /// In the order of asking.
    waiting: Vec<Polled<Push<'a, Item>>>,
    inside: VecDeque<Item>,
    next: usize,
}

impl Model<'_> {
    fn item(&mut self, bytes: usize) -> Item {
        self.next += 1;
        (self.next, bytes)
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::TryPush(bytes) => {
                let item = self.item(bytes);
                let added = self.tail.try_push(item, bytes).is_ok();
                let is_idle = self.inside.is_empty() && self.waiting.is_empty();
                assert!(added || !is_idle, "an empty queue takes anything");
                let is_behind = self.waiting.iter().any(|push| push.wakes.count() == 0);
                assert!(!added || !is_behind, "nobody is overtaken");
                if added {
                    self.inside.push_back(item);
                }
            }
            Step::Push(bytes) => {
                let item = self.item(bytes);
                let mut push = Polled::new(self.tail.push(item, bytes));
                match push.poll() {
                    Poll::Ready(result) => {
                        assert_eq!(result, Ok(()));
                        self.inside.push_back(item);
                    }
                    Poll::Pending => self.waiting.push(push),
                }
            }
            Step::Poll(index) if !self.waiting.is_empty() => {
                self.poll(index.index(self.waiting.len()));
            }
            Step::Drop(index) if !self.waiting.is_empty() => {
                drop(self.waiting.remove(index.index(self.waiting.len())));
            }
            Step::Take => assert_eq!(take(&mut self.head), self.inside.pop_front()),
            Step::Poll(_) | Step::Drop(_) => {}
        }
        self.check();
    }

    /// Whoever was woken is ready, and nobody else.
    fn poll(&mut self, index: usize) {
        let push = &mut self.waiting[index];
        let item = push.future.item.expect("it waits with its item");
        if push.wakes.count() == 0 {
            assert!(push.poll().is_pending(), "a wake-up was lost");
            return;
        }
        assert_eq!(push.poll(), Poll::Ready(Ok(())));
        self.inside.push_back(item);
        self.waiting.remove(index);
    }

    fn check(&self) {
        let woken: Vec<_> = self.waiting.iter().map(|push| push.wakes.count() > 0).collect();
        assert!(woken.is_sorted_by(|earlier, later| earlier >= later), "room in order: {woken:?}");
        // Those who were woken have their room already.
        let given = self.waiting.iter().filter(|push| push.wakes.count() > 0);
        let given = given.map(|push| push.future.bytes);
        let all: Vec<_> = self.inside.iter().map(|(_, bytes)| *bytes).chain(given).collect();
        let sum = all.iter().sum::<usize>();
        assert!(all.len() <= self.bounds.count.max(1), "{all:?}");
        assert!(sum <= self.bounds.bytes || all.len() == 1, "{all:?}");
        if let Some(next) = self.waiting.get(woken.iter().filter(|woken| **woken).count()) {
            let fits = all.len() < self.bounds.count.max(1)
                && sum + next.future.bytes <= self.bounds.bytes;
            assert!(!fits && !all.is_empty(), "somebody waits though there is room");
        }
    }

    /// Everybody who still waits gets in, in the end.
    fn finish(&mut self) {
        while !self.waiting.is_empty() || !self.inside.is_empty() {
            while self.waiting.first().is_some_and(|push| push.wakes.count() > 0) {
                self.poll(0);
            }
            self.run(Step::Take);
        }
    }
}

proptest! {
    #[test]
    fn room_is_given_in_order_and_never_twice(
        count in 0_usize..4,
        bytes in 0_usize..20,
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let bounds = Bounds { count, bytes };
        let (tail, head) = queue(bounds);
        let mut model =
            Model { bounds, tail: &tail, head, waiting: Vec::new(), inside: VecDeque::new(), next: 0 };
        for step in steps {
            model.run(step);
        }
        model.finish();
    }
}

/// Unparks a thread.
struct Thread(std::thread::Thread);

impl Wake for Thread {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Thread(std::thread::current())));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

#[test]
fn threads_lose_nothing_and_never_cross_the_bound() {
    const SENDERS: usize = 8;
    const EACH: usize = 4000;
    const BOUNDS: Bounds = Bounds { count: 3, bytes: 100 };
    let (tail, mut head) = queue(BOUNDS);
    let added = AtomicUsize::new(0);
    let taken = std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (tail, added) = (tail.clone(), &added);
            scope.spawn(move || {
                for n in 0..EACH {
                    let bytes = (sender * 7 + n) % 60;
                    if n % 3 == 0 {
                        // Asks, and thinks better of it, whether it was given room meanwhile or not.
                        let mut given_up = Polled::new(tail.push((sender, usize::MAX), bytes));
                        if given_up.poll().is_ready() {
                            added.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                    if n % 2 == 0 || tail.clone().try_push((sender, n), bytes).is_err() {
                        block_on(tail.push((sender, n), bytes)).expect("open");
                    }
                    added.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let mut next = [0; SENDERS];
        let mut taken = 0;
        while next.iter().sum::<usize>() < SENDERS * EACH {
            let first =
                block_on(std::future::poll_fn(|cx| head.poll_take_if(cx, |_| true, Waker::wake)));
            let (sender, n) = first.expect("it is wanted");
            taken += 1;
            if n != usize::MAX {
                assert_eq!(n, next[sender], "in the order of its sender");
                next[sender] += 1;
            }
            let Bounds { count, bytes } = tail.shared.lock().taken;
            assert!(count <= BOUNDS.count && bytes <= BOUNDS.bytes, "{count} items, {bytes} bytes");
        }
        taken
    });
    assert_eq!(taken, added.into_inner());
    assert_eq!(tail.shared.lock().taken.count, 0);
    assert_eq!(tail.try_push((0, 0), BOUNDS.bytes + 1), Ok(()), "all room is there again");
}
