//! The attacks, and the bounds that each of them must stay within.
//!
//! Memory is what a server grew by at its highest, above what it had when it began to listen, and all
//! that a client had at its highest; it includes what the allocator and the runtime take for themselves once. Time on the
//! processor is wide, since machines differ: it tells a linear cost from another one. Deadlines are
//! set short on the command line of the program under attack, and the bound on the end follows them.

/// An attack on one of the programs, and its bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attack {
    /// As `ws-conformance --attack` knows it.
    pub(super) name: &'static str,
    /// The row of `docs/threats.txt` that it answers.
    pub(super) threat: &'static str,
    /// Scheme and carrier of each run: `ws h1`.
    pub(super) over: &'static [&'static str],
    /// What is sent.
    pub(super) what: &'static str,
    /// How it may end: exactly, or as a beginning followed by something else.
    pub(super) ends: &'static [&'static str],
    /// Most MiB of growth.
    pub(super) memory: u64,
    /// Most seconds from the first octet to the end.
    pub(super) within: u64,
    /// Most seconds on the processor.
    pub(super) time: u64,
    /// Whether a quarter of it is tried as well, and time on the processor has to be in proportion.
    pub(super) is_linear: bool,
    /// What the program under attack is told besides.
    pub(super) options: &'static [&'static str],
}

const ALL: &[&str] = &["ws h1", "ws h2", "wss h3"];
const H1: &[&str] = &["ws h1"];
const TLS: &[&str] = &["ws h1", "wss h1"];
const H2: &[&str] = &["ws h2", "wss h2"];
const H3: &[&str] = &["wss h3"];
/// A client is called back in cleartext: what TLS adds is the server's to be attacked by.
const CALLED_H2: &[&str] = &["ws h2"];

const fn row(
    name: &'static str,
    threat: &'static str,
    over: &'static [&'static str],
    what: &'static str,
) -> Attack {
    Attack {
        name,
        threat,
        over,
        what,
        ends: &[],
        memory: 6,
        within: 10,
        time: 10,
        is_linear: false,
        options: &[],
    }
}

/// A client has no time before the attack: all that the process has is counted.
const fn alone(
    name: &'static str,
    threat: &'static str,
    over: &'static [&'static str],
    what: &'static str,
) -> Attack {
    row(name, threat, over, what).memory(24)
}

impl Attack {
    const fn ends(mut self, ends: &'static [&'static str]) -> Self {
        self.ends = ends;
        self
    }

    const fn memory(mut self, mib: u64) -> Self {
        self.memory = mib;
        self
    }

    const fn linear(mut self) -> Self {
        self.is_linear = true;
        self
    }

    /// With limits that let the whole of it in.
    const fn let_in(mut self) -> Self {
        self.options = &["--max-head", "16M", "--max-headers", "20000"];
        self.linear().memory(48).within(20)
    }

    const fn within(mut self, seconds: u64) -> Self {
        self.within = seconds;
        self
    }
}

/// Deadlines of the server under attack, in seconds.
pub(super) const SERVER_OPTIONS: &[&str] =
    &["--handshake", "3", "--keep-alive", "1", "--idle", "3", "--write", "3", "--message", "3"];

