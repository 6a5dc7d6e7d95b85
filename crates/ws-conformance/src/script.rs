//! Cases that are written down rather than programmed: steps, expected events, and an ending.

use std::time::Duration;

use tokio::time::Instant;

use crate::arena::{Arena, Refused};
use crate::case::{Play, Playing};
use crate::judge::{Behavior, Ending, Verdict, close_behavior};
use crate::link::{Event, Kind, Link, Next, WriteMode};
use crate::wire::frame::Frame;

/// One thing the suite does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends frames in the given way.
    Send(Vec<Frame>, WriteMode),
    /// Sends octets that are no frames; the text says what they are.
    Raw(&'static str, Vec<u8>),
    /// Watches for this long; a mark then stands among the events.
    Pause(Duration, &'static str),
    /// Sends one frame in pieces cut at these offsets of its payload, with a pause and a mark
    /// after each piece but the last.
    Pieces(Frame, Vec<(usize, &'static str)>),
    /// Waits until so many events were seen, or the usual time.
    Await(usize),
    /// Ends the suite's direction of TCP.
    HalfClose,
}

/// What may be observed, and what is said of it.
#[derive(Clone, Debug)]
struct Outcome {
    events: Vec<Event>,
    behavior: Behavior,
    why: &'static str,
}

/// A case as data.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    steps: Vec<Step>,
    outcomes: Vec<Outcome>,
    ending: Ending,
    informational: bool,
    needs_close_frame: bool,
}

impl Script {
    pub(crate) fn new(ending: Ending) -> Self {
        let (steps, outcomes) = (Vec::new(), Vec::new());
        Self { steps, outcomes, ending, informational: false, needs_close_frame: false }
    }

    /// A script that ends with a close of ours.
    pub(crate) fn closing() -> Self {
        Self::new(Ending::SuiteCloses(&[1000]))
    }

    /// A script at the end of which the peer fails the connection with one of `codes`.
    pub(crate) fn failing(codes: &'static [u16]) -> Self {
        Self::new(Ending::PeerFails(codes))
    }

    pub(crate) fn send(self, frames: impl Into<Vec<Frame>>, mode: WriteMode) -> Self {
        self.step(Step::Send(frames.into(), mode))
    }

    /// Sends the frames in one write.
    pub(crate) fn say(self, frames: impl Into<Vec<Frame>>) -> Self {
        self.send(frames, WriteMode::OneGo)
    }

    pub(crate) fn raw(self, words: &'static str, octets: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Raw(words, octets.into()))
    }

    pub(crate) fn pause(self, milliseconds: u64, mark: &'static str) -> Self {
        self.step(Step::Pause(Duration::from_millis(milliseconds), mark))
    }

    pub(crate) fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// These events, and no others, are right.
    pub(crate) fn expect(self, events: impl Into<Vec<Event>>) -> Self {
        self.outcome(events, Behavior::Ok, "as expected")
    }

    /// These events are tolerated, for the reason given.
    pub(crate) fn tolerate(self, events: impl Into<Vec<Event>>, why: &'static str) -> Self {
        self.outcome(events, Behavior::NonStrict, why)
    }

    /// Whatever happens is only noted.
    pub(crate) fn informational(mut self) -> Self {
        self.informational = true;
        self
    }

    /// A peer that fails the connection without a close frame is noted as non-strict.
    pub(crate) fn wants_close_frame(mut self) -> Self {
        self.needs_close_frame = true;
        self
    }

    fn outcome(
        mut self,
        events: impl Into<Vec<Event>>,
        behavior: Behavior,
        why: &'static str,
    ) -> Self {
        self.outcomes.push(Outcome { events: events.into(), behavior, why });
        self
    }

    /// Plays the script on an open link and judges it.
    pub(crate) async fn run(&self, link: &mut Link, arena: &Arena) -> Verdict {
        let wait = arena.settings.wait;
        for step in &self.steps {
            if link.is_over() {
                break;
            }
            self.take(step, link, wait).await;
        }
        match self.ending {
            Ending::SuiteCloses(_) => {
                self.watch(link, wait).await;
                if link.is_over() {
                    link.drain(Instant::now() + wait).await;
                } else {
                    link.close(1000, wait).await;
                }
            }
            _ => link.drain(Instant::now() + wait).await,
        }
        self.judge(link)
    }

    async fn take(&self, step: &Step, link: &mut Link, wait: Duration) {
        match step {
            Step::Send(frames, mode) => {
                link.send(frames, *mode).await;
            }
            Step::Raw(words, octets) => {
                link.send_raw(words, octets).await;
            }
            Step::Pause(time, mark) => pause(link, (*time).min(wait / 2), mark).await,
            Step::Pieces(frame, cuts) => {
                let bytes = frame.encode(link.suite_is_client());
                let head = bytes.len() - frame.payload.len();
                let mut rest = bytes.as_slice();
                let mut sent = 0;
                for (cut, mark) in cuts {
                    let (piece, later) = rest.split_at(head + cut - sent);
                    sent += piece.len();
                    rest = later;
                    link.send_raw("a piece of a frame", piece).await;
                    pause(link, wait / 2, mark).await;
                    if link.is_over() {
                        return;
                    }
                }
                link.send_raw("the last piece of the frame", rest).await;
            }
            Step::Await(count) => {
                let deadline = Instant::now() + wait;
                while link.events().len() < *count {
                    let Next::Event(event) = link.next(deadline).await else { return };
                    link.record(event);
                }
            }
            Step::HalfClose => link.half_close().await,
        }
    }

    /// Reads until an outcome is met or has become impossible.
    async fn watch(&self, link: &mut Link, wait: Duration) {
        let deadline = Instant::now() + wait;
        loop {
            let seen = link.events();
            let open = self.outcomes.iter().any(|outcome| {
                outcome.events.len() > seen.len() && outcome.events.starts_with(seen)
            });
            if !open || link.is_over() {
                return;
            }
            let Next::Event(event) = link.next(deadline).await else { return };
            link.record(event);
        }
    }

    fn judge(&self, link: &Link) -> Verdict {
        let (close, why_close) = close_behavior(link, &self.ending);
        let met = self.outcomes.iter().find(|outcome| outcome.events == link.events());
        let (mut behavior, mut why) = match met {
            Some(outcome) => (outcome.behavior, outcome.why.to_owned()),
            None => (Behavior::Failed, self.unmet(link)),
        };
        if self.needs_close_frame && behavior == Behavior::Ok && link.peer_close().is_none() {
            behavior = Behavior::NonStrict;
            why = "the connection was dropped without the close frame that §7.1.7 asks for".into();
        }
        if self.informational {
            why = format!("observed only: {why}");
            behavior = Behavior::Informational;
        }
        if !why_close.is_empty() {
            why = format!("{why}; {why_close}");
        }
        Verdict::on(link, behavior, close, why)
    }

    fn unmet(&self, link: &Link) -> String {
        let wanted: Vec<String> = self.outcomes.iter().map(|one| words(&one.events)).collect();
        format!("expected {}; saw {}", wanted.join(", or "), words(link.events()))
    }
}

impl Play for Script {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut link = arena.open().await?;
            Ok::<_, Refused>(self.run(&mut link, arena).await)
        })
    }
}

