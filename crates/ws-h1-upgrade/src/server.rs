//! The server's half over a raw socket: bytes in, a valid request out.

use bytes::{Buf as _, BytesMut};
use ws_handshake::SubprotocolPolicy;

use crate::error::{Error, HeadProblem};
use crate::head::{
    FEW_SLOTS, HandshakeLimits, HeadError, HeadSearch, NO_FIELD, ParsedFields, problem,
};
use crate::request::{RequestHead, Upgrade, validate_request};

/// Reads one request.
///
/// **Bytes behind the request's head stay in the caller's buffer**: they are the client's first
/// frames. Cost is linear in the input however it is cut.
#[derive(Clone, Debug, Default)]
pub struct ServerHandshake {
    subprotocols: SubprotocolPolicy,
    limits: HandshakeLimits,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Reading(HeadSearch),
    Failed(Error),
    Done,
}

impl Default for State {
    fn default() -> Self {
        Self::Reading(HeadSearch::default())
    }
}

impl ServerHandshake {
    /// A handshake that has read nothing yet.
    #[must_use]
    pub fn new(subprotocols: SubprotocolPolicy, limits: HandshakeLimits) -> Self {
        Self { subprotocols, limits, state: State::default() }
    }

    /// Looks at `buf`, to which new bytes are appended between calls; `None` asks for more of them.
    /// Once a request has been returned, `None` is all that follows.
    ///
    /// # Errors
    ///
    /// The request is refused; every further call says so again. [`Error::refusal`] is the answer.
    pub fn receive(&mut self, buf: &mut BytesMut) -> Result<Option<Upgrade>, Error> {
        let search = match &mut self.state {
            State::Reading(search) => search,
            State::Failed(error) => return Err(error.clone()),
            State::Done => return Ok(None),
        };
        let result = match search.find(buf, self.limits.max_handshake_size, can_begin) {
            Ok(None) => return Ok(None),
            Ok(Some(head)) => {
                let end = head.end;
                parse(buf.get(head).unwrap_or_default(), &self.limits, &self.subprotocols)
                    .inspect(|_| buf.advance(end))
            }
            Err(HeadError::TooBig) => {
                let limit = self.limits.max_handshake_size;
                Err(if search.is_in_first_line() {
                    Error::TargetTooLong { limit }
                } else {
                    Error::HandshakeTooBig { limit }
                })
            }
            Err(HeadError::Bad(problem)) => Err(Error::MalformedRequest { problem }),
        };
        self.state = match &result {
            Ok(_) => State::Done,
            Err(error) => State::Failed(error.clone()),
        };
        result.map(Some)
    }
}

fn parse(
    head: &[u8],
    limits: &HandshakeLimits,
    subprotocols: &SubprotocolPolicy,
) -> Result<Upgrade, Error> {
    let (mut few, mut many) = ([NO_FIELD; FEW_SLOTS], Vec::new());
    let fields = limits.slots(head, &mut few, &mut many);
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, fields) {
        Ok(httparse::Status::Complete(size)) if size == head.len() => {}
        Ok(_) => return Err(Error::MalformedRequest { problem: HeadProblem::StartLine }),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Error::TooManyHeaders { limit: limits.max_headers });
        }
        Err(httparse::Error::Version) => return Err(version_error(head)),
        Err(error) => return Err(Error::MalformedRequest { problem: problem(error) }),
    }
    let head = RequestHead {
        method: request.method.unwrap_or_default(),
        version: (1, request.version.unwrap_or_default()),
        target: request.path.unwrap_or_default(),
        headers: &ParsedFields(request.headers),
    };
    validate_request(&head, subprotocols)
}

/// Tells another version of HTTP (505) from something that is none (400).
fn version_error(head: &[u8]) -> Error {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut parts = line.split(|&byte| byte == b' ');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (
            Some(_),
            Some(_),
            Some(version @ [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9']),
            None,
        ) => Error::UnsupportedHttpVersion { found: String::from_utf8_lossy(version).into_owned() },
        _ => Error::MalformedRequest { problem: HeadProblem::StartLine },
    }
}

/// A method is a token; every one in use is made of letters. This tells TLS and noise from HTTP
/// before a whole head of it has been waited for.
fn can_begin(byte: u8) -> bool {
    byte.is_ascii_alphabetic()
}
