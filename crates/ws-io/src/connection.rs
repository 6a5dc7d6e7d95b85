//! The poll-level driver: moves bytes between a transport and a session, and nothing else.
//!
//! It decides *when* to read, write, flush and look at the clock; what the bytes mean is the
//! session's business. Writing waits until there is nothing left to read, so that the answers to
//! a burst of messages leave in one system call.

mod outbox;
mod waiting;

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use ws_frame::{DataKind, FrameEncoder, FrameHeader, Message};
use ws_session::{CloseCode, Event, Failure, Session, TransportError};

use crate::alarm::Alarm;
use crate::outgoing::Outgoing;
use crate::read_budget::{self, CORK, READS_PER_TURN};
use crate::sender::Outbox;
use crate::{Error, Notice, NoticeBoard, Runtime, Transport};

pub(crate) struct Connection<T, R: Runtime> {
    pub(crate) transport: T,
    pub(crate) runtime: R,
    pub(crate) session: Session,
    outbox: Option<Box<Outbox>>,
    /// Where the program says that it wants its connections to end.
    board: Option<Arc<dyn NoticeBoard>>,
    /// Whether the goodbye that the board asks for was begun.
    is_leaving: bool,
    alarm: Alarm<R>,
    /// The write that failed, until everything that arrived before it has been read.
    pub(crate) write_error: Option<Box<TransportError>>,
    /// Bytes handed to the transport so far.
    written: u64,
    /// Reads since this connection last let go of its thread, and what was inflated, as reads.
    reads: u8,
    needs_flush: bool,
    /// Whether another task may be receiving while one waits to send.
    pub(crate) is_split: bool,
    /// Whether receiving waits for input, so that silence is the peer's.
    pub(crate) receiver_waits: bool,
    /// Whether other tasks want to send more than there is room for.
    outbox_waits: bool,
    /// Whether the last call waited for input, with nothing left to do.
    has_waited: bool,
}

/// Whether a step changed something that may have produced an event.
enum Step {
    Progress,
    Wait,
}

impl<T: Transport, R: Runtime> Connection<T, R> {
    pub(crate) fn new(transport: T, runtime: R, session: Session) -> Self {
        Self {
            transport,
            runtime,
            session,
            outbox: None,
            board: None,
            is_leaving: false,
            alarm: Alarm::default(),
            write_error: None,
            written: 0,
            reads: 0,
            // Whoever had the transport before may have left something in it.
            needs_flush: true,
            is_split: false,
            receiver_waits: false,
            outbox_waits: false,
            has_waited: false,
        }
    }

    /// Goes on with the timer of a handshake.
    pub(crate) fn with_alarm(mut self, alarm: Alarm<R>) -> Self {
        self.alarm = alarm;
        self
    }

    pub(crate) fn watch(&mut self, board: Arc<dyn NoticeBoard>) {
        self.board = Some(board);
        // The timer and the board are given the waker together.
        self.alarm.forget_waker();
    }

    /// What [`poll_event`](Self::poll_event) would find first, see [`Session::poll_whole`].
    #[inline(always)]
    pub(crate) fn poll_whole(&mut self) -> Option<Message> {
        let message = self.session.poll_whole()?;
        self.receiver_waits = false;
        Some(message)
    }

