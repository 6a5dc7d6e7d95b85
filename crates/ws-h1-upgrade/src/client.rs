//! The client's half: the request, and over a raw socket the reading of the answer.

use bytes::{BufMut as _, BytesMut};
use ws_handshake::{
    ClientOptions, HeaderFields, Headers, Response, UnexpectedResponse, WsUri, format_extensions,
};

use crate::accept_key::ClientKey;
use crate::body::Body;
use crate::error::{Error, HeadProblem};
use crate::head::{
    FEW_SLOTS, HandshakeLimits, HeadError, HeadSearch, NO_FIELD, ParsedFields, problem,
};
use crate::response::{ResponseHead, put_field, validate_response};

/// Writes the opening request for `uri`. Nothing else may be sent before the answer is in.
///
/// # Errors
///
/// [`HandshakeError::InvalidHeader`](ws_handshake::HandshakeError::InvalidHeader): something in
/// `options` must not be written; then nothing has been written.
pub fn request(
    uri: &WsUri,
    key: &ClientKey,
    options: &ClientOptions,
    out: &mut BytesMut,
) -> Result<(), Error> {
    options.validate()?;
    out.put_slice(b"GET ");
    out.put_slice(uri.resource().as_bytes());
    out.put_slice(b" HTTP/1.1\r\n");
    put_field(out, b"Host", uri.host_header().as_bytes());
    put_field(out, b"Upgrade", b"websocket");
    put_field(out, b"Connection", b"Upgrade");
    put_field(out, b"Sec-WebSocket-Key", key.as_str().as_bytes());
    put_field(out, b"Sec-WebSocket-Version", b"13");
    if let Some(origin) = &options.origin {
        put_field(out, b"Origin", origin.as_bytes());
    }
    if !options.subprotocols.is_empty() {
        let list = options.subprotocols.join(", ");
        put_field(out, b"Sec-WebSocket-Protocol", list.as_bytes());
    }
    if !options.extensions.is_empty() {
        let list = format_extensions(&options.extensions);
        put_field(out, b"Sec-WebSocket-Extensions", list.as_bytes());
    }
    for (name, value) in &options.headers {
        put_field(out, name.as_bytes(), value.as_bytes());
    }
    out.put_slice(b"\r\n");
    Ok(())
}

/// Reads the answer to one request.
///
/// **Bytes behind the answer's head stay in the caller's buffer**: they are the server's first
/// frames. Interim (1xx) answers are skipped. Cost is linear in the input however it is cut.
#[derive(Clone, Debug)]
pub struct ClientHandshake {
    key: ClientKey,
    options: ClientOptions,
    limits: HandshakeLimits,
    /// Bytes of all heads so far, which count against the limit together.
    consumed: usize,
    interim: usize,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Reading(HeadSearch),
    /// The answer is a refusal, and its body is being read.
    Refused(Box<UnexpectedResponse>, Body),
    Failed(Error),
    Done,
}

impl ClientHandshake {
    /// Awaits the answer to the request written with the same `key` and `options`.
    #[must_use]
    pub fn new(key: ClientKey, options: ClientOptions, limits: HandshakeLimits) -> Self {
        let state = State::Reading(HeadSearch::default());
        Self { key, options, limits, consumed: 0, interim: 0, state }
    }

    /// Looks at `buf`, to which new bytes are appended between calls; `None` asks for more of them.
    /// Once an answer has been returned, `None` is all that follows.
    ///
    /// # Errors
    ///
    /// There will be no WebSocket; every further call says so again. [`Error::UnexpectedStatus`]
    /// comes only when as much of the body as is kept has been read, or at
    /// [`receive_eof`](Self::receive_eof).
    pub fn receive(&mut self, buf: &mut BytesMut) -> Result<Option<Response>, Error> {
        loop {
            let result = match &mut self.state {
                State::Done => return Ok(None),
                State::Failed(error) => return Err(error.clone()),
                State::Refused(response, body) => {
                    if !body.receive(buf) {
                        return Ok(None);
                    }
                    Err(refused(response, body, false))
                }
                State::Reading(search) => {
                    let limit = self.limits.max_handshake_size - self.consumed;
                    match search.find(buf, limit, |byte| byte == b'H') {
                        Ok(None) => return Ok(None),
                        Ok(Some(head)) => {
                            self.consumed += head.end;
                            let head = buf.split_to(head.end).split_off(head.start);
                            match self.judge(&head) {
                                Ok(None) => continue,
                                Ok(Some(response)) => Ok(response),
                                Err(error) => Err(error),
                            }
                        }
                        Err(HeadError::TooBig) => Err(Error::HandshakeResponseTooBig {
                            limit: self.limits.max_handshake_size,
                        }),
                        Err(HeadError::Bad(problem)) => Err(Error::MalformedResponse { problem }),
                    }
                }
            };
            self.state = match &result {
                Ok(_) => State::Done,
                Err(error) => State::Failed(error.clone()),
            };
            return result.map(Some);
        }
    }

