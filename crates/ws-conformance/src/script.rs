//! Cases that are written down rather than programmed: steps, expected events, and an ending.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::arena::{Arena, Refused};
use crate::case::{Play, Playing};
use crate::groups::open_plain;
use crate::judge::{Behavior, CloseBehavior, Ending, Verdict, close_behavior};
use crate::link::{Event, Kind, Link, Next, WriteMode};
use crate::wire::frame::Frame;

/// One thing the suite does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends frames in the given way.
    Send(Vec<Frame>, WriteMode),
    /// Watches for this long; a mark then stands among the events.
    Pause(Duration, &'static str),
    /// Sends one frame in pieces, with a pause and a mark after each piece but the last.
    Pieces(Frame, Vec<(Cut, &'static str)>),
    /// Sends only the first octets of a frame.
    Start(Frame, usize),
    /// Sends a frame octet by octet, with so many milliseconds between them.
    Drip(Frame, u64),
    /// Ends the suite's direction of TCP.
    HalfClose,
}

/// Where a frame is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// After so many octets of the frame.
    Octet(usize),
    /// After so many octets of its payload.
    Payload(usize),
}

/// Which compression a script needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    Compression,
    /// The suite may refer to its earlier messages.
    Takeover,
}

/// What may be observed, and what is said of it.
#[derive(Clone, Debug)]
struct Outcome {
    events: Vec<Event>,
    behavior: Behavior,
    why: &'static str,
    /// Whether any but the last of the events may be missing.
    has_gaps: bool,
}

impl Outcome {
    fn is_met_by(&self, seen: &[Event]) -> bool {
        match self.has_gaps {
            true => seen.last() == self.events.last() && self.goes_through(seen),
            false => self.events == seen,
        }
    }

    /// Whether it can still be met by what follows.
    fn may_follow(&self, seen: &[Event]) -> bool {
        match self.has_gaps {
            true => seen.last() != self.events.last() && self.goes_through(seen),
            false => self.events.len() > seen.len() && self.events.starts_with(seen),
        }
    }

    /// Whether the events seen are among those of the outcome, in their order.
    fn goes_through(&self, seen: &[Event]) -> bool {
        let mut rest = self.events.iter();
        seen.iter().all(|event| rest.any(|wanted| wanted == event))
    }

    fn describe(&self) -> String {
        let kind = if self.has_gaps { "the last, and any before it, of " } else { "" };
        format!("{kind}{}", words(&self.events))
    }
}

/// A case as data.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    steps: Vec<Step>,
    outcomes: Vec<Outcome>,
    ending: Ending,
    informational: bool,
    needs_close_frame: bool,
    needs: Needs,
    /// What a peer shows that takes the input for valid, and what is then said of it.
    lenient: Option<(Vec<Event>, &'static str)>,
    serves_on: bool,
    /// Whether a peer may have a limit that the input exceeds.
    is_large: bool,
}

