//! Text that shares its bytes.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::ops::Deref;

use bytes::Bytes;

use super::validator::{InvalidUtf8, is_utf8};

/// Bytes that are valid UTF-8, cheap to clone and to slice off a larger buffer.
///
/// The bytes were checked when this was made. The workspace has no unsafe code, so
/// [`as_str`](Self::as_str) (and with it `Deref`) checks them again, at several gigabytes a second:
/// keep the `&str` where you need it more than once, and pass the `Utf8Bytes` itself on where you
/// don't look inside, as an echo or a broadcast does.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utf8Bytes(Bytes);

impl Utf8Bytes {
    /// Text that lives as long as the program, without a copy.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// Wraps bytes that a validator of this crate has seen.
    pub(crate) const fn from_validated(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        simdutf8::basic::from_utf8(&self.0).expect("the bytes were validated on construction")
    }

    /// The bytes of the text.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The length in bytes; unlike `as_str().len()` it costs nothing.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the text is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same text in memory of its own, no longer sharing the buffer it was received in.
    #[must_use]
    pub fn compact(self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// The bytes, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl TryFrom<Bytes> for Utf8Bytes {
    type Error = InvalidUtf8;

    /// Checks the bytes and takes them without a copy.
    fn try_from(bytes: Bytes) -> Result<Self, InvalidUtf8> {
        if is_utf8(&bytes) { Ok(Self(bytes)) } else { Err(InvalidUtf8) }
    }
}

impl From<String> for Utf8Bytes {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&str> for Utf8Bytes {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<Cow<'_, str>> for Utf8Bytes {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<Utf8Bytes> for Bytes {
    fn from(text: Utf8Bytes) -> Self {
        text.0
    }
}

impl From<Utf8Bytes> for String {
    /// One copy of the text.
    fn from(text: Utf8Bytes) -> Self {
        text.as_str().into()
    }
}

impl Deref for Utf8Bytes {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Utf8Bytes {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<[u8]> for Utf8Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq<str> for Utf8Bytes {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Utf8Bytes {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<Utf8Bytes> for str {
    fn eq(&self, other: &Utf8Bytes) -> bool {
        other == self
    }
}

impl PartialEq<Utf8Bytes> for &str {
    fn eq(&self, other: &Utf8Bytes) -> bool {
        other == self
    }
}

impl PartialEq<String> for Utf8Bytes {
    fn eq(&self, other: &String) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<Utf8Bytes> for String {
    fn eq(&self, other: &Utf8Bytes) -> bool {
        other == self
    }
}

impl fmt::Display for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Debug for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        assert_eq!(Utf8Bytes::try_from(Bytes::from_static(b"\xff")), Err(InvalidUtf8));
        let text = Utf8Bytes::try_from(Bytes::from_static("µ".as_bytes())).unwrap();
        assert_eq!((text.as_str(), text.len(), text.is_empty()), ("µ", 2, false));
        assert!(text == *"µ" && text == "µ" && text != *"m" && text != "m");
        assert!(Utf8Bytes::from("").is_empty());
    }

    #[test]
    fn text_is_made_of_text_and_compared_to_it() {
        let (borrowed, owned): (&str, String) = ("µ", "µ".into());
        for text in
            [Utf8Bytes::from("µ"), Cow::Borrowed("µ").into(), Cow::<str>::Owned("µ".into()).into()]
        {
            let found = [text == *borrowed, *borrowed == text, text == borrowed, borrowed == text];
            assert_eq!((found, [text == owned, owned == text]), ([true; 4], [true; 2]));
            assert_eq!(String::from(text), owned);
        }
    }
}