    /// Whether the server has refused, and only its words are still waited for. Wait for them
    /// briefly: they may have no end but that of the connection. [`receive_eof`](Self::receive_eof)
    /// then gives the refusal with what has come.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused(..))
    }

    /// Says that the server sends nothing more: the reason to report, or `None` when the connection
    /// simply went away before there was an answer.
    pub fn receive_eof(&mut self) -> Option<Error> {
        match &mut self.state {
            State::Reading(_) | State::Done => None,
            State::Failed(error) => Some(error.clone()),
            State::Refused(response, body) => {
                let error = refused(response, body, true);
                self.state = State::Failed(error.clone());
                Some(error)
            }
        }
    }

    /// Judges one complete head; `None` when it was interim or has a body to be read first.
    fn judge(&mut self, head: &[u8]) -> Result<Option<Response>, Error> {
        let (mut few, mut many) = ([NO_FIELD; FEW_SLOTS], Vec::new());
        let fields = self.limits.slots(head, &mut few, &mut many);
        let mut parsed = httparse::Response::new(&mut []);
        let mut config = httparse::ParserConfig::default();
        // RFC 9112 §5.2: a client reads a folded line as one.
        config.allow_obsolete_multiline_headers_in_responses(true);
        match config.parse_response_with_uninit_headers(&mut parsed, head, fields) {
            Ok(httparse::Status::Complete(size)) if size == head.len() => {}
            Ok(_) => return Err(Error::MalformedResponse { problem: HeadProblem::StartLine }),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(Error::TooManyHeaders { limit: self.limits.max_headers });
            }
            Err(error) => return Err(Error::MalformedResponse { problem: problem(error) }),
        }
        let status = parsed.code.unwrap_or_default();
        let headers = unfold(&ParsedFields(parsed.headers));
        if matches!(status, 100 | 102..=199) {
            self.interim += 1;
            if self.interim > MAX_INTERIM {
                return Err(Error::MalformedResponse { problem: HeadProblem::TooManyInterim });
            }
            self.state = State::Reading(HeadSearch::default());
            return Ok(None);
        }
        if status == 101 && parsed.version != Some(1) {
            return Err(Error::UnsupportedHttpVersion { found: "HTTP/1.0".into() });
        }
        let head = ResponseHead { status, headers: &headers };
        match validate_response(&head, &self.key, &self.options) {
            Err(Error::UnexpectedStatus { response }) => {
                let body = Body::new(status, &headers, self.limits.max_body);
                self.state = State::Refused(response, body);
                Ok(None)
            }
            result => result.map(Some),
        }
    }
}

fn refused(response: &mut UnexpectedResponse, body: &mut Body, at_eof: bool) -> Error {
    let mut response = Box::new(response.clone());
    (response.body, response.is_truncated) = body.clone().finish(at_eof);
    Error::UnexpectedStatus { response }
}

/// Copies the fields with the line ends of folded values replaced by spaces (RFC 9112 §5.2).
fn unfold(fields: &ParsedFields<'_>) -> HeaderFields {
    fields
        .fields()
        .map(|(name, value)| {
            let line_end = |byte| matches!(byte, b'\r' | b'\n');
            let unfolded = value.iter().map(|&byte| if line_end(byte) { b' ' } else { byte });
            (name, unfolded.collect::<Vec<_>>())
        })
        .collect()
}

/// How many interim answers are skipped.
const MAX_INTERIM: usize = 16;
