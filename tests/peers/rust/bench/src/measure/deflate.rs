//! permessage-deflate against the bare calls of the same zlib.

use std::hint::black_box;

use bytes::BytesMut;
use flate2::{Compress, Decompress, FlushDecompress};
use ws_deflate::{Config, Deflater, InflateLimits, Inflater, client, server};

use super::interleave;
use crate::clock::CpuTime;
use crate::options::Options;
use crate::result::{Bench, Cell};
use crate::wire;

const DEFLATE: &str = "compress 1 KiB JSON";
const INFLATE: &str = "inflate 1 KiB JSON";

pub fn cells() -> Vec<String> {
    vec![DEFLATE.to_owned(), INFLATE.to_owned()]
}

pub fn run(options: &Options) -> Result<Bench, String> {
    let messages: Vec<Vec<u8>> = (0..64).map(json).collect();
    let wire = Bare::new().compress_all(&messages)?;
    let names = ["zlib", "ours"].map(str::to_owned);
    let repeat = if options.quick { 20 } else { 100 };
    let mut cells = Vec::new();
    if options.wants_cell(DEFLATE) {
        let (mut bare, mut ours) = (Bare::new(), Ours::new()?);
        if ours.compress_all(&messages) != wire {
            return Err("ours compresses to other bytes than zlib".to_owned());
        }
        let rows = interleave(DEFLATE, &names, options.rounds() * 3, |name| {
            let start = CpuTime::now();
            for _ in 0..repeat {
                match name {
                    "ours" => black_box(ours.compress_all(&messages)),
                    _ => black_box(bare.compress_all(&messages)?),
                };
            }
            Ok(per_message(start, repeat, &messages).into())
        });
        cells.push(Cell { name: DEFLATE.to_owned(), x: None, rows });
    }
    if options.wants_cell(INFLATE) {
        let (mut bare, mut ours) = (Bare::new(), Ours::new()?);
        let rows = interleave(INFLATE, &names, options.rounds() * 3, |name| {
            let start = CpuTime::now();
            for _ in 0..repeat {
                // The window carries over from one pass to the next: the messages are whole, but
                // the first of a pass refers to what lay before it, so each pass starts afresh.
                match name {
                    "ours" => ours.inflate_all(&wire, &messages)?,
                    _ => bare.inflate_all(&wire, &messages)?,
                }
            }
            Ok(per_message(start, repeat, &messages).into())
        });
        cells.push(Cell { name: INFLATE.to_owned(), x: None, rows });
    }
    Ok(Bench {
        name: "deflate".to_owned(),
        about: "permessage-deflate with context takeover, level and window by default; `zlib` is \
                the same backend called directly. Both make the same bytes."
            .to_owned(),
        unit: "ns per message".to_owned(),
        cells,
    })
}

fn per_message(start: CpuTime, repeat: usize, messages: &[Vec<u8>]) -> f64 {
    start.elapsed() / (repeat * messages.len()) as f64
}

/// About a kibibyte of JSON, similar from one to the next, as feeds are.
fn json(number: u64) -> Vec<u8> {
    let mut text = String::from("[");
    while text.len() < 1000 {
        let price = (number * 7919 + text.len() as u64 * 31) % 100_000;
        text.push_str(&format!(
            "{{\"id\":{},\"symbol\":\"S{}\",\"price\":{}.{:02},\"side\":\"buy\"}},",
            number * 10 + text.len() as u64,
            price % 37,
            price / 100,
            price % 100
        ));
    }
    text.pop();
    text.push(']');
    text.into_bytes()
}

struct Bare {
    compress: Compress,
}

impl Bare {
    fn new() -> Self {
        Self { compress: wire::fresh_context() }
    }

    /// One context for all messages, a new one for each call.
    fn compress_all(&mut self, messages: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, String> {
        self.compress = wire::fresh_context();
        let compressed = messages.iter().map(|message| wire::deflate(&mut self.compress, message));
        compressed.collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    fn inflate_all(&mut self, wire: &[Vec<u8>], messages: &[Vec<u8>]) -> Result<(), String> {
        let mut decompress = Decompress::new_with_window_bits(false, 15);
        for (payload, message) in wire.iter().zip(messages) {
            let mut out = Vec::with_capacity(message.len() + 64);
            for piece in [payload.as_slice(), &[0, 0, 0xff, 0xff]] {
                let inflated = decompress.decompress_vec(piece, &mut out, FlushDecompress::Sync);
                inflated.map_err(|error| error.to_string())?;
            }
            check(&out, message)?;
        }
        Ok(())
    }
}

struct Ours {
    deflater: Deflater,
    inflater: Inflater,
    fresh: Box<dyn Fn() -> (Deflater, Inflater)>,
}

impl Ours {
    fn new() -> Result<Self, String> {
        let config = Config::default();
        let offer = client::offer(&config);
        let (params, _) = server::negotiate(&config, &[offer]).ok_or("nothing was agreed on")?;
        let peer = params;
        let fresh = move || (Deflater::new(15, true, config.level), peer.inflater());
        let (deflater, inflater) = fresh();
        Ok(Self { deflater, inflater, fresh: Box::new(fresh) })
    }

    fn compress_all(&mut self, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
        self.deflater.release();
        (self.deflater, _) = (self.fresh)();
        let mut all = Vec::with_capacity(messages.len());
        for message in messages {
            let mut out = BytesMut::with_capacity(message.len() + 64);
            self.deflater.compress(message, true, &mut out);
            all.push(out.into());
        }
        all
    }

    fn inflate_all(&mut self, wire: &[Vec<u8>], messages: &[Vec<u8>]) -> Result<(), String> {
        let limits = InflateLimits::new(1024 * 1024);
        (_, self.inflater) = (self.fresh)();
        for (payload, message) in wire.iter().zip(messages) {
            let mut out = BytesMut::with_capacity(message.len() + 64);
            let inflated = self.inflater.inflate(payload, &mut out, &limits);
            inflated.and_then(|()| self.inflater.finish(&limits)).map_err(|e| e.to_string())?;
            check(&out, message)?;
        }
        Ok(())
    }
}

fn check(inflated: &[u8], message: &[u8]) -> Result<(), String> {
    if inflated == message { Ok(()) } else { Err("inflated to something else".to_owned()) }
}