    /// The next event in whole messages, or with `streaming` in pieces; `None` once finished.
    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        streaming: bool,
    ) -> Poll<Option<Event>> {
        let event = self.poll_receive(cx, streaming);
        self.receiver_waits = event.is_pending();
        event
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, streaming: bool) -> Poll<Option<Event>> {
        if std::mem::take(&mut self.has_waited)
            && self.session.wants_read()
            && let Poll::Ready(len) = self.poll_read(cx)
        {
            // As nearly every wait ends.
            self.reads = self.reads.saturating_add(read_budget::cost(len));
        }
        loop {
            let inflated = self.session.take_inflated();
            if inflated > 0 {
                self.reads = self.reads.saturating_add(read_budget::cost(inflated) - 1);
                if self.reads >= READS_PER_TURN {
                    // Nobody has looked at the socket, so the peer is not judged by its deadlines.
                    self.end_turn(cx);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            let event =
                if streaming { self.session.poll_chunk() } else { self.session.poll_event() };
            match event {
                Some(Event::Finished) => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Some(event) => return Poll::Ready(Some(event)),
                None if self.session.is_finished() => return Poll::Ready(None),
                None => {}
            }
            self.poll_outbox(cx);
            if self.obey() {
                continue;
            }
            if self.session.transmit().len() >= CORK {
                // Pending or failed: the wait below meets it again, after all that can be read.
                let _later = self.poll_write(cx);
            }
            if self.session.wants_read() {
                if self.reads >= READS_PER_TURN {
                    self.end_turn(cx);
                    // A peer that never pauses does not outrun the deadlines.
                    let now = self.runtime.now();
                    if self.meet_deadline(now).is_some_and(|deadline| deadline <= now) {
                        continue;
                    }
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                if let Poll::Ready(len) = self.poll_read(cx) {
                    self.reads = self.reads.saturating_add(read_budget::cost(len));
                    continue;
                }
            }
            if let Step::Wait = self.poll_before_waiting(cx) {
                self.has_waited = true;
                self.reads = 0;
                return Poll::Pending;
            }
        }
    }

    /// Writes what a turn has brought, before others get theirs.
    fn end_turn(&mut self, cx: &mut Context<'_>) {
        self.reads = 0;
        let _later = self.poll_flush_transport(cx);
    }

    /// Does what the board says; whether that was to be over.
    fn obey(&mut self) -> bool {
        let Some(board) = &self.board else { return false };
        match board.notice() {
            Notice::Leave if !self.is_leaving => {
                self.is_leaving = true;
                let told = self.session.close(Some(board.goodbye()));
                if told.is_err() {
                    // Refused when a goodbye is under way already, which then is the one.
                    let _under_way = self.session.close(Some(CloseCode::GOING_AWAY.into()));
                }
                false
            }
            Notice::Stay | Notice::Leave => false,
            Notice::Cut => {
                self.board = None;
                self.session.receive_error(TransportError::Closed);
                true
            }
        }
    }

    /// Ready when the session takes another message: its queue is below high water.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.takes_more() && self.session.is_open() {
            match self.poll_write(cx) {
                Poll::Ready(result) => result?,
                // Part of the queue may have left, which is all that is asked for.
                Poll::Pending if self.takes_more() => break,
                Poll::Pending => std::task::ready!(self.poll_write_alarm(cx)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Twice as much as high water in a turn that has read: what came in one read is then answered in
    /// one write, out of the memory it was read into.
    fn takes_more(&mut self) -> bool {
        let most = self.session.config().high_water.saturating_mul(2);
        self.session.is_writable() || self.reads > 0 && self.session.transmit().len() < most
    }

    /// Ready when all that was queued has been handed to the transport and flushed there.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            match self.poll_flush_transport(cx) {
                // The other half may have met the end, and what was queued is gone.
                Poll::Ready(Ok(())) if self.session.is_cut_short() => {
                    return Poll::Ready(self.check_open());
                }
                Poll::Ready(result) => return Poll::Ready(result),
                Poll::Pending => {
                    // Of what has ended there is nothing to wait for, and no deadline either.
                    self.check_open()?;
                    std::task::ready!(self.poll_write_alarm(cx));
                    // The deadline may have ended it just now, and nothing was flushed then.
                    self.check_open()?;
                }
            }
        }
    }

    /// Ready when the connection has ended, or writing has failed. Receiving is up to the other half,
    /// but it may be busy elsewhere: the goodbye leaves all the same, and the deadlines hold.
    pub(crate) fn poll_end_beside_reader(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.session.wants_shutdown() {
                // Nothing is left to receive.
                while std::task::ready!(self.poll_event(cx, true)).is_some() {}
                return Poll::Ready(());
            }
            // Pending: what it waits for, and its deadline, are among what is waited for below.
            let _waits = self.poll_flush(cx);
            if self.check_open().is_err() {
                return Poll::Ready(());
            }
            std::task::ready!(self.poll_write_alarm(cx));
        }
    }

    /// Makes sure that what is queued next finds memory of the pool: what is not copied needs room
    /// for its header, what is copied is small.
    pub(crate) fn prepare_queue(&mut self) {
        let queue = self.session.transmit();
        if queue.room() < MOST_COPIED {
            queue.adopt(read_budget::take(CORK));
        }
    }

    /// Queues a small message from where it lies, if nothing stands in its way; otherwise nothing
    /// happened, and [`poll_ready`](Self::poll_ready) knows why.
    pub(crate) fn feed_small(&mut self, message: &Message) -> bool {
        self.is_free() && matches!(self.session.send_small(message), Some(Ok(())))
    }

    /// As [`feed_small`](Self::feed_small), a piece of a message.
    pub(crate) fn feed_small_fragment(&mut self, kind: DataKind, data: &[u8], last: bool) -> bool {
        self.is_free() && matches!(self.session.send_small_fragment(kind, data, last), Some(Ok(())))
    }

    /// Whether something small can be queued at once.
    fn is_free(&mut self) -> bool {
        if self.write_error.is_some() || !self.session.is_writable() {
            return false;
        }
        self.prepare_queue();
        true
    }

    /// Ends the connection because of a failure on our side, unless the transport failed before.
    pub(crate) fn fail(&mut self, failure: Failure) {
        if self.write_error.is_none() {
            self.session.fail(failure);
        }
    }

    /// An error once nothing can be sent any more because the connection has ended.
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if let Some(error) = &self.write_error {
            return Err(Error::Transport(TransportError::clone(error)));
        }
        match self.session.outcome() {
            Some(outcome) => Err(Error::ended(outcome)),
            None => Ok(()),
        }
    }

    /// Reads once and returns how many bytes came.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let wanted = self.session.read_size();
        let most = self.session.config().memory_budget / 4;
        let buffer = self.session.read_buffer();
        let max = read_budget::prepare_within(buffer, wanted, most);
        match std::task::ready!(self.transport.poll_read(cx, buffer, max)) {
            Ok(0) => self.session.receive_eof(),
            Ok(len) => return Poll::Ready(len),
            Err(error) => self.session.receive_error(self.transport.classify(error)),
        }
        Poll::Ready(0)
    }

    /// Hands the whole queue to the transport.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Some(error) = &self.write_error {
            return Poll::Ready(Err(Error::Transport(TransportError::clone(error))));
        }
        let queue = self.session.transmit();
        let mut result = Poll::Ready(Ok(()));
        while !queue.is_empty() {
            match self.transport.poll_write(cx, &mut Outgoing(queue)) {
                Poll::Ready(Ok(written)) if written > 0 => {
                    self.written += written as u64;
                    self.needs_flush = true;
                }
                Poll::Ready(Ok(_)) => result = Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Err(error)) => result = Poll::Ready(Err(error)),
                Poll::Pending => result = Poll::Pending,
            }
            if !matches!(result, Poll::Ready(Ok(()))) {
                break;
            }
        }
        if result.is_pending() {
            self.session.note_progress(self.transport.take_progress());
        }
        if let Some(outbox) = &mut self.outbox {
            outbox.acknowledge(self.written);
            if !self.is_split {
                outbox.due().make();
            }
        }
        result.map_err(|error| self.write_failed(error))
    }

    /// Hands the queue to the transport and makes the transport send it.
    fn poll_flush_transport(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        std::task::ready!(self.poll_write(cx))?;
        if self.needs_flush {
            let flushed = self.transport.poll_flush(cx);
            self.session.set_flushing(flushed.is_pending());
            if flushed.is_pending() {
                self.session.note_progress(self.transport.take_progress());
            }
            if let Err(error) = std::task::ready!(flushed) {
                return Poll::Ready(Err(self.write_failed(error)));
            }
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    fn write_failed(&mut self, error: io::Error) -> Error {
        let error = self.transport.classify(error);
        let copy = error.clone();
        self.write_error = Some(Box::new(error));
        Error::Transport(copy)
    }

    fn finish(&mut self) {
        if !self.is_split {
            self.outbox = None;
        }
        self.alarm = Alarm::default();
        self.needs_flush = false;
        if self.transport.release() {
            // Nothing is left to be cut, and the server can take another.
            self.board = None;
        }
        let buffer = self.session.read_buffer();
        read_budget::give(buffer);
        *buffer = BytesMut::new();
    }
}

/// The most that one message appends to the memory of a queue: a little above 2 KiB.
const MOST_COPIED: usize = FrameEncoder::COPY_LIMIT + FrameHeader::MAX_LEN;
