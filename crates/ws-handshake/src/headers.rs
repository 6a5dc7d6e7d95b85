//! Reading header fields wherever they come from, and one owned list of them.
//!
//! Every HTTP library keeps fields in its own type; the handshake only asks for "all values under
//! this name". Names compare with ASCII folding and nothing else (RFC 6455 §2.1).

use alloc::vec::Vec;
use core::fmt;

/// A section of header fields that can be searched by name.
///
/// Implemented for slices, arrays and vectors of `(name, value)` pairs, for [`HeaderFields`], and
/// with the feature `http` for `http::HeaderMap`.
pub trait Headers {
    /// All fields in the order they arrived, as `(name, value)`.
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])>;

    /// The values of all fields called `name` (ASCII case-insensitive), in order and untrimmed.
    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.fields()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }
}

impl<H: Headers + ?Sized> Headers for &H {
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        (**self).fields()
    }

    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        (**self).values(name)
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> Headers for [(N, V)] {
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>, const LEN: usize> Headers for [(N, V); LEN] {
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.as_slice().fields()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> Headers for Vec<(N, V)> {
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.as_slice().fields()
    }
}

#[cfg(feature = "http")]
impl<V: AsRef<[u8]>> Headers for http::HeaderMap<V> {
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

/// An owned, ordered list of header fields in one allocation, however many there are.
///
/// Names keep the case they arrived in; values are bytes, because HTTP does not promise text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderFields {
    /// Of each field the lengths of its name and its value, and both.
    packed: Vec<u8>,
    count: usize,
}

/// 32 bits for a length, because an open connection keeps this list. Nobody holds 4 GiB of fields;
/// a list would end before one that long.
const LENGTH: usize = size_of::<u32>();

fn pack(len: usize) -> [u8; LENGTH] {
    u32::try_from(len).unwrap_or(u32::MAX).to_ne_bytes()
}

fn unpack(len: [u8; LENGTH]) -> usize {
    u32::from_ne_bytes(len) as usize
}

impl HeaderFields {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes of memory the list takes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.packed.capacity()
    }

    /// Copies `headers`, in order.
    #[must_use]
    pub fn copy_of<H: Headers + ?Sized>(headers: &H) -> Self {
        let sizes = headers.fields().map(|(name, value)| 2 * LENGTH + name.len() + value.len());
        let mut copy = Self { packed: Vec::with_capacity(sizes.sum()), count: 0 };
        for (name, value) in headers.fields() {
            copy.push(name, value);
        }
        copy
    }

    /// Appends a field. The list is only read, never written to the wire, so nothing is checked.
    pub fn push(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (name, value) = (name.as_ref(), value.as_ref());
        for part in [&pack(name.len())[..], &pack(value.len()), name, value] {
            self.packed.extend_from_slice(part);
        }
        self.count += 1;
    }

    /// The first value called `name`, if it is text (UTF-8).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values(name).next().and_then(|value| core::str::from_utf8(value).ok())
    }

    /// How many fields there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no field at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Headers for HeaderFields {
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut packed = self.packed.as_slice();
        core::iter::from_fn(move || {
            let (&name_len, rest) = packed.split_first_chunk::<LENGTH>()?;
            let (&value_len, rest) = rest.split_first_chunk::<LENGTH>()?;
            let (name, rest) = rest.split_at_checked(unpack(name_len))?;
            let (value, rest) = rest.split_at_checked(unpack(value_len))?;
            packed = rest;
            Some((name, value))
        })
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for HeaderFields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut list = Self::new();
        for (name, value) in fields {
            list.push(name, value);
        }
        list
    }
}

impl fmt::Debug for HeaderFields {
    /// Values may be secrets (cookies, credentials): only the names are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.fields().map(|(name, _)| alloc::string::String::from_utf8_lossy(name)))
            .finish()
    }
}

/// Removes optional whitespace (space and tab) from both ends (RFC 9110 §5.6.3).
#[must_use]
pub fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    fn all<'a, H: Headers + ?Sized>(headers: &'a H, name: &str) -> Vec<&'a [u8]> {
        headers.values(name).collect()
    }

    // RFC: WS-2.1-01, WS-4.2.1-10
    #[test]
    fn names_compare_with_ascii_folding_only() {
        let pairs = [("Upgrade", "a"), ("UPGRADE", "b"), ("other", "c"), ("upgrade\u{130}", "d")];
        assert_eq!(all(&pairs, "upgrade"), [b"a", b"b"]);
        // U+212A KELVIN SIGN folds to `k` in Unicode, never in HTTP.
        assert_eq!(all(&[("\u{212a}ey", "x")], "key"), Vec::<&[u8]>::new());
    }

    #[test]
    fn every_shape_of_pairs_reads_the_same() {
        let owned: Vec<(String, Vec<u8>)> = alloc::vec![(String::from("A"), b"1".to_vec())];
        assert_eq!(all(&owned, "a"), [b"1"]);
        assert_eq!(all(owned.as_slice(), "a"), [b"1"]);
        assert_eq!(all(&HeaderFields::copy_of(&owned), "a"), [b"1"]);
    }

    #[test]
    fn an_owned_list_keeps_order_case_and_bytes() {
        let list: HeaderFields = [("B", "2"), ("a", ""), ("B", "\u{ff}")].into_iter().collect();
        let fields: Vec<_> = list.fields().collect();
        assert_eq!(fields[0], (&b"B"[..], &b"2"[..]));
        assert_eq!(fields[1], (&b"a"[..], &b""[..]));
        assert_eq!(fields[2].1, "\u{ff}".as_bytes());
        assert_eq!((list.len(), list.is_empty(), list.get("A")), (3, false, Some("")));
    }

    #[test]
    fn debug_shows_no_value() {
        let list: HeaderFields = [("cookie", "secret")].into_iter().collect();
        assert_eq!(format!("{list:?}"), r#"["cookie"]"#);
    }

    #[test]
    fn whitespace_is_trimmed_from_both_ends() {
        for (raw, want) in [(" \ta b\t ", "a b"), ("", ""), (" \t", ""), ("a", "a")] {
            assert_eq!(trim_ows(raw.as_bytes()), want.as_bytes());
        }
    }

    #[cfg(feature = "http")]
    #[test]
    fn a_header_map_gives_all_its_values() {
        let mut map = http::HeaderMap::new();
        map.append("x", http::HeaderValue::from_static("1"));
        map.append("X", http::HeaderValue::from_static("2"));
        assert_eq!(all(&map, "X"), [b"1", b"2"]);
        assert_eq!(HeaderFields::copy_of(&map).len(), 2);
    }
}
