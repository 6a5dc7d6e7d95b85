//! UTF-8 as the wire needs it: checked piece by piece while it arrives, and text that shares its
//! bytes.

mod text;
mod validator;

pub use text::Utf8Bytes;
pub(crate) use validator::is_utf8;
pub use validator::{InvalidUtf8, Utf8Validator};
