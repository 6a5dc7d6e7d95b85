//! Mutations of seeds, the same on every run: what the smoke run tries where there is no libFuzzer.

/// An endless source of inputs out of a corpus.
#[derive(Clone, Debug)]
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    state: u64,
    max_len: usize,
}

/// Bytes that decide much: bounds of lengths, signs, separators.
const TELLING: &[u8] = b"\0\x01\x7d\x7e\x7f\x80\x81\x88\x89\xc1\xff\r\n\t ,;:=\"\\/[]@";

impl Mutator {
    /// Mutations of `seeds`, chosen by `name`.
    #[must_use]
    pub fn new(name: &str, seeds: Vec<Vec<u8>>, max_len: usize) -> Self {
        let seeds = if seeds.is_empty() { vec![Vec::new()] } else { seeds };
        Self { seeds, state: hash(name.as_bytes()) | 1, max_len }
    }

    /// The next input.
    pub fn input(&mut self) -> Vec<u8> {
        let mut input = self.seed();
        for _ in 0..=self.below(4) {
            self.mutate(&mut input);
        }
        input.truncate(self.max_len);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let len = self.below(1 + (input.len() - at).min(16));
        match self.below(7) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            1 => {
                let telling = TELLING[self.below(TELLING.len())];
                if let Some(byte) = input.get_mut(at) {
                    *byte = telling;
                }
            }
            2 => input.insert(at, TELLING[self.below(TELLING.len())]),
            3 => drop(input.drain(at..at + len)),
            4 => {
                let copy = input[at..at + len].repeat(1 + self.below(4));
                input.splice(at..at, copy);
            }
            5 => {
                let other = self.seed();
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let byte = self.below(256).to_le_bytes()[0];
                input.insert(at, byte);
            }
        }
    }

    fn seed(&mut self) -> Vec<u8> {
        let index = self.below(self.seeds.len());
        self.seeds[index].clone()
    }

    /// xorshift64*, which is good enough to choose with.
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let number = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(number).unwrap_or_default() % bound
    }
}

/// FNV-1a: a number that stands for some bytes.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
