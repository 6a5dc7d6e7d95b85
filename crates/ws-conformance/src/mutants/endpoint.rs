//! The reference echo peer after its handshake: what it sends, and how it ends.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::fault::Fault;
use super::handshake;
use super::reading::{Inbound, Item};
use crate::link::Kind;
use crate::wire::deflate::{Agreement, Deflater, Inflater};
use crate::wire::frame::{Frame, Length, Masking, opcode};
use crate::wire::stream::Wire;

/// How long the reference peer waits for a handshake.
pub(super) const HANDSHAKE: Duration = Duration::from_millis(2500);

/// How long the reference peer waits for anything else.
const DEADLINE: Duration = Duration::from_secs(1);

/// A time that never comes in a self-test.
const NEVER: Duration = Duration::from_secs(600);

/// Serves one connection of HTTP/1.1.
pub(super) async fn serve(mut wire: Wire, fault: Option<Fault>) {
    let limit = if fault == Some(Fault::NoHandshakeDeadline) { NEVER } else { HANDSHAKE };
    match timeout(limit, handshake::accept(&mut wire, fault)).await {
        Ok(Ok(agreement)) => Endpoint::new(wire, true, fault, agreement).run().await,
        Ok(Err(refusal)) => {
            wire.write(refusal.as_bytes()).await;
            wire.finish_sending().await;
            drain(&mut wire).await;
        }
        Err(_) => {}
    }
}

/// Calls by HTTP/1.1 and echoes.
pub(super) async fn call(mut wire: Wire, host: &str, fault: Option<Fault>) {
    let limit = if fault == Some(Fault::NoHandshakeDeadline) { NEVER } else { HANDSHAKE };
    if let Ok(Ok(agreement)) = timeout(limit, handshake::call(&mut wire, host, fault)).await {
        Endpoint::new(wire, false, fault, agreement).run().await;
    }
}

/// Reads and forgets until the peer has ended, for a bounded time.
async fn drain(wire: &mut Wire) {
    let deadline = Instant::now() + DEADLINE;
    while let Ok(true) = tokio::time::timeout_at(deadline, wire.fill()).await {
        wire.consume(usize::MAX);
    }
}

pub(super) struct Endpoint {
    wire: Wire,
    is_server: bool,
    fault: Option<Fault>,
    inbound: Inbound,
    deflater: Option<Deflater>,
    out: Vec<u8>,
    /// Pongs that wait for the end of a message, for the faults that want it.
    held: Vec<Vec<u8>>,
    key: u32,
}

