//! Hostile octets on an open WebSocket, over every carrier, from a client and from a server.
//!
//! The attacker takes the transport out of a connection and writes what it likes; judged is the
//! close frame that comes back.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use ws_stack::endpoint::{ConnectOptions, Transport, WebSocket};
use ws_stack::session::Config;

use crate::Seen;
use crate::cell::{Cell, echo};
use crate::platform::Platform;

/// Octets of frames, masked as a client's are, or not.
type Octets = fn(masked: bool) -> Vec<u8>;

// THREAT: fragment-flood
pub(crate) async fn fragment_flood<N: Platform>(cell: Cell<N>) -> Seen {
    let empty = |masked| {
        let first = frame(0x01, b"", masked);
        let more = frame(0x00, b"", masked).repeat(FRAGMENTS + 1);
        [first, more].concat()
    };
    let tiny = |masked| {
        let first = frame(0x02, b"", masked);
        let more = frame(0x00, b"*", masked).repeat(FRAGMENTS + 1);
        [first, more].concat()
    };
    both(&cell, empty, 1008).await;
    both(&cell, tiny, 1008).await;
    Seen::Right
}

// THREAT: length-arithmetic
pub(crate) async fn length_arithmetic<N: Platform>(cell: Cell<N>) -> Seen {
    both(&cell, |masked| claim(0x82, 1 << 40, masked), 1009).await;
    both(&cell, |masked| claim(0x82, (1 << 32) + 1, masked), 1009).await;
    both(&cell, |masked| claim(0x82, (1 << 63) - 1, masked), 1009).await;
    both(&cell, |masked| claim(0x82, 1 << 63, masked), 1002).await;
    both(&cell, |masked| claim(0x82, u64::MAX, masked), 1002).await;
    // An opcode that does not exist, before the length is looked at.
    both(&cell, |masked| claim(0x83, (1 << 63) - 1, masked), 1002).await;
    Seen::Right
}

// THREAT: control-frames
pub(crate) async fn control_frames<N: Platform>(cell: Cell<N>) -> Seen {
    both(&cell, |masked| frame(0x89, &[7; 126], masked), 1002).await;
    both(&cell, |masked| frame(0x09, b"", masked), 1002).await;
    both(&cell, |masked| frame(0xC9, b"", masked), 1002).await;
    both(&cell, |masked| frame(0x88, b"\x03", masked), 1002).await;
    both(&cell, |masked| frame(0x88, b"\x03\xEE", masked), 1002).await;
    Seen::Right
}

// THREAT: unmasked-frames
pub(crate) async fn unmasked_frames<N: Platform>(cell: Cell<N>) -> Seen {
    both(&cell, |masked| frame(0x81, b"hello", !masked), 1002).await;
    both(&cell, |masked| frame(0x89, b"", !masked), 1002).await;
    Seen::Right
}

// THREAT: late-utf8
pub(crate) async fn late_utf8<N: Platform>(cell: Cell<N>) -> Seen {
    // The beginning of a text that will never be one; nothing more of it is sent.
    let begun = |masked| [claim(0x01, 60_000, masked), b"text \xFF".to_vec()].concat();
    both(&cell, begun, 1007).await;
    both(&cell, |masked| frame(0x01, b"\xED\xA0", masked), 1007).await;
    Seen::Right
}

// THREAT: utf8-split
pub(crate) async fn utf8_split<N: Platform>(cell: Cell<N>) -> Seen {
    // Every octet of the code points in a frame of its own, then the goodbye.
    let split = |masked| {
        let text = "κόσμε 🌍".as_bytes();
        let mut octets = frame(0x01, b"", masked);
        octets.extend(text.iter().flat_map(|octet| frame(0x00, &[*octet], masked)));
        octets.extend(frame(0x80, b"", masked));
        octets.extend(frame(0x88, b"\x03\xE8", masked));
        octets
    };
    both(&cell, split, 1000).await;
    Seen::Right
}

