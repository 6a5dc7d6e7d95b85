//! What a client sends, as bytes.

/// `count` masked messages of `size` bytes, one behind the other.
pub fn frames(size: usize, text: bool, count: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    for number in 0..count {
        let key = [0x9a, 0x3c, 0x5e, number as u8];
        wire.push(0x80 | if text { 1 } else { 2 });
        match size {
            0..=125 => wire.push(0x80 | size as u8),
            126..=0xffff => {
                wire.push(0x80 | 126);
                wire.extend_from_slice(&(size as u16).to_be_bytes());
            }
            _ => {
                wire.push(0x80 | 127);
                wire.extend_from_slice(&(size as u64).to_be_bytes());
            }
        }
        wire.extend_from_slice(&key);
        let body = if text { whole_text(size) } else { vec![number as u8; size] };
        wire.extend(body.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
    wire
}

/// A masked close frame with the code 1000.
pub fn goodbye() -> Vec<u8> {
    vec![0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xe8 ^ 2]
}

/// Short text is ASCII; longer text has characters of one and two bytes, and ends at one.
fn whole_text(size: usize) -> Vec<u8> {
    let sample = if size < 1024 { "0123456789abcdef" } else { "Grüße, мир! " };
    let mut text = sample.repeat(size / sample.len()).into_bytes();
    text.resize(size, b'.');
    text
}