impl Script {
    pub(crate) fn new(ending: Ending) -> Self {
        Self {
            steps: Vec::new(),
            outcomes: Vec::new(),
            ending,
            informational: false,
            needs_close_frame: false,
            needs: Needs::Nothing,
            lenient: None,
            serves_on: false,
            is_large: false,
        }
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

    /// The last of these events is tolerated with any of those before it, for the reason given.
    pub(crate) fn tolerate_gaps(
        mut self,
        events: impl Into<Vec<Event>>,
        why: &'static str,
    ) -> Self {
        self = self.tolerate(events, why);
        self.outcomes.iter_mut().rev().take(1).for_each(|outcome| outcome.has_gaps = true);
        self
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

    /// The script needs permessage-deflate.
    pub(crate) fn compressed(mut self) -> Self {
        self.needs = Needs::Compression;
        self
    }

    /// The script needs permessage-deflate, and a peer that keeps the window of our messages.
    pub(crate) fn compressed_with_takeover(mut self) -> Self {
        self.needs = Needs::Takeover;
        self
    }

    /// A peer that does not fail but shows these events (none: it waits) is non-strict.
    pub(crate) fn or_lenient(mut self, events: impl Into<Vec<Event>>, why: &'static str) -> Self {
        self.lenient = Some((events.into(), why));
        self
    }

    /// A peer that refuses a message of `size` octets by a limit of its own is non-strict, unless
    /// a control frame may be as long.
    pub(crate) fn or_refused_by_limit(mut self, size: usize) -> Self {
        self.is_large = size > 125;
        self
    }

    /// Afterwards a server must serve the next connection.
    pub(crate) fn and_serves_on(mut self) -> Self {
        self.serves_on = true;
        self
    }

    fn outcome(
        mut self,
        events: impl Into<Vec<Event>>,
        behavior: Behavior,
        why: &'static str,
    ) -> Self {
        self.outcomes.push(Outcome { events: events.into(), behavior, why, has_gaps: false });
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
        if let Some(verdict) = self.judge_leniency(link, wait).await {
            return verdict;
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

    /// The verdict on a peer that took the input for valid.
    async fn judge_leniency(&self, link: &mut Link, wait: Duration) -> Option<Verdict> {
        let (events, why) = self.lenient.as_ref()?;
        let deadline = Instant::now() + wait;
        while !link.is_over() && (events.is_empty() || link.events() != events) {
            match link.next(deadline).await {
                Next::Event(event) => link.record(event),
                _ => break,
            }
        }
        if link.is_over() || link.events() != events {
            return None;
        }
        link.close(1000, wait / 4).await;
        Some(Verdict::on(link, Behavior::NonStrict, CloseBehavior::Informational, *why))
    }

    async fn take(&self, step: &Step, link: &mut Link, wait: Duration) {
        match step {
            Step::Send(frames, mode) => {
                link.send(frames, *mode).await;
            }
            Step::Pause(time, mark) => pause(link, (*time).min(wait / 2), mark).await,
            Step::Pieces(frame, cuts) => {
                let bytes = link.encode(frame);
                let head = bytes.len() - frame.payload.len();
                let mut rest = bytes.as_slice();
                let mut sent = 0;
                link.begin_frame();
                for (cut, mark) in cuts {
                    let end = match cut {
                        Cut::Octet(end) => *end,
                        Cut::Payload(end) => head + end,
                    };
                    let (piece, later) = rest.split_at(end - sent);
                    sent += piece.len();
                    rest = later;
                    link.send_raw("a piece of a frame", piece).await;
                    pause(link, wait / 2, mark).await;
                    if link.is_over() {
                        return;
                    }
                }
                link.send_raw("the last piece of the frame", rest).await;
                link.end_frame().await;
            }
            Step::Start(frame, count) => {
                let bytes = link.encode(frame);
                let start = bytes.get(..*count).unwrap_or(&bytes);
                link.begin_frame();
                link.send_raw("the first octets of a frame", start).await;
            }
            Step::Drip(frame, milliseconds) => {
                for octet in link.encode(frame) {
                    link.send_raw("an octet of a frame", &[octet]).await;
                    sleep(Duration::from_millis(*milliseconds)).await;
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
            let open = self.outcomes.iter().any(|outcome| outcome.may_follow(seen));
            if !open || link.is_over() {
                return;
            }
            let Next::Event(event) = link.next(deadline).await else { return };
            link.record(event);
        }
    }

    fn judge(&self, link: &Link) -> Verdict {
        let (close, why_close) = close_behavior(link, &self.ending);
        let met = self.outcomes.iter().find(|outcome| outcome.is_met_by(link.events()));
        if self.is_large
            && met.is_none()
            && let Some(verdict) = Verdict::on_refusal_by_limit(link)
        {
            return verdict;
        }
        let (mut behavior, mut why) = match met {
            Some(outcome) => (outcome.behavior, outcome.why.to_owned()),
            None => (Behavior::Failed, self.unmet(link)),
        };
        if self.needs_close_frame && behavior == Behavior::Ok && link.peer_close().is_none() {
            behavior = Behavior::NonStrict;
            why = "the connection was dropped without the close frame that §7.1.7 asks for".into();
        }
        if matches!(self.ending, Ending::PeerFails(_))
            && behavior == Behavior::Ok
            && link.suite_closed_first()
            && link.peer_close().is_some_and(|close| close.code.is_none())
        {
            behavior = Behavior::NonStrict;
            why = "our bad close frame was answered without a code, as if it were good".into();
        }
        if matches!(self.ending, Ending::PeerFails(_))
            && self.sends_only_closes()
            && link.suite_closed_first()
            && link
                .peer_close()
                .is_some_and(|close| close.code.is_some() && close.code == link.own_close_code())
        {
            // §5.2, §5.5, §8.1: such a frame has to fail the connection; an echo has not noticed it.
            behavior = Behavior::Failed;
            why = "our bad close frame came back with its own code, as if it were good".into();
        }
        if self.informational {
            why = format!("observed only: {why}");
            behavior = Behavior::Informational;
        }
        if behavior == Behavior::Ok && !why_close.is_empty() {
            why = format!("{why_close}; until then all was as expected");
        } else if !why_close.is_empty() {
            why = format!("{why}; {why_close}");
        }
        Verdict::on(link, behavior, close, why)
    }

    /// Whether what the suite sends is a close frame and nothing else.
    fn sends_only_closes(&self) -> bool {
        self.steps.iter().all(|step| match step {
            Step::Send(frames, _) => frames.iter().all(Frame::is_close),
            _ => false,
        })
    }

    fn unmet(&self, link: &Link) -> String {
        if self.outcomes.is_empty() {
            return format!("saw {}", words(link.events()));
        }
        let wanted: Vec<String> = self.outcomes.iter().map(Outcome::describe).collect();
        format!("expected {}; saw {}", wanted.join(", or "), words(link.events()))
    }
}

impl Play for Script {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut link = match self.needs {
                Needs::Nothing => arena.open().await?,
                needs => open_compressed(arena, needs == Needs::Takeover).await?,
            };
            let mut verdict = self.run(&mut link, arena).await;
            drop(link);
            if self.serves_on
                && let Err(refused) = arena.still_alive().await
            {
                verdict.behavior = Behavior::Failed;
                verdict.why = refused.verdict().why;
            }
            Ok::<_, Refused>(verdict)
        })
    }
}

/// Opens a link with compression, and with a window of 32 KiB that is kept if `takeover` says so.
async fn open_compressed(arena: &mut Arena, takeover: bool) -> Result<Link, Refused> {
    let mut link = open_plain(arena).await?;
    let kept = link.agreement().is_some_and(|agreed| {
        let (bits, dropped) = if link.suite_is_client() {
            (agreed.client_bits, agreed.client_no_takeover)
        } else {
            (agreed.server_bits, agreed.server_no_takeover)
        };
        bits == 15 && !dropped
    });
    if takeover && !kept {
        link.close(1000, arena.settings.wait).await;
        let why = "the peer does not keep a window of 32 KiB for our messages";
        return Err(Refused::Unimplemented(why.into()));
    }
    Ok(link)
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