// THREAT: inflate-bomb, inflate-limit-in-pieces
pub(crate) async fn inflate_bomb<N: Platform>(cell: Cell<N>) -> Seen {
    if !cell.deflate {
        return Seen::NotHere;
    }
    both(&cell, |masked| frame(0xC2, &bomb(), masked), 1009).await;
    // The same in fragments, each of which inflates to a hundred times its size.
    let fragments = |masked| {
        let bomb = bomb();
        let mut octets = frame(0x42, b"", masked);
        octets.extend(bomb.chunks(100).flat_map(|piece| frame(0x00, piece, masked)));
        octets
    };
    both(&cell, fragments, 1009).await;
    Seen::Right
}

// THREAT: empty-blocks
pub(crate) async fn empty_blocks<N: Platform>(cell: Cell<N>) -> Seen {
    if !cell.deflate {
        return Seen::NotHere;
    }
    // Four blocks of fixed codes with nothing in them are forty bits.
    let blocks =
        |masked| frame(0x42, &[0x02, 0x08, 0x20, 0x80, 0x00].repeat(200 * 1024 / 5), masked);
    both(&cell, blocks, 1007).await;
    Seen::Right
}

// THREAT: close-flood
pub(crate) async fn close_flood<N: Platform>(cell: Cell<N>) -> Seen {
    let closes = |masked| {
        let first = frame(0x88, b"\x03\xE8first", masked);
        let more = frame(0x88, b"\x03\xE9more", masked).repeat(100);
        [first, more, frame(0x81, b"and data", masked)].concat()
    };
    for victim in Victim::ALL {
        let seen = attack(&cell, victim, closes, AMPLE).await;
        assert_eq!(frames(&seen), [(8, b"\x03\xE8".to_vec())], "{victim:?}");
    }
    Seen::Right
}

// THREAT: slow-message, incomplete-frame
pub(crate) async fn slow_message<N: Platform>(cell: Cell<N>) -> Seen {
    let begun: [Octets; 3] = [
        |masked| frame(0x01, b"begun", masked),
        |masked| claim(0x82, 1000, masked),
        |_| vec![0x82],
    ];
    for octets in begun {
        both_within(&cell, octets, 1008, Duration::from_millis(250)).await;
    }
    Seen::Right
}

/// Who is attacked.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Server,
    Client,
}

impl Victim {
    const ALL: [Self; 2] = [Self::Server, Self::Client];
}

/// Attacks both, and sees each of them close with this code.
async fn both<N: Platform>(cell: &Cell<N>, octets: Octets, code: u16) {
    both_within(cell, octets, code, AMPLE).await;
}

/// Time for a message that is not what a case is about, on a busy machine too.
const AMPLE: Duration = Duration::from_secs(20);

async fn both_within<N: Platform>(
    cell: &Cell<N>,
    octets: Octets,
    code: u16,
    message_timeout: Duration,
) {
    for victim in Victim::ALL {
        let seen = attack(cell, victim, octets, message_timeout).await;
        let last = frames(&seen).pop();
        let found = last.as_ref().map(|(opcode, payload)| (*opcode, payload.get(..2)));
        let expected = code.to_be_bytes();
        assert_eq!(found, Some((8, Some(&expected[..]))), "{victim:?}");
    }
}

/// Sends the octets to a victim, and gives what it said.
async fn attack<N: Platform>(
    cell: &Cell<N>,
    victim: Victim,
    octets: Octets,
    message_timeout: Duration,
) -> Vec<u8> {
    // Limits that are met quickly.
    let strict = |session: &mut Config| {
        session.limits = session.limits.with_max_message(MESSAGE).with_max_fragments(FRAGMENTS);
        session.message_timeout = message_timeout;
    };
    match victim {
        Victim::Server => {
            let server = cell.serve(cell.listen(cell.accept_with(strict)), echo);
            let transport = cell.connect(&server.url).await.into_parts().transport;
            exchange(transport, octets(true)).await
        }
        Victim::Client => {
            let task = move |websocket: WebSocket<N>| async move {
                exchange(websocket.into_parts().transport, octets(false)).await
            };
            let (url, seen) = cell.once(cell.accept_options(), task);
            let mut session = Config::default();
            strict(&mut session);
            let options = ConnectOptions { session: Arc::new(session), ..cell.connect_options() };
            let websocket = cell.client().connect(&url, &options).await.expect("open");
            echo(websocket).await;
            seen.await.expect("no panic")
        }
    }
}

