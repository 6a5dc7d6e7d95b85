//! Replies that may come in fragments: their payloads, and how many have ended.

/// Where in the stream of frames the bytes received so far end.
#[derive(Debug, Default)]
pub struct Replies {
    header: Vec<u8>,
    /// Bytes of the current frame's payload that have not come.
    left: usize,
    /// Whether the current frame ends its message.
    last: bool,
    ended: u64,
}

impl Replies {
    /// Moves the payload bytes among `bytes` to its front and returns them.
    pub fn payload<'a>(&mut self, bytes: &'a mut [u8]) -> Result<&'a mut [u8], String> {
        let (mut from, mut to) = (0, 0);
        while from < bytes.len() {
            if self.left == 0 {
                self.header.push(bytes[from]);
                from += 1;
                self.parse()?;
                continue;
            }
            let count = self.left.min(bytes.len() - from);
            bytes.copy_within(from..from + count, to);
            from += count;
            to += count;
            self.left -= count;
            if self.left == 0 {
                self.end();
            }
        }
        Ok(&mut bytes[..to])
    }

    /// Whether this many messages have ended; if so, counts from nothing again.
    pub fn is_after(&mut self, messages: u64) -> bool {
        let after = self.ended == messages;
        if after {
            self.ended = 0;
        }
        after
    }

    fn parse(&mut self) -> Result<(), String> {
        let [first, second, extended @ ..] = self.header.as_slice() else { return Ok(()) };
        let wanted = match second {
            0..=125 => 0,
            126 => 2,
            127 => 8,
            _ => return Err("the server masks".to_owned()),
        };
        if extended.len() < wanted {
            return Ok(());
        }
        if first & 0x08 != 0 {
            return Err("an unexpected control frame".to_owned());
        }
        let extended = extended.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
        self.left = if wanted == 0 { usize::from(*second) } else { extended };
        self.last = first & 0x80 != 0;
        self.header.clear();
        if self.left == 0 {
            self.end();
        }
        Ok(())
    }

    fn end(&mut self) {
        self.ended += u64::from(self.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_cut_anywhere_yield_the_same_payload() {
        let wire = b"\x02\x03abc\x00\x00\x80\x02de\x82\x7e\x00\x01f";
        for size in 1..=wire.len() {
            let mut replies = Replies::default();
            let mut payload = Vec::new();
            for cut in wire.chunks(size) {
                let mut cut = cut.to_vec();
                payload.extend_from_slice(replies.payload(&mut cut).expect("valid frames"));
            }
            assert_eq!(payload, b"abcdef");
            assert!(replies.is_after(2));
        }
    }
}