/// On the echo server.
pub(super) const SERVER: &[Attack] = &[
    row("empty fragments", "fragment-flood", ALL, "500,000 empty fragments of one message")
        .ends(&["close 1008"]),
    row("one-octet fragments", "fragment-flood", ALL, "500,000 fragments of one octet")
        .ends(&["close 1008"]),
    row("unread pings", "unread-pongs", ALL, "pings of 125 octets without end, no pong read")
        .ends(&["cut", "close"]),
    row("inflate bomb", "inflate-bomb", ALL, "260 kB that inflate to 256 MiB")
        .ends(&["close 1009"])
        .memory(24),
    row(
        "inflate bomb in every fragment",
        "inflate-bomb",
        ALL,
        "the same in fragments of 4 KiB, each a bomb",
    )
    .ends(&["close 1009"])
    .memory(24),
    row("inflate empty blocks", "empty-blocks", ALL, "64 MiB of deflate blocks that yield nothing")
        .ends(&["close 1007"]),
    row("declared length 2^40", "length-arithmetic", ALL, "a frame that claims 2^40 octets")
        .ends(&["close 1009"]),
    row(
        "declared length with the top bit",
        "length-arithmetic",
        ALL,
        "a frame that claims 2^63 + 5 octets",
    )
    .ends(&["close 1002"]),
    row(
        "invalid text, gigabytes of it",
        "late-utf8",
        ALL,
        "1 GiB of text, invalid from its first octet",
    )
    .ends(&["close 1007"]),
    row("slow reader", "write-stall", ALL, "64 MiB to be echoed, nothing read")
        .ends(&["cut", "close"])
        .memory(8)
        .within(20),
    row("one-octet writes", "tiny-reads", H1, "a message of 1 MiB in writes of one octet")
        .ends(&["echoed"])
        .memory(8)
        .linear()
        .within(300),
    row(
        "trickled message",
        "slow-message",
        ALL,
        "a message that grows by an octet each 200 ms, never ends",
    )
    .ends(&["close 1008"]),
    row(
        "silent peer",
        "silent-peer",
        ALL,
        "an open WebSocket that says nothing and answers no ping",
    )
    .ends(&["close 1001"]),
    row(
        "data after the close",
        "open-after-close",
        ALL,
        "a close frame, and data behind it without end",
    )
    .ends(&["cut"]),
    row("masked the wrong way", "unmasked-frames", ALL, "a frame without a mask")
        .ends(&["close 1002"]),
    row("nothing sent", "slow-handshake", TLS, "a connection and nothing else")
        .ends(&["cut", "408"]),
    row("half a handshake", "slow-handshake", TLS, "half a request, then nothing")
        .ends(&["cut", "408"]),
    row("dripped handshake", "slow-handshake", TLS, "a request, an octet each 200 ms")
        .ends(&["cut", "408"]),
    row("many header fields", "header-count", H1, "a request of 10,000 header fields")
        .ends(&["431"]),
    row("endless header field", "header-size", H1, "a header field of 4 MiB").ends(&["431"]),
    row("long header field", "header-size", H1, "the same where it is allowed")
        .ends(&["101"])
        .let_in(),
    row("thousands of header fields", "header-count", H1, "10,000 where they are allowed")
        .ends(&["101"])
        .let_in(),
    row(
        "unclosed quoted string",
        "list-parser-time",
        H1,
        "60 KiB of an unclosed quoted string in a list",
    )
    .ends(&["400"]),
    row("h2 resets", "rapid-reset", H2, "100,000 WebSockets opened and reset at once")
        .ends(&["GOAWAY 11"]),
    row("h2 header continuations", "continuation-flood", H2, "100 MiB of CONTINUATION")
        .ends(&["GOAWAY"]),
    row("h2 settings", "frame-flood", H2, "1,000,000 SETTINGS, no answer read").ends(&[
        "held back",
        "GOAWAY",
        "cut",
    ]),
    row("h2 pings", "frame-flood", H2, "1,000,000 PINGs, no answer read").ends(&[
        "held back",
        "GOAWAY",
        "cut",
    ]),
    row("h2 empty data", "frame-flood", H2, "500,000 DATA frames without an octet")
        .ends(&["GOAWAY", "RST_STREAM"]),
    row("h2 one-octet data", "tiny-reads", H2, "a message of 1 MiB in DATA frames of one octet")
        .ends(&["GOAWAY", "RST_STREAM", "open"])
        .memory(8)
        .linear()
        .within(300),
    row(
        "h2 window of one octet",
        "window-stall",
        H2,
        "an echo of 60 KiB read through a window of one octet",
    )
    .ends(&["2000 octets came", "GOAWAY", "RST_STREAM"])
    .within(60),
    row("h2 window never opened", "window-stall", H2, "an echo of 60 KiB, the window never opened")
        .ends(&["RST_STREAM", "GOAWAY", "cut"])
        .within(20),
    row("h2 streams that say nothing", "stream-limit", H2, "100,000 WebSockets that stay silent")
        .ends(&["GOAWAY", "RST_STREAM"])
        .within(60),
    row(
        "h2 connection that says nothing",
        "idle-carrier",
        H2,
        "a preface, SETTINGS, and nothing else",
    )
    .ends(&["GOAWAY", "cut"])
    .within(20),
    row("h2 oversized field section", "header-size", H2, "a request of 4 MiB of header fields")
        .ends(&["431", "GOAWAY", "RST_STREAM"]),
    row("h2 large field section", "header-size", H2, "the same where it is allowed")
        .ends(&["200"])
        .let_in(),
    row("h3 resets", "rapid-reset", H3, "20,000 WebSockets opened and reset at once")
        .ends(&["H3 error 0x107"]),
    row(
        "h3 streams that say nothing",
        "stream-limit",
        H3,
        "half a request on as many streams as are allowed",
    )
    .ends(&["reset", "cut", "answered"]),
    row(
        "h3 connection that says nothing",
        "idle-carrier",
        H3,
        "a QUIC connection and SETTINGS, nothing else",
    )
    .ends(&["H3 error 0x100", "cut"])
    .within(40),
    row("h3 oversized field section", "header-size", H3, "a request of 4 MiB of header fields")
        .ends(&["431", "reset 0x107", "H3 error"]),
    row("h3 large field section", "header-size", H3, "the same where it is allowed")
        .ends(&["200"])
        .let_in(),
];

