//! The decompressor of one direction (RFC 7692 §7.2.2): streaming, bounded, deterministic.

use bytes::BytesMut;
use flate2::{Decompress, FlushDecompress, Status};

use crate::deflater::{TAIL, WORN, as_len};
use crate::error::{Corruption, Error};
use crate::history::History;
use crate::limits::InflateLimits;
use crate::pool;
use crate::room::Room;
use crate::tally::Tally;

/// Inflates the messages of one direction, in pieces as they arrive.
///
/// Call [`Inflater::inflate`] for every piece of payload of a compressed message, cut anywhere, and
/// [`Inflater::finish`] at its end. Messages that arrive uncompressed are not shown to it.
///
/// Holds nothing until the first message. Without context takeover the context goes back to a pool
/// at the end of each message; with takeover it stays, until [`Inflater::release`].
///
/// After an error every further call returns the same error: the stream cannot be recovered, and
/// the connection is to be failed.
#[derive(Debug)]
pub struct Inflater {
    context_takeover: bool,
    context: Option<Context>,
    history: History,
    message: Tally,
    /// Size of the last message: the first guess at that of the next.
    guess: usize,
    failed: Option<Error>,
}

impl Inflater {
    /// A decompressor for a peer whose window is 2^`window_bits` bytes, brought into 8 to 15.
    ///
    /// The window decides how much an idle connection keeps after [`Inflater::release`]. Inflating
    /// always uses 32 KiB, so a peer that breaks its promise is usually understood.
    #[must_use]
    pub fn new(window_bits: u8, context_takeover: bool) -> Self {
        Self {
            context_takeover,
            context: None,
            history: History::new(window_bits.clamp(8, 15)),
            message: Tally::default(),
            guess: 0,
            failed: None,
        }
    }

