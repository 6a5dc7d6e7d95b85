//! RFC 9112 §2 to §5, read in the strictest way there is: what another reader might take for
//! something else is not read at all.

/// A head that can be read in one way only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The three parts of the first line.
    pub start: [String; 3],
    /// Names as sent, values without the white space around them.
    pub fields: Vec<(String, Vec<u8>)>,
    /// How many bytes it takes, with its empty line.
    pub len: usize,
}

impl Head {
    /// The values under a name.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let named = move |(field, _): &&(String, Vec<u8>)| field.eq_ignore_ascii_case(name);
        self.fields.iter().filter(named).map(|(_, value)| &value[..])
    }
}

/// Reads the head at the front of `bytes`.
#[must_use]
pub fn head(bytes: &[u8]) -> Option<Head> {
    let mut at = 0;
    while bytes[at..].starts_with(b"\r\n") {
        at += 2;
    }
    let start = line(bytes, &mut at)?;
    let parts: Vec<&str> = std::str::from_utf8(start).ok()?.splitn(3, ' ').collect();
    let start = <[&str; 3]>::try_from(parts).ok()?.map(String::from);
    let mut fields = Vec::new();
    loop {
        let line = line(bytes, &mut at)?;
        if line.is_empty() {
            return Some(Head { start, fields, len: at });
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        if name.is_empty() || !name.iter().all(|byte| is_tchar(*byte)) {
            return None;
        }
        let name = String::from_utf8(name.to_vec()).ok()?;
        fields.push((name, value[1..].trim_ascii().to_vec()));
    }
}

/// A line up to its CR LF, without any other control character than a tab.
fn line<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let rest = &bytes[*at..];
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    *at += end + 2;
    let line = &rest[..end];
    let is_text = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    line.iter().all(is_text).then_some(line)
}

/// RFC 9110 §5.6.2.
#[must_use]
pub fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
