//! The answers that a client of HTTP/2 or HTTP/3 must not take for a WebSocket, and what it has to
//! do instead.

/// What a client has to do with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::groups) enum Reaction {
    /// Use the WebSocket.
    Open,
    /// Not use it, and end the stream.
    Fail,
    /// Not use it; the server has ended the stream already.
    Leave,
    /// The WebSocket is over as soon as it is open; there may be a goodbye.
    Part,
    /// Whatever it likes.
    Either,
}

impl Reaction {
    pub(in crate::groups) fn words(self) -> &'static str {
        match self {
            Self::Open => "The client uses the WebSocket.",
            Self::Fail => "The client ends the stream, or the connection, and sends nothing on it.",
            Self::Leave => "The client sends nothing more on the stream.",
            Self::Part => "The client ends its side, maybe after a close frame.",
            Self::Either => "Informational: the RFCs leave it to the client.",
        }
    }
}

/// The field lines of an answer.
pub(in crate::groups) type Lines = &'static [(&'static str, &'static str)];

/// What such an answer is made of.
#[derive(Clone, Copy, Debug)]
pub(in crate::groups) enum Bad {
    /// These lines, and the stream stays open.
    Lines(Lines),
    /// This status, with the end of the stream.
    Ended(&'static str),
}

/// RFC rows.
type Rows = &'static [&'static str];

/// One in words, what it is made of, what it calls for, and its rows for HTTP/2 and for HTTP/3.
type BadAnswer = (&'static str, Bad, Reaction, Rows, Rows);

/// Those that HTTP/2 and HTTP/3 have in common.
pub(in crate::groups) const BAD_ANSWERS: [BadAnswer; 21] = [
    leave("302", Bad::Ended("302"), REFUSED),
    leave("400", Bad::Ended("400"), REFUSED),
    leave("401", Bad::Ended("401"), REFUSED),
    leave("404", Bad::Ended("404"), REFUSED),
    leave("501", Bad::Ended("501"), &["H2WS-5-07", "H3WS-3-02"]),
    leave("503", Bad::Ended("503"), REFUSED),
    (
        "200 and ends the stream",
        Bad::Ended("200"),
        Reaction::Part,
        &["H2WS-5-10"],
        &["H2WS-5-10", "H3WS-3-03"],
    ),
    leave("403 with a body that does not end", Bad::Lines(&[(":status", "403")]), REFUSED),
    fail("101", &[(":status", "101")], &["H2-8.6-01", "H2WS-5-07"], &["H3-4.5-01"]),
    malformed("without :status", &[("server", "x")]),
    malformed("with two :status", &[(":status", "200"), (":status", "200")]),
    malformed("with a :status of letters", &[(":status", "abc")]),
    malformed("with :path", &[(":status", "200"), (":path", "/")]),
    malformed("with :status behind another field", &[("x", "y"), (":status", "200")]),
    fail(
        "with an upper-case name",
        &[(":status", "200"), ("X-Upper", "x")],
        &["H2-8.2-01"],
        &["H3-4.2-01"],
    ),
    fail(
        "with LF in a value",
        &[(":status", "200"), ("x", "a\nb")],
        &["H2-8.2-01"],
        &["H3-4.1.2-01"],
    ),
    fail(
        "with connection",
        &[(":status", "200"), ("connection", "upgrade")],
        &["H2-8.2.2-01", "H2WS-5-03"],
        &["H3-4.2-01", "H3-4.5-01"],
    ),
    fail(
        "with upgrade",
        &[(":status", "200"), ("upgrade", "websocket")],
        &["H2-8.2.2-01", "H2WS-5-03"],
        &["H3-4.5-01"],
    ),
    fail(
        "with a subprotocol that was not offered",
        &[(":status", "200"), ("sec-websocket-protocol", "x-nobody-asked-for-this")],
        NEGOTIATED,
        NEGOTIATED,
    ),
    fail(
        "with an extension that was not offered",
        &[(":status", "200"), ("sec-websocket-extensions", "x-nobody-asked-for-this")],
        NEGOTIATED,
        NEGOTIATED,
    ),
    (
        "with content-length: 0",
        Bad::Lines(&[(":status", "200"), ("content-length", "0")]),
        Reaction::Either,
        &["H2-9110-01"],
        &["H2-9110-01"],
    ),
];

const REFUSED: Rows = &["H2WS-5-07"];
const NEGOTIATED: Rows = &["H2WS-5-06", "WS-4.1-29", "WS-4.1-30"];

const fn leave(what: &'static str, bad: Bad, by_h3: Rows) -> BadAnswer {
    (what, bad, Reaction::Leave, REFUSED, by_h3)
}

const fn fail(what: &'static str, lines: Lines, by_h2: Rows, by_h3: Rows) -> BadAnswer {
    (what, Bad::Lines(lines), Reaction::Fail, by_h2, by_h3)
}

const fn malformed(what: &'static str, lines: Lines) -> BadAnswer {
    fail(what, lines, &["H2-8.1.1-01", "H2-8.3-01"], &["H3-4.1.2-01", "H3-4.3-01"])
}
