//! The data that compressed messages are cut from: five files, made the same way on every run.
//!
//! They have the sizes and the character of the files that published reports were made with, and
//! a content of their own.

use std::sync::LazyLock;

use crate::link::Kind;

/// One of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Material {
    Json,
    Bitmap,
    Prose,
    Html,
    Document,
}

impl Material {
    /// Whether slices of it are sent as text or as binary.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Json | Self::Html => Kind::Text,
            Self::Bitmap | Self::Prose | Self::Document => Kind::Binary,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "a JSON file",
            Self::Bitmap => "a bitmap",
            Self::Prose => "prose",
            Self::Html => "an HTML page",
            Self::Document => "a document with compressed parts",
        }
    }

    pub(crate) fn octets(self) -> &'static [u8] {
        static JSON: LazyLock<Vec<u8>> = LazyLock::new(|| fill(194_056, 1, json_record));
        static BITMAP: LazyLock<Vec<u8>> = LazyLock::new(bitmap);
        static PROSE: LazyLock<Vec<u8>> = LazyLock::new(|| fill(222_218, 3, paragraph));
        static HTML: LazyLock<Vec<u8>> = LazyLock::new(|| fill(263_647, 4, table_row));
        static DOCUMENT: LazyLock<Vec<u8>> = LazyLock::new(|| fill(1_042_328, 5, object));
        match self {
            Self::Json => &JSON,
            Self::Bitmap => &BITMAP,
            Self::Prose => &PROSE,
            Self::Html => &HTML,
            Self::Document => &DOCUMENT,
        }
    }

    /// `size` octets from `offset` on, wrapping at the end of the file.
    pub(crate) fn slice(self, offset: usize, size: usize) -> Vec<u8> {
        let octets = self.octets();
        let (mut slice, mut start) = (Vec::with_capacity(size), offset % octets.len());
        while slice.len() < size {
            let rest = octets.get(start..).unwrap_or_default();
            let taken = rest.len().min(size - slice.len());
            slice.extend_from_slice(rest.get(..taken).unwrap_or_default());
            start = 0;
        }
        slice
    }
}

/// ASCII text of the given size that does not repeat soon.
pub(crate) fn ascii(size: usize) -> Vec<u8> {
    let mut dice = Dice(size as u64 + 17);
    (0..size).map(|_| b' ' + u8::try_from(dice.below(95)).unwrap_or_default()).collect()
}

/// Octets of every value.
pub(crate) fn noise(size: usize) -> Vec<u8> {
    let mut dice = Dice(size as u64 + 23);
    (0..size).map(|_| dice.octet()).collect()
}

/// A small generator of numbers, the same on every machine (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn octet(&mut self) -> u8 {
        let [octet, ..] = self.next().to_be_bytes();
        octet
    }

    fn word(&mut self) -> &'static str {
        // Squaring favours the first words, as language does.
        let place = self.below(64) * self.below(64) / 64;
        WORDS.get(usize::try_from(place).unwrap_or_default()).copied().unwrap_or("and")
    }

    fn sentence(&mut self) -> String {
        let count = 5 + self.below(14);
        let words: Vec<&str> = (0..count).map(|_| self.word()).collect();
        words.join(" ")
    }
}

const WORDS: [&str; 64] = [
    "the", "of", "and", "a", "to", "in", "frame", "that", "is", "was", "server", "it", "for", "on",
    "with", "as", "client", "be", "at", "by", "had", "not", "are", "but", "from", "message",
    "have", "an", "which", "one", "were", "all", "there", "would", "their", "octet", "been", "has",
    "when", "who", "will", "no", "more", "if", "out", "so", "up", "mask", "about", "than", "into",
    "only", "other", "time", "new", "some", "could", "these", "two", "may", "first", "then",
    "close", "window",
];

/// Parts made one after another until the size is reached exactly.
fn fill(size: usize, seed: u64, mut part: impl FnMut(&mut Dice, usize) -> Vec<u8>) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut octets = Vec::with_capacity(size + 4096);
    let mut number = 0;
    while octets.len() < size {
        octets.extend(part(&mut dice, number));
        number += 1;
    }
    octets.truncate(size);
    octets
}

fn json_record(dice: &mut Dice, number: usize) -> Vec<u8> {
    let (name, score, flag) = (dice.word(), dice.below(100_000), dice.below(2) == 1);
    let note = dice.sentence();
    format!(
        "{{\"id\": {number}, \"name\": \"{name}\", \"score\": {score}, \"active\": {flag}, \
         \"tags\": [\"{}\", \"{}\"], \"note\": \"{note}\"}},\n",
        dice.word(),
        dice.word()
    )
    .into_bytes()
}

fn paragraph(dice: &mut Dice, _number: usize) -> Vec<u8> {
    let sentences: Vec<String> = (0..3 + dice.below(5)).map(|_| dice.sentence()).collect();
    let mut text = sentences.join(".\r\n  ").into_bytes();
    // An old eight-bit encoding: prose goes as binary.
    text.extend([0xE4, 0xF6, 0xFC, b'.', b'\r', b'\n', b'\r', b'\n']);
    text
}

fn table_row(dice: &mut Dice, number: usize) -> Vec<u8> {
    let class = if number.is_multiple_of(2) { "even" } else { "odd" };
    format!(
        "<tr class=\"{class}\"><td class=\"id\">{number}</td><td><a href=\"/{}/{}.html\">{}</a>\
         </td><td class=\"text\">{}.</td></tr>\n",
        dice.word(),
        dice.below(1000),
        dice.word(),
        dice.sentence()
    )
    .into_bytes()
}

fn object(dice: &mut Dice, number: usize) -> Vec<u8> {
    let length = 400 + usize::try_from(dice.below(3000)).unwrap_or_default();
    let mut object =
        format!("{number} 0 obj\n<< /Filter /FlateDecode /Length {length} >>\nstream\n")
            .into_bytes();
    object.extend((0..length).map(|_| dice.octet()));
    object.extend(b"\nendstream\nendobj\n");
    object
}

/// 512 × 512 grey values with the header of a bitmap, a palette, and a gradient with some grain.
fn bitmap() -> Vec<u8> {
    const SIZE: usize = 263_222;
    let mut octets = b"BM".to_vec();
    octets.extend([0; 52]);
    octets.extend((0..=255_u8).flat_map(|grey| [grey, grey, grey, 0]));
    let mut dice = Dice(2);
    for y in 0..512_usize {
        for x in 0..512_usize {
            let [.., shade] = (x * y / 1024 + x / 8 + y / 4).to_be_bytes();
            let grain = if dice.below(4) == 0 { 1 } else { 0 };
            octets.push(shade.wrapping_add(grain));
        }
    }
    octets.resize(SIZE, 0);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_have_their_published_sizes_and_text_is_ascii() {
        let table = [
            (Material::Json, 194_056),
            (Material::Bitmap, 263_222),
            (Material::Prose, 222_218),
            (Material::Html, 263_647),
            (Material::Document, 1_042_328),
        ];
        for (material, size) in table {
            assert_eq!(material.octets().len(), size);
            let is_text = material.kind() == Kind::Text;
            assert!(!is_text || material.octets().is_ascii());
        }
    }

    #[test]
    fn slices_wrap_at_the_end() {
        let json = Material::Json;
        let slice = json.slice(194_050, 10);
        assert_eq!(slice, [&json.octets()[194_050..], &json.octets()[..4]].concat());
    }
}
