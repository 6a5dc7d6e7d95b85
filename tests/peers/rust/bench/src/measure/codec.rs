//! Codecs in memory, nanoseconds for each message.

use std::collections::HashMap;

use super::interleave;
use crate::codec::{Candidate, PLACES, Timed, decode, encode};
use crate::options::Options;
use crate::result::{Bench, Cell};

pub fn cells() -> Vec<String> {
    let decode = decode::CASES.iter().map(|case| case.name);
    decode.chain(encode::CASES.iter().map(|case| case.name)).map(str::to_owned).collect()
}

pub fn run(options: &Options) -> Result<Bench, String> {
    let mut cells = Vec::new();
    for case in decode::CASES.iter().filter(|case| options.wants_cell(case.name)) {
        cells.push(cell(options, case.name, decode::decoders(case)));
    }
    for case in encode::CASES.iter().filter(|case| options.wants_cell(case.name)) {
        cells.push(cell(options, case.name, encode::encoders(case)));
    }
    Ok(Bench {
        name: "codec".to_owned(),
        about: "Codecs in memory: bytes to messages and messages to bytes, without a socket. \
                `floor` finds the header, unmasks in place and checks UTF-8, and does nothing else. \
                A client's masking keys come from a source that nobody can guess (RFC 6455 §10.3) in \
                all but `floor` and `sockudo`, whose keys anyone can."
            .to_owned(),
        unit: "ns per message".to_owned(),
        cells,
    })
}

fn cell(options: &Options, name: &str, candidates: Vec<Result<Candidate, String>>) -> Cell {
    let mut names = Vec::new();
    let mut chosen = HashMap::new();
    for candidate in candidates {
        match candidate {
            Ok(candidate) if options.wants_candidate(candidate.name) => {
                let passes = calibrate(&mut (candidate.fresh)(0), options);
                names.push(candidate.name.to_owned());
                chosen.insert(candidate.name.to_owned(), (candidate.fresh, passes, places()));
            }
            Ok(_) => {}
            Err(error) => eprintln!("!!! {name}: left out: {error}"),
        }
    }
    let rows = interleave(name, &names, 5 * options.rounds(), |candidate| {
        let (fresh, passes, places) = chosen.get_mut(candidate).ok_or("unknown")?;
        let mut timed = fresh(places.next().unwrap_or_default());
        timed(passes.div_ceil(8))?;
        Ok(timed(*passes)?.into())
    });
    Cell { name: name.to_owned(), x: None, rows }
}

/// Where memory lies in one sample after the other: spread evenly, and the same for each candidate.
fn places() -> impl Iterator<Item = usize> {
    (0..).map(|sample: usize| sample * 1579 % PLACES)
}

/// How many passes fill a fifth of a sample's time: there are more, shorter samples than elsewhere.
fn calibrate(timed: &mut Timed, options: &Options) -> usize {
    let target = options.sample() / 5;
    let mut passes = 1;
    loop {
        let start = std::time::Instant::now();
        let ran = timed(passes);
        if ran.is_err() || start.elapsed() * 2 >= target {
            return passes;
        }
        passes *= 2;
    }
}