/// Writes everything and reads meanwhile, until a close frame or the end.
async fn exchange<T: Transport>(mut transport: T, octets: Vec<u8>) -> Vec<u8> {
    let (mut left, mut seen) = (Bytes::from(octets), BytesMut::new());
    poll_fn(|cx| {
        while left.has_remaining() {
            match transport.poll_write(cx, &mut left) {
                Poll::Ready(Ok(_)) => {}
                // The victim may have gone before it was told everything.
                Poll::Ready(Err(_)) => left.clear(),
                Poll::Pending => break,
            }
        }
        // What cannot be flushed is not needed any more.
        let _ = transport.poll_flush(cx);
        while !frames(&seen).iter().any(|(opcode, _)| *opcode == 8) {
            match transport.poll_read(cx, &mut seen, 64 * 1024) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    })
    .await;
    seen.to_vec()
}

/// A frame with this first octet; a mask, where there is one, that changes nothing.
fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let mut octets = vec![first];
    let mask_bit = if masked { 0x80 } else { 0 };
    match u8::try_from(payload.len()) {
        Ok(short @ ..126) => octets.push(mask_bit | short),
        _ => {
            let length = u32::try_from(payload.len()).expect("a test writes no more");
            match u16::try_from(length) {
                Ok(length) => {
                    octets.push(mask_bit | 126);
                    octets.extend(length.to_be_bytes());
                }
                Err(_) => {
                    octets.push(mask_bit | 127);
                    octets.extend(u64::from(length).to_be_bytes());
                }
            }
        }
    }
    if masked {
        octets.extend([0; 4]);
    }
    octets.extend(payload);
    octets
}

/// The header of a frame that claims this length, in the form for long ones where it must be.
fn claim(first: u8, length: u64, masked: bool) -> Vec<u8> {
    let mask_bit = if masked { 0x80 } else { 0 };
    let mut octets = match u16::try_from(length) {
        Ok(length) => [&[first, mask_bit | 126], &length.to_be_bytes()[..]].concat(),
        Err(_) => [&[first, mask_bit | 127], &length.to_be_bytes()[..]].concat(),
    };
    if masked {
        octets.extend([0; 4]);
    }
    octets
}

/// The frames that arrived whole: opcode and payload.
fn frames(mut octets: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while let [first, second, rest @ ..] = octets {
        let (length, rest) = match (second & 0x7F, rest) {
            (126, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
            (short @ ..126, rest) => (usize::from(short), rest),
            // Nothing so long is expected of a victim.
            _ => break,
        };
        let key_length = if second & 0x80 == 0 { 0 } else { 4 };
        let Some((key, rest)) = rest.split_at_checked(key_length) else { break };
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        let mut payload = payload.to_vec();
        if key_length > 0 {
            payload.iter_mut().zip(key.iter().cycle()).for_each(|(octet, key)| *octet ^= key);
        }
        found.push((first & 0x0F, payload));
        octets = rest;
    }
    found
}

/// Twice the limit of a message in a hundredth of the octets: an `a`, and again and again the 258
/// octets before.
fn bomb() -> Vec<u8> {
    let (mut octets, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    let mut push = |code: u32, length: u32| {
        for at in (0..length).rev() {
            bits |= (code >> at & 1) << count;
            count += 1;
            if count == 8 {
                octets.push(u8::try_from(bits).expect("eight bits"));
                (bits, count) = (0, 0);
            }
        }
    };
    // Not the last block; fixed codes, whose number is written from its lowest bit; an `a`.
    push(0b0_10, 3);
    push(0x30 + u32::from(b'a'), 8);
    for _ in 0..2 * MESSAGE / 258 {
        push(0b1100_0101, 8);
        push(0, 5);
    }
    octets
}

const FRAGMENTS: usize = 500;
const MESSAGE: usize = 256 * 1024;
