//! permessage-deflate: what is inflated, in pieces and within limits, against an inflater that reads
//! bit by bit; and whatever is compressed comes back, message after message.

use bytes::BytesMut;
use ws_deflate::{Config, Corruption, Error, InflateLimits, Inflater, client, server};

use crate::bitwise::Reference;
use crate::source::{Source, pieces};

/// Panics where inflaters differ or a message does not come back.
pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let how = source.byte();
    if how & 1 == 0 {
        against_the_reference(how, &mut source);
    } else {
        there_and_back(how, &mut source);
    }
}

/// The most bytes of a message here; what would be larger is a bomb.
const MAX: usize = 64 * 1024;

/// Arbitrary payloads, several messages in a row that share a window.
fn against_the_reference(how: u8, source: &mut Source<'_>) {
    let takeover = how & 2 != 0;
    let seed = source.byte();
    let payloads: Vec<&[u8]> = if how & 4 == 0 {
        vec![source.rest()]
    } else {
        let len = usize::from(source.byte());
        vec![source.bytes(len), source.rest()]
    };
    let limits = InflateLimits::new(MAX).ratio(200, MAX / 4);
    let mut reference = Reference::default();
    let mut inflaters: Vec<_> =
        [0, 1, seed].into_iter().map(|cut| (cut, Inflater::new(15, takeover))).collect();
    for payload in payloads {
        if !takeover {
            reference = Reference::default();
        }
        let from = reference.output.len();
        let expected = match payload {
            // No bytes at all count as an empty message: sloppy, but not ambiguous.
            [] => Some(Vec::new()),
            _ => reference.inflate(payload),
        };
        let produced = reference.output.len() - from;
        let mut results = Vec::new();
        for (cut, inflater) in &mut inflaters {
            let mut out = BytesMut::new();
            let inflated = pieces(payload, *cut)
                .try_for_each(|piece| inflater.inflate(piece, &mut out, &limits))
                .and_then(|()| inflater.finish(&limits));
            assert!(out.len() <= MAX && out.capacity() <= MAX + 128 * 1024);
            match &inflated {
                Ok(()) => assert_eq!(expected.as_deref(), Some(&out[..]), "cut {cut}"),
                Err(Error::BadDeflate(Corruption::Fruitless | Corruption::TooManyRestarts)) => {
                    assert!(payload.len() > 256, "nothing was wasted");
                }
                Err(Error::BadDeflate(_)) => {
                    assert_eq!(expected, None, "refused although it is right, cut {cut}");
                }
                Err(_) => assert!(produced > MAX / 4, "no bomb"),
            }
            results.push((inflated.is_ok(), out.len()));
        }
        let first = results[0].0;
        assert!(results.iter().all(|(ok, _)| *ok == first), "the cut decides: {results:?}");
        if !first {
            return;
        }
    }
}

fn there_and_back(how: u8, source: &mut Source<'_>) {
    let bits = source.byte();
    let config = Config::default()
        .level(bits & 0x0f)
        .server_no_context_takeover(how & 2 != 0)
        .client_no_context_takeover(how & 4 != 0)
        .server_max_window_bits(9 + (bits >> 4) % 7);
    let (at_server, answer) =
        server::negotiate(&config, &[client::offer(&config)]).expect("our own offer");
    let at_client = client::accept(&config, &answer).expect("our own answer");
    let mut deflater = at_server.deflater(&config).expect("9 bits and more");
    let mut inflater = at_client.inflater();
    let mut reference = Reference::default();
    for _ in 0..20 {
        if source.is_empty() {
            break;
        }
        let (what, seed) = (source.byte(), source.byte());
        let len = usize::from(source.byte());
        let message = source.bytes(len).repeat(usize::from(what >> 3) + 1);
        let mut payload = BytesMut::new();
        let at = if what & 1 != 0 { message.len() / 2 } else { 0 };
        let (head, tail) = message.split_at(at);
        if at > 0 {
            deflater.compress(head, false, &mut payload);
        }
        deflater.compress(tail, true, &mut payload);
        if what & 2 != 0 {
            deflater.release();
            inflater.release();
        }
        if !at_server.outbound.context_takeover {
            reference = Reference::default();
        }
        let from = reference.output.len();
        assert_eq!(reference.inflate(&payload).as_deref(), Some(&message[..]));
        assert!(reference.max_distance <= 1 << at_server.outbound.window_bits);
        assert!(from <= reference.output.len());
        let limits = InflateLimits::new(message.len()).ratio(2000, 0);
        let mut out = BytesMut::new();
        for piece in pieces(&payload, seed) {
            inflater.inflate(piece, &mut out, &limits).expect("it is right");
        }
        inflater.finish(&limits).expect("it is whole");
        assert_eq!(out, message);
    }
}