impl Endpoint {
    pub(super) fn new(
        wire: Wire,
        is_server: bool,
        fault: Option<Fault>,
        agreement: Option<Agreement>,
    ) -> Self {
        let streams = agreement.map(|agreed| {
            let server = (agreed.server_bits, agreed.server_no_takeover);
            let client = (agreed.client_bits, agreed.client_no_takeover);
            let (mut own, peer) = if is_server { (server, client) } else { (client, server) };
            if matches!(fault, Some(Fault::KeepsOwnWindow | Fault::IgnoresClientTakeover)) {
                own.1 = false;
            }
            if matches!(fault, Some(Fault::ExceedsWindow | Fault::IgnoresClientBits)) {
                own.0 = 15;
            }
            let forgets = fault == Some(Fault::ForgetsWindow);
            (Deflater::new(own.0, own.1, 6), Inflater::new(peer.0, peer.1 || forgets))
        });
        let (deflater, inflater) = streams.unzip();
        let inbound = Inbound::new(is_server, fault, inflater);
        Self {
            wire,
            is_server,
            fault,
            inbound,
            deflater,
            out: Vec::new(),
            held: Vec::new(),
            key: 1,
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(super) async fn run(mut self) {
        if self.has(Fault::LosesEarlyFrames) || self.has(Fault::LosesFirstFrame) {
            self.wire.consume(usize::MAX);
        }
        if self.has(Fault::PingsAtOnce) {
            self.frame(Frame::ping("who is there?"));
            self.flush().await;
        }
        loop {
            match self.inbound.take(&mut self.wire) {
                Some(Item::Message(kind, data)) => self.echo(kind, data),
                Some(Item::Ping(data)) => self.answer(data),
                Some(Item::Pong(data)) => {
                    if self.has(Fault::AnswersPongs) {
                        self.frame(Frame::pong(data));
                    }
                }
                Some(Item::Close(code, body)) => return self.close(code, body).await,
                Some(Item::Bad(code)) => {
                    if self.has(Fault::GoesOnAfterFailure) {
                        self.frame(Frame::close(code, ""));
                        continue;
                    }
                    return self.fail(code).await;
                }
                None => {
                    if self.has(Fault::SkipsPings) {
                        // RFC 6455 §5.5.3: only the newest of those that wait has to be answered.
                        let newest = self.held.len().saturating_sub(1);
                        let mut place = 0..;
                        self.held
                            .retain(|_| place.next().is_some_and(|at| at % 3 == 1 || at == newest));
                    }
                    if self.has(Fault::PongsReversed) || self.has(Fault::SkipsPings) {
                        self.release();
                    }
                    let before = self.wire.received();
                    let open = self.flush().await;
                    // What arrived during the write is looked at before more is waited for.
                    let arrived = self.wire.received() > before;
                    if !open || !arrived && !self.wire.fill().await {
                        if self.has(Fault::KeepsHalfOpen) {
                            self.frame(Frame::ping("who is there?"));
                            self.flush().await;
                        }
                        if self.has(Fault::IgnoresEnd) || self.has(Fault::KeepsHalfOpen) {
                            return tokio::time::sleep(NEVER).await;
                        }
                        return self.wire.finish_sending().await;
                    }
                }
            }
            if self.out.len() > 64 * 1024 && !self.flush().await {
                return;
            }
        }
    }

    fn echo(&mut self, kind: Kind, mut data: Vec<u8>) {
        if self.has(Fault::SendsStrayPongs) {
            self.frame(Frame::pong("still here"));
        }
        if self.has(Fault::TruncatesAt65535) {
            data.truncate(65_535);
        }
        if self.has(Fault::CorruptsLastOctet) && data.len() > 1000 {
            data.iter_mut().rev().take(1).for_each(|octet| *octet ^= 1);
        }
        if kind == Kind::Text {
            data = self.change(data);
        }
        let kind = if self.has(Fault::EchoesAsBinary) { Kind::Binary } else { kind };
        let mut rsv = if self.has(Fault::EchoesReservedBits) { self.inbound.reserved() } else { 0 };
        if let Some(deflater) = &mut self.deflater {
            data = deflater.message(&data);
            data.truncate(data.len() - usize::from(self.fault == Some(Fault::EndsInsideBlocks)));
            rsv |= if self.fault == Some(Fault::NoRsv1) { 0 } else { 4 };
        }
        self.frame(Frame::new(kind.opcode(), data).reserved(rsv));
        self.release();
    }

    /// What becomes of a text in a library that means well.
    fn change(&self, data: Vec<u8>) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(&data) else { return data };
        match self.fault {
            Some(Fault::DropsByteOrderMark) => text.trim_start_matches('\u{FEFF}').into(),
            Some(Fault::FoldsLineEnds) => text.replace("\r\n", "\n").into(),
            Some(Fault::TrimsText) => text.trim().into(),
            Some(Fault::StopsAtNul) => text.split('\0').next().unwrap_or_default().into(),
            _ => data,
        }
    }

    fn answer(&mut self, data: Vec<u8>) {
        match self.fault {
            Some(Fault::NoPong) => {}
            Some(Fault::EmptyPong) => self.frame(Frame::pong("")),
            Some(Fault::PongsReversed) => self.held.insert(0, data),
            Some(Fault::SkipsPings) => self.held.push(data),
            Some(Fault::PongAfterMessage) if self.inbound.is_inside_message() => {
                self.held.push(data);
            }
            _ => self.frame(Frame::pong(data)),
        }
    }

    fn release(&mut self) {
        for data in std::mem::take(&mut self.held) {
            self.frame(Frame::pong(data));
        }
    }

    /// Answers a close frame and ends.
    async fn close(&mut self, code: Option<u16>, body: Vec<u8>) {
        let answer = match (self.fault, code) {
            (Some(Fault::Sends1005), None) => Frame::close(1005, ""),
            (Some(Fault::Closes1001 | Fault::WrongCodeAndStays), _) => Frame::close(1001, ""),
            (_, None) => Frame::close_body([]),
            (_, Some(code)) => Frame::close(code, ""),
        };
        if !self.has(Fault::NoCloseReply) {
            self.frame(answer.clone());
        }
        if self.has(Fault::TwoCloses) {
            self.frame(answer);
        }
        drop(body);
        if self.has(Fault::EchoesAfterClose) || self.has(Fault::PongsAfterClose) {
            self.go_on_after_close();
        }
        self.flush().await;
        if self.has(Fault::NeverEndsTcp) || self.has(Fault::WrongCodeAndStays) {
            while self.wire.fill().await {
                self.wire.consume(usize::MAX);
            }
            return tokio::time::sleep(NEVER).await;
        }
        if self.has(Fault::ResetsAtEnd) {
            return self.wire.abort();
        }
        if self.is_server || self.has(Fault::EndsTcpFirst) {
            self.wire.finish_sending().await;
        }
        drain(&mut self.wire).await;
        self.wire.finish_sending().await;
    }

    fn go_on_after_close(&mut self) {
        while let Some(item) = self.inbound.take(&mut self.wire) {
            match item {
                Item::Message(kind, data) if self.has(Fault::EchoesAfterClose) => {
                    self.echo(kind, data);
                }
                Item::Ping(data) if self.has(Fault::PongsAfterClose) => self.answer(data),
                Item::Bad(_) => return,
                _ => {}
            }
        }
    }

    /// Fails the connection: says why, ends, and reads nothing more.
    async fn fail(&mut self, code: u16) {
        if self.has(Fault::LosesEarlierMessages) {
            self.out.clear();
        }
        if !self.has(Fault::FailsWithoutClose) {
            let wrong = self.has(Fault::Utf8FailsWith1002) && code == 1007;
            let is_other = self.has(Fault::FailsWith1008) || self.has(Fault::WrongCodeAndStays);
            let code = if is_other { 1008 } else { code };
            self.frame(Frame::close(if wrong { 1002 } else { code }, ""));
        }
        self.flush().await;
        let stays = [Fault::NoCloseTimeout, Fault::WrongCodeAndStays, Fault::LimitAndStays];
        if self.fault.is_some_and(|fault| stays.contains(&fault)) {
            return tokio::time::sleep(NEVER).await;
        }
        self.wire.finish_sending().await;
        drain(&mut self.wire).await;
    }

    fn frame(&mut self, mut frame: Frame) {
        if self.has(Fault::SendsNotMinimal) {
            frame.length = Length::SixtyFour;
        }
        if self.has(Fault::ConstantKey) {
            frame.masking = Masking::Key([1, 2, 3, 4]);
        }
        if self.has(Fault::LinearKeys) {
            self.key = self.key.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            frame.masking = Masking::Key(self.key.to_be_bytes());
        }
        if self.has(Fault::SameKeysAgain) {
            self.key = (self.key ^ self.key >> 7).wrapping_mul(0x9E37_79B1).rotate_left(11);
            frame.masking = Masking::Key(self.key.to_be_bytes());
        }
        if self.has(Fault::CountingKey) {
            self.key += 1;
            frame.masking = Masking::Key(self.key.to_be_bytes());
        }
        let masks = match self.fault {
            Some(Fault::MasksAsServer) => true,
            Some(Fault::NeverMasks) => false,
            _ => !self.is_server,
        };
        if self.deflater.is_some() && frame.opcode == opcode::PING {
            frame.rsv = 0;
        }
        self.out.extend(frame.encode(masks));
    }

    /// Writes what is due; false when the peer does not take it in time.
    async fn flush(&mut self) -> bool {
        let out = std::mem::take(&mut self.out);
        if self.has(Fault::PilesPongsUp) {
            return self.wire.write(&out).await;
        }
        let limit = if self.has(Fault::NoWriteDeadline) { NEVER } else { DEADLINE };
        let mut rest = out.as_slice();
        while !rest.is_empty() {
            match timeout(limit, self.wire.write_blindly(rest)).await {
                Ok(Ok(written)) => rest = rest.get(written..).unwrap_or_default(),
                _ => return false,
            }
        }
        true
    }
}
