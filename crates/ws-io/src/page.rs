//! Ordinary requests on the port of a WebSocket server: a page to open in a browser, a health check.
//!
//! One `GET` or `HEAD`, one answer, and the connection is closed: this is no HTTP server.

use std::borrow::{Borrow, Cow};
use std::fmt;

use bytes::{Buf as _, BufMut as _, BytesMut};
use ws_handshake::{HandshakeError, Refusal, field};

use crate::handshake::Wire;
use crate::{Error, Runtime, Transport};

/// A page to answer with, status 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    body: Cow<'static, [u8]>,
}

impl Page {
    /// A page of HTML.
    #[must_use]
    pub fn html(text: impl Into<Cow<'static, str>>) -> Self {
        Self::written("text/html; charset=utf-8", text.into())
    }

    /// A page of plain text: `ok` for a health check.
    #[must_use]
    pub fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self::written("text/plain; charset=utf-8", text.into())
    }

    /// A page of any kind.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidHeader`] for a type with control characters.
    pub fn new(
        content_type: impl Into<Cow<'static, str>>,
        body: impl Into<Cow<'static, [u8]>>,
    ) -> Result<Self, HandshakeError> {
        Self { headers: Vec::new(), body: body.into() }.with_header("Content-Type", content_type)
    }

    /// Adds a header field.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidHeader`] for a name that is not a token or not the page's to set, or
    /// a value with control characters.
    pub fn with_header(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Result<Self, HandshakeError> {
        self.add_header(name, value)?;
        Ok(self)
    }

    /// As [`with_header`](Self::with_header), on a page that is there.
    ///
    /// # Errors
    ///
    /// As [`with_header`](Self::with_header); the page is as it was.
    pub fn add_header(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Result<(), HandshakeError> {
        let (name, value) = (name.into(), value.into());
        field::validate_response_field(&name, value.as_bytes())?;
        self.headers.push((name, value));
        Ok(())
    }

    /// The header fields, without those that frame the answer.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// How many bytes of memory the body takes: none if it is a part of the program (`&'static`).
    #[must_use]
    pub fn held(&self) -> usize {
        match &self.body {
            Cow::Borrowed(_) => 0,
            Cow::Owned(body) => body.len(),
        }
    }

    /// The body alone; what was borrowed for ever stays so.
    #[must_use]
    pub fn into_body(self) -> Cow<'static, [u8]> {
        self.body
    }

    fn written(content_type: &'static str, text: Cow<'static, str>) -> Self {
        let body = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Self { headers: vec![("Content-Type".into(), content_type.into())], body }
    }

    fn write_head(&self, out: &mut BytesMut) {
        out.put_slice(b"HTTP/1.1 200 OK\r\nConnection: close\r\n");
        for (name, value) in &self.headers {
            out.put_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        out.put_slice(format!("Content-Length: {}\r\n\r\n", self.body.len()).as_bytes());
    }
}

/// A valid `GET` or `HEAD` that asks for no WebSocket, waiting for an answer; made by
/// [`receive_any`](crate::receive_any). Dropping it drops the transport without one.
pub struct PageRequest<T, R: Runtime> {
    wire: Wire<T, R>,
    path: String,
    /// Why it is no request for a WebSocket.
    reason: ws_h1_upgrade::Error,
}

impl<T: Transport, R: Runtime> PageRequest<T, R> {
    /// `wire` still has the request in its buffer, which has been found valid but for this.
    pub(crate) fn new(wire: Wire<T, R>, reason: ws_h1_upgrade::Error) -> Self {
        let target = wire.buffer[..].split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        let target = String::from_utf8_lossy(target);
        let path = ws_h1_upgrade::path_of_target(&target).unwrap_or(Cow::Borrowed(&*target));
        let path = path.into_owned();
        Self { wire, path, reason }
    }

    /// The path that is asked for, with its query; without the authority if that was sent along
    /// (RFC 9112 §3.2.2).
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The transport below, for the address of the peer and the like.
    pub fn transport(&self) -> &T {
        &self.wire.transport
    }

    /// Whether a `HEAD` asks, to which no body is sent.
    pub fn is_head(&self) -> bool {
        asks_for_head(&self.wire.buffer)
    }

    /// Answers and closes the transport. `HEAD` is answered without the body. A page that is given away
    /// is let go of as soon as nothing more of it is to be sent, to `HEAD` before anything is.
    ///
    /// # Errors
    ///
    /// The answer could not be written in time.
    pub async fn answer(mut self, page: impl Borrow<Page>) -> Result<(), Error> {
        let mut head = BytesMut::new();
        page.borrow().write_head(&mut head);
        if self.is_head() {
            drop(page);
            self.wire.write(head).await?;
        } else {
            // It may be large: it is not copied.
            self.wire.write(head.chain(page.borrow().body())).await?;
            drop(page);
        }
        self.wire.hang_up().await;
        Ok(())
    }

    /// Refuses and closes the transport.
    ///
    /// # Errors
    ///
    /// The answer could not be written in time.
    pub async fn refuse(self, refusal: &Refusal) -> Result<(), Error> {
        crate::server::refuse(self.wire, refusal).await
    }

    /// Refuses as where there are no pages.
    pub(crate) async fn turn_down(self) -> Error {
        crate::server::turn_down(self.wire, &self.reason.refusal(), self.reason.into()).await
    }
}

impl<T: Transport, R: Runtime> fmt::Debug for PageRequest<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageRequest")
            .field("transport", &self.wire.transport.name())
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Whether the answer has no body, whatever its fields say (RFC 9110 §9.3.2).
fn asks_for_head(request: &[u8]) -> bool {
    request.trim_ascii_start().starts_with(b"HEAD ")
}

/// Takes the body off the answer to a `HEAD`.
pub(crate) fn fit_to_method(request: &[u8], answer: &mut BytesMut) {
    const END: &[u8] = b"\r\n\r\n";
    if asks_for_head(request)
        && let Some(end) = answer.windows(END.len()).position(|bytes| bytes == END)
    {
        answer.truncate(end + END.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // THREAT: header-injection
    #[test]
    fn a_page_is_written_with_its_length_and_nothing_can_break_out_of_a_field() {
        let page =
            Page::html("hello").with_header("Cache-Control", "no-store").expect("a valid field");
        let mut out = BytesMut::new();
        page.write_head(&mut out);
        let expected = "HTTP/1.1 200 OK\r\nConnection: close\r\n\
                        Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n\
                        Content-Length: 5\r\n\r\n";
        assert_eq!(out, expected.as_bytes());
        for (name, value) in [("X-A", "a\r\nb"), ("bad name", "a"), ("Content-Length", "1")] {
            assert!(Page::html("").with_header(name, value).is_err(), "{name}");
        }
        assert!(Page::new("text/plain\r\n", b"").is_err());
        let text = Page::text(String::from("ok"));
        assert_eq!(text.headers().next(), Some(("Content-Type", "text/plain; charset=utf-8")));
        assert_eq!(text.body(), b"ok");
    }
}