    /// Inflates the next piece of a message and appends what comes out to `out`.
    ///
    /// All of `input` is used up and all it yields is written, unless that would break one of
    /// `limits`; they count for the message, however it is cut. `out` grows in steps of at most
    /// 64 KiB, by doubling while that stays below the limit, and its capacity never exceeds what
    /// it held before the message and the limit by more than 64 KiB.
    ///
    /// # Errors
    ///
    /// [`Error::BadDeflate`], [`Error::InflateTooBig`] or [`Error::InflateRatioTooHigh`]. What was
    /// inflated before the failure has been appended, `max_output` bytes at most.
    pub fn inflate(
        &mut self,
        input: &[u8],
        out: &mut BytesMut,
        limits: &InflateLimits,
    ) -> Result<(), Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        // The last bytes go in by themselves, for `finish` to know whether they bore fruit.
        let (body, end) = input.split_at(input.len().saturating_sub(END));
        let mut room = Room::new(out);
        let inflated =
            self.feed(body, &mut room, limits).and_then(|()| self.feed(end, &mut room, limits));
        room.tell(&mut self.history);
        inflated.inspect_err(|error| self.fail(error))
    }

    /// Ends the message: appends the four bytes its sender cut off and checks that it was whole.
    ///
    /// A message that consists of no bytes at all counts as empty, and one that stops right after
    /// a final block as whole: sloppy, but not ambiguous.
    ///
    /// # Errors
    ///
    /// [`Error::BadDeflate`] when the message stopped inside a block, and
    /// [`Error::InflateRatioTooHigh`].
    pub fn finish(&mut self, limits: &InflateLimits) -> Result<(), Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let ended = self.message.check_ratio(limits).and_then(|()| self.check_end());
        ended.inspect_err(|error| self.fail(error))?;
        self.guess = self.message.produced.try_into().unwrap_or(usize::MAX);
        self.message = Tally::default();
        if !self.context_takeover {
            self.history.clear();
            self.give_back();
        } else if self.context.as_ref().is_some_and(|context| context.stream.total_in() >= WORN) {
            self.give_back();
        }
        Ok(())
    }

    /// Gives up what can be given up between messages.
    ///
    /// With context takeover the last 2^`window_bits` bytes are kept, exactly; restoring them
    /// costs the next message about a microsecond. In the middle of a message this does nothing.
    pub fn release(&mut self) {
        if self.message.consumed == 0 {
            self.give_back();
            self.history.shrink();
        }
    }

    /// Whether a context is held, which is most of what costs memory.
    #[must_use]
    pub fn holds_context(&self) -> bool {
        self.context.is_some()
    }

    /// How many bytes of memory the context and the window take.
    #[must_use]
    pub fn held(&self) -> usize {
        let context = if self.holds_context() { DECOMPRESSOR } else { 0 };
        context + self.history.held()
    }

    /// Bytes of output of the message being inflated.
    #[must_use]
    pub fn produced(&self) -> u64 {
        self.message.produced
    }

    fn feed(
        &mut self,
        input: &[u8],
        room: &mut Room<'_>,
        limits: &InflateLimits,
    ) -> Result<(), Error> {
        if input.is_empty() {
            return Ok(());
        }
        let before = self.message.produced;
        self.feed_into(input, room, limits)?;
        self.message.note(input.len(), self.message.produced > before);
        Ok(())
    }

    fn feed_into(
        &mut self,
        mut input: &[u8],
        room: &mut Room<'_>,
        limits: &InflateLimits,
    ) -> Result<(), Error> {
        let expected = self.guess.saturating_sub(as_len(self.message.produced));
        let mut step = expected.max(input.len().saturating_mul(4)).saturating_add(64);
        loop {
            if self.context.as_ref().is_some_and(|context| context.ended) {
                if input.is_empty() {
                    return Ok(());
                }
                self.message.restart()?;
                room.tell(&mut self.history);
            }
            let history = &mut self.history;
            let context = self.context.get_or_insert_with(|| Context::new(history));
            context.restart_if_ended(history)?;

            let most =
                limits.max_output.saturating_add(1).saturating_sub(as_len(self.message.produced));
            let spare = room.make(self.message.output_step(step).min(most), most);
            let (piece, _) = input.split_at(self.message.input_step(input.len()));
            let moved = context.step(piece, spare)?;
            let full = moved.produced == spare.len();
            (_, input) = input.split_at(moved.consumed);
            room.advance(moved.produced);
            self.message.consumed += moved.consumed as u64;
            self.message.produced += moved.produced as u64;
            if self.message.produced > limits.max_output as u64 {
                room.take_back_one();
                return Err(Error::InflateTooBig { max: limits.max_output });
            }
            if full {
                self.message.check_step(limits)?;
            } else {
                self.message.check_fruit()?;
                if input.is_empty() && !context.ended {
                    return Ok(());
                }
                if moved.consumed == 0 && moved.produced == 0 && !context.ended {
                    return Err(Error::BadDeflate(Corruption::Invalid));
                }
            }
            step = step.saturating_mul(2);
        }
    }

    /// Whether the stream stands at the end of a message.
    ///
    /// zlib does not say where it stands, so it is asked by example. The four bytes that were cut
    /// off, with no room for output, leave a whole message at a block boundary. There, further
    /// empty blocks change nothing; anywhere else they are sooner or later taken for something
    /// that wants output, or that is an error. Later only in the header of a dynamic block, which
    /// is long and silent, so [`PROBE`] is long enough for all that can begin in the last
    /// [`END`] bytes. Unless those bore fruit the header may have begun before them; then, and
    /// when the context is to be reset anyway, the last empty block is final, and the stream has
    /// to end with it.
    fn check_end(&mut self) -> Result<(), Error> {
        let Some(context) = &mut self.context else {
            return Ok(());
        };
        if context.ended || self.message.consumed == 0 {
            return Ok(());
        }
        let fruitful = self.message.quiet.is_some_and(|quiet| quiet <= END);
        let exact = !fruitful || !self.context_takeover;
        let probe: &[u8] = if exact { &PROBE_FINAL } else { &PROBE };
        let moved =
            context.step(probe, &mut []).map_err(|_| Error::BadDeflate(Corruption::Truncated))?;
        let whole = match context.ended {
            // The empty block that lost its tail may itself be a final one.
            true => moved.consumed == TAIL.len() || (exact && moved.consumed == probe.len()),
            false => !exact && moved.consumed == probe.len(),
        };
        if whole { Ok(()) } else { Err(Error::BadDeflate(Corruption::Truncated)) }
    }

    fn fail(&mut self, error: &Error) {
        self.failed = Some(error.clone());
        self.history.clear();
        self.give_back();
    }

    fn give_back(&mut self) {
        if let Some(context) = self.context.take() {
            pool::give_decompressor(context.stream);
        }
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// A zlib stream, and whether it came to its end (`BFINAL`).
#[derive(Debug)]
struct Context {
    stream: Decompress,
    ended: bool,
}

impl Context {
    fn new(history: &mut History) -> Self {
        let stream = pool::take_decompressor();
        let mut context = Self { stream, ended: false };
        // zlib-rs takes a dictionary at any time of a raw stream; one that would not is noticed
        // when a distance reaches into it.
        let _refused = context.stream.set_dictionary(history.as_slice());
        context
    }

    /// RFC 7692 §7.2.1: a final block may be followed by more, referring past it.
    fn restart_if_ended(&mut self, history: &mut History) -> Result<(), Error> {
        if self.ended {
            self.stream.reset(false);
            self.stream
                .set_dictionary(history.as_slice())
                .map_err(|_| Error::BadDeflate(Corruption::Invalid))?;
        }
        Ok(())
    }

    fn step(&mut self, input: &[u8], spare: &mut [u8]) -> Result<Moved, Error> {
        let (consumed, produced) = (self.stream.total_in(), self.stream.total_out());
        let status = self
            .stream
            .decompress(input, spare, FlushDecompress::None)
            .map_err(|_| Error::BadDeflate(Corruption::Invalid))?;
        self.ended = status == Status::StreamEnd;
        Ok(Moved {
            consumed: as_len(self.stream.total_in() - consumed),
            produced: as_len(self.stream.total_out() - produced),
        })
    }
}

/// What one step used up and brought forth.
struct Moved {
    consumed: usize,
    produced: usize,
}

/// What a decompressor takes, its own window of 32 KiB included.
const DECOMPRESSOR: usize = 46 * 1024;
/// How much of the end of a piece is fed by itself. In a whole message, after the last symbol that
/// yields anything come at most 15 bits that end its block, 3 that open the empty one, and 7 of
/// padding; hardly ever more than 24 in all.
const END: usize = 3;
/// The [`TAIL`], an empty fixed block, and empty stored ones: more bits than
/// a dynamic block has code lengths, for a code without symbols spends one bit on each.
#[rustfmt::skip]
const PROBE: [u8; 45] = [
    0x00, 0x00, 0xff, 0xff, 0x02,
    0x00, 0x00, 0x00, 0xff, 0xff,
    0x00, 0x00, 0x00, 0xff, 0xff,
    0x00, 0x00, 0x00, 0xff, 0xff,
    0x00, 0x00, 0x00, 0xff, 0xff,
    0x00, 0x00, 0x00, 0xff, 0xff,
    0x00, 0x00, 0x00, 0xff, 0xff,
    0x00, 0x00, 0x00, 0xff, 0xff,
    0x00, 0x00, 0x00, 0xff, 0xff,
];
/// The [`TAIL`], and an empty stored block that is final.
const PROBE_FINAL: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];