/// Deadlines of the client under attack, in seconds.
pub(super) const CLIENT_OPTIONS: &[&str] =
    &["--timeout", "3", "--keep-alive", "1", "--idle", "3", "--write", "3", "--message", "3"];

/// On the echo client.
pub(super) const CLIENT: &[Attack] = &[
    alone("no answer", "slow-handshake", H1, "a request left unanswered").ends(&["cut"]),
    alone("dripped answer", "slow-handshake", H1, "an answer, an octet each 200 ms").ends(&["cut"]),
    alone("endless response header", "header-size", H1, "256 MiB of header fields in the answer")
        .ends(&["cut"]),
    alone("endless interim answers", "header-size", H1, "256 MiB of 103 answers").ends(&["cut"]),
    alone("empty fragments", "fragment-flood", ALL, "500,000 empty fragments of one message")
        .ends(&["close 1008"]),
    alone("one-octet fragments", "fragment-flood", ALL, "500,000 fragments of one octet")
        .ends(&["close 1008"]),
    alone("unread pings", "unread-pongs", ALL, "pings of 125 octets without end, no pong read")
        .ends(&["cut", "close"]),
    alone("inflate bomb", "inflate-bomb", ALL, "260 kB that inflate to 256 MiB")
        .ends(&["close 1009"])
        .memory(44),
    alone(
        "inflate bomb in every fragment",
        "inflate-bomb",
        ALL,
        "the same in fragments of 4 KiB, each a bomb",
    )
    .ends(&["close 1009"])
    .memory(44),
    alone(
        "inflate empty blocks",
        "empty-blocks",
        ALL,
        "64 MiB of deflate blocks that yield nothing",
    )
    .ends(&["close 1007"]),
    alone("declared length 2^40", "length-arithmetic", ALL, "a frame that claims 2^40 octets")
        .ends(&["close 1009"]),
    alone(
        "declared length with the top bit",
        "length-arithmetic",
        ALL,
        "a frame that claims 2^63 + 5 octets",
    )
    .ends(&["close 1002"]),
    alone(
        "invalid text, gigabytes of it",
        "late-utf8",
        ALL,
        "1 GiB of text, invalid from its first octet",
    )
    .ends(&["close 1007"]),
    alone("slow reader", "write-stall", ALL, "64 MiB to be echoed, nothing read")
        .ends(&["cut", "close"])
        .memory(28)
        .within(20),
    alone(
        "trickled message",
        "slow-message",
        ALL,
        "a message that grows by an octet each 200 ms, never ends",
    )
    .ends(&["close 1008"]),
    alone(
        "silent peer",
        "silent-peer",
        ALL,
        "an open WebSocket that says nothing and answers no ping",
    )
    .ends(&["close 1001"]),
    alone(
        "data after the close",
        "open-after-close",
        ALL,
        "a close frame, and data behind it without end",
    )
    .ends(&["cut"]),
    alone("masked the wrong way", "unmasked-frames", ALL, "a frame with a mask")
        .ends(&["close 1002"]),
    alone(
        "h2 connection that says nothing",
        "slow-handshake",
        CALLED_H2,
        "no SETTINGS, and nothing else",
    )
    .ends(&["GOAWAY", "cut"]),
    alone("h2 no answer", "slow-handshake", CALLED_H2, "a request left unanswered").ends(&[
        "RST_STREAM",
        "GOAWAY",
        "cut",
    ]),
    alone("h2 settings", "frame-flood", CALLED_H2, "1,000,000 SETTINGS, no answer read").ends(&[
        "held back",
        "GOAWAY",
        "cut",
    ]),
    alone("h2 pings", "frame-flood", CALLED_H2, "1,000,000 PINGs, no answer read").ends(&[
        "held back",
        "GOAWAY",
        "cut",
    ]),
    alone("h2 unknown frames", "frame-flood", CALLED_H2, "1,000,000 frames of an unknown type")
        .ends(&["open", "RST_STREAM", "GOAWAY", "cut"]),
    alone("h2 header continuations", "continuation-flood", CALLED_H2, "100 MiB of CONTINUATION")
        .ends(&["GOAWAY", "cut"]),
    alone(
        "h2 oversized field section",
        "header-size",
        CALLED_H2,
        "an answer of 4 MiB of header fields",
    )
    .ends(&["GOAWAY", "RST_STREAM", "cut"]),
    alone(
        "h2 endless interim answers",
        "header-size",
        CALLED_H2,
        "1,000,000 answers with status 103",
    )
    .ends(&["open", "RST_STREAM", "GOAWAY", "cut"]),
    alone("h2 endless body of a refusal", "header-size", CALLED_H2, "403 and 100 MiB of body")
        .ends(&["RST_STREAM", "GOAWAY", "cut"]),
    alone("h2 pushed streams", "stream-limit", CALLED_H2, "100,000 promises that nobody allowed")
        .ends(&["GOAWAY 1", "cut"]),
    alone("h2 empty data", "frame-flood", CALLED_H2, "500,000 DATA frames without an octet")
        .ends(&["GOAWAY", "RST_STREAM"]),
    alone(
        "h2 one-octet data",
        "tiny-reads",
        CALLED_H2,
        "a message of 1 MiB in DATA frames of one octet",
    )
    .ends(&["GOAWAY", "RST_STREAM", "open"])
    .within(300),
    alone(
        "h2 window of one octet",
        "window-stall",
        CALLED_H2,
        "an echo of 60 KiB read through a window of one octet",
    )
    .ends(&["2000 octets came", "GOAWAY", "RST_STREAM"])
    .within(60),
    alone(
        "h2 window never opened",
        "window-stall",
        CALLED_H2,
        "an echo of 60 KiB, the window never opened",
    )
    .ends(&["RST_STREAM", "GOAWAY", "cut"])
    .within(20),
    alone(
        "h3 connection that says nothing",
        "slow-handshake",
        H3,
        "a QUIC connection without SETTINGS",
    )
    .ends(&["H3 error", "cut"]),
    alone("h3 no answer", "slow-handshake", H3, "a request left unanswered")
        .ends(&["stopped", "H3 error", "cut"]),
    alone(
        "h3 unknown frames",
        "frame-flood",
        H3,
        "1,000,000 frames of an unknown type before the answer",
    )
    .ends(&["stopped", "H3 error"]),
    alone(
        "h3 unknown frames of control",
        "frame-flood",
        H3,
        "1,000,000 frames of an unknown type on the control stream",
    )
    .ends(&["H3 error"]),
    alone(
        "h3 unknown frame without end",
        "frame-flood",
        H3,
        "256 MiB of a frame of 2^62 - 1 octets of an unknown type",
    )
    .ends(&["stopped", "H3 error"]),
    alone("h3 oversized field section", "header-size", H3, "an answer of 4 MiB of header fields")
        .ends(&["stopped", "H3 error"]),
    alone("h3 endless interim answers", "header-size", H3, "1,000,000 answers with status 103")
        .ends(&["stopped", "H3 error"]),
    alone("h3 endless body of a refusal", "header-size", H3, "403 and 100 MiB of body")
        .ends(&["stopped", "H3 error"]),
    alone("h3 streams of unknown types", "stream-limit", H3, "100,000 streams of an unknown type")
        .ends(&["H3 error"]),
    alone("h3 empty data", "frame-flood", H3, "500,000 DATA frames without an octet")
        .ends(&["stopped", "H3 error 0x107"]),
    alone("h3 one-octet data", "tiny-reads", H3, "a message of 1 MiB in DATA frames of one octet")
        .ends(&["stopped", "H3 error"])
        .within(300),
];