/// Watches the link for `time`; a mark tells that it passed.
async fn pause(link: &mut Link, time: Duration, mark: &'static str) {
    let deadline = Instant::now() + time;
    loop {
        match link.next(deadline).await {
            Next::Event(event) => link.record(event),
            Next::Late => return link.record(Event::Mark(mark)),
            Next::Closed | Next::Ended => return,
        }
    }
}

/// A text message as an event.
pub(crate) fn text(data: impl Into<Vec<u8>>) -> Event {
    Event::Message(Kind::Text, data.into())
}

/// A binary message as an event.
pub(crate) fn binary(data: impl Into<Vec<u8>>) -> Event {
    Event::Message(Kind::Binary, data.into())
}

/// A pong as an event.
pub(crate) fn pong(data: impl Into<Vec<u8>>) -> Event {
    Event::Pong(data.into())
}

/// A mark as an event.
pub(crate) fn mark(name: &'static str) -> Event {
    Event::Mark(name)
}

fn words(events: &[Event]) -> String {
    if events.is_empty() {
        return "nothing".into();
    }
    let mut all: Vec<String> = events.iter().take(12).map(ToString::to_string).collect();
    if events.len() > 12 {
        all.push(format!("… {} in all", events.len()));
    }
    format!("[{}]", all.join(", "))
}
