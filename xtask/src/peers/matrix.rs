//! The table: every peer in every role that it can play, and how its script is called.
//!
//! In the arguments `{url}` is the address of the server, `{origin}` that of its pages, `{ca}` the file with the certificate
//! authority to trust, and `{count}` how many messages go through each set of deflate's parameters.

use super::install::{Gateway, Need};

/// What the peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
    /// Stands between our client and our server.
    Gateway,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Gateway => "gateway",
        }
    }
}

/// One run of one peer.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) peer: &'static str,
    pub(super) role: Role,
    pub(super) carrier: &'static str,
    /// The word for the table: `h1`, `h1 tls`, `h1 deflate`.
    pub(super) what: &'static str,
    /// `ws` or `wss`.
    pub(super) scheme: &'static str,
    pub(super) needs: Need,
    /// Below `tests/peers`.
    pub(super) script: &'static str,
    pub(super) theirs: &'static [&'static str],
    /// More options for our echo server (peer is a client) or echo client (peer is a server).
    pub(super) ours: &'static [&'static str],
    /// How many addresses a peer that serves prints; our client goes to each.
    pub(super) endpoints: usize,
    /// The peer that serves ends by itself, and its exit status counts too.
    pub(super) judges: bool,
    /// The peer is at fault on purpose: our client must end with an error.
    pub(super) refused: bool,
    /// What our client must print, its input held open until the peer ends the connection.
    pub(super) shows: Option<&'static str>,
}

const fn client(
    peer: &'static str,
    what: &'static str,
    scheme: &'static str,
    needs: Need,
    script: &'static str,
    theirs: &'static [&'static str],
) -> Row {
    Row {
        peer,
        role: Role::Client,
        carrier: "h1",
        what,
        scheme,
        needs,
        script,
        theirs,
        ours: &[],
        endpoints: 1,
        judges: false,
        refused: false,
        shows: None,
    }
}

const fn server(
    peer: &'static str,
    what: &'static str,
    needs: Need,
    script: &'static str,
    theirs: &'static [&'static str],
    ours: &'static [&'static str],
) -> Row {
    Row { role: Role::Server, ours, ..client(peer, what, "ws", needs, script, theirs) }
}

/// Our client, our server and what stands between them, which prints `endpoints` addresses.
const fn gateway(
    peer: &'static str,
    what: &'static str,
    gateway: Gateway,
    theirs: &'static [&'static str],
    ours: &'static [&'static str],
    endpoints: usize,
) -> Row {
    let row = server(peer, what, Need::Gateway(gateway), GATEWAY, theirs, ours);
    Row { role: Role::Gateway, endpoints, ..row }
}

impl Row {
    const fn over(self, carrier: &'static str) -> Self {
        Self { carrier, ..self }
    }

    const fn secure(self) -> Self {
        Self { scheme: "wss", ..self }
    }

    const fn ours(self, ours: &'static [&'static str]) -> Self {
        Self { ours, ..self }
    }

    const fn endpoints(self, endpoints: usize) -> Self {
        Self { endpoints, ..self }
    }

    const fn refused(self) -> Self {
        Self { refused: true, ..self }
    }

    /// Our client, left alone by its user, reports the end that the peer chose.
    const fn shows(self, text: &'static str) -> Self {
        Self { shows: Some(text), refused: true, ..self }
    }

    const fn judges(self) -> Self {
        Self { judges: true, ..self }
    }
}

/// As many parameter sets as the deflate scripts go through.
const DEFLATE_SETS: usize = 88;
const DEFLATE_CLIENT: &[&str] = &["{url}", "--deflate", "--count", "{count}"];
const DEFLATE_REFLECTED: &[&str] = &["--deflate", "--send-close", "4001,bye", "--count", "{count}"];

/// Our server gives its contexts up whenever it waits.
const RELEASED: &[&str] = &["--deflate-release", "0"];

/// wsproto 1.3.2 ends a compressed message at a control frame between its fragments, so our client
/// leaves that one ping out; all else is compressed as everywhere.
const NO_PING_BETWEEN: &str = "--no-ping-between";

const PY_CLIENT: &str = "python/h1_client.py";
const PY_SERVER: &str = "python/h1_server.py";
const NODE_CLIENT: &str = "node/ws_client.js";
const NODE_SERVER: &str = "node/ws_server.js";
const BROWSER: &str = "node/browser.js";
const PY_H2_CLIENT: &str = "python/h2_client.py";
const PY_H2_SERVER: &str = "python/h2_server.py";
const PY_H3_CLIENT: &str = "python/h3_client.py";
const PY_H3_SERVER: &str = "python/h3_server.py";
const HTTP2_CLIENT: &str = "node/http2_client.js";
const HTTP2_SERVER: &str = "node/http2_server.js";
const GATEWAY: &str = "python/gateway.py";

/// What our client does in front of a gateway, where HTTP/1.1 is spoken, where HTTP/2 is, and where it
/// has to find out; and as a page that the gateway serves.
const AHEAD: &[&str] = &["--check", "--deflate", "--over", "h1"];
const AHEAD_H2: &[&str] = &["--check", "--deflate", "--over", "h2", "--ca", "{ca}"];
const AHEAD_BEST: &[&str] = &["--check", "--deflate", "--ca", "{ca}"];
const AHEAD_AS_PAGE: &[&str] = &["--check", "--deflate", "--over", "h1", "--origin", "{origin}"];

pub(super) const ROWS: &[Row] = &[
    client("websockets", "h1", "ws", Need::Websockets, PY_CLIENT, &["{url}"]),
    client("websockets", "h1 tls", "wss", Need::Websockets, PY_CLIENT, &["{url}", "--ca", "{ca}"]),
    client("websockets", "h1 deflate", "ws", Need::Websockets, PY_CLIENT, DEFLATE_CLIENT),
    client("websockets", "h1 deflate released", "ws", Need::Websockets, PY_CLIENT, DEFLATE_CLIENT)
        .ours(RELEASED),
    server("websockets", "h1", Need::Websockets, PY_SERVER, &[], &["--check"]),
    server(
        "websockets",
        "h1 deflate",
        Need::Websockets,
        PY_SERVER,
        &["--deflate"],
        &["--check", "--deflate"],
    )
    .endpoints(DEFLATE_SETS),
    server(
        "websockets",
        "h1 deflate reflected",
        Need::Websockets,
        PY_SERVER,
        DEFLATE_REFLECTED,
        &["--reflect", "--deflate"],
    )
    .endpoints(DEFLATE_SETS)
    .judges(),
    server(
        "websockets",
        "h1 tls",
        Need::Websockets,
        PY_SERVER,
        &["--tls", "--ca-out", "{ca}"],
        &["--check", "--ca", "{ca}"],
    )
    .secure(),
    server(
        "websockets",
        "h1 close from us",
        Need::Websockets,
        PY_SERVER,
        &["--expect-close", "4001,bye"],
        &["--close", "4001,bye"],
    )
    .judges(),
    server(
        "websockets",
        "h1 close from them",
        Need::Websockets,
        PY_SERVER,
        &["--send-close", "4001,bye"],
        &["--reflect"],
    )
    .judges(),
    client("ws", "h1", "ws", Need::Ws, NODE_CLIENT, &["{url}"]),
    client("ws", "h1 tls", "wss", Need::Ws, NODE_CLIENT, &["{url}", "--ca", "{ca}"]),
    client("ws", "h1 deflate", "ws", Need::Ws, NODE_CLIENT, DEFLATE_CLIENT),
    client("ws", "h1 deflate released", "ws", Need::Ws, NODE_CLIENT, DEFLATE_CLIENT).ours(RELEASED),
    server("ws", "h1", Need::Ws, NODE_SERVER, &[], &["--check"]),
    server("ws", "h1 deflate", Need::Ws, NODE_SERVER, &["--deflate"], &["--check", "--deflate"])
        .endpoints(DEFLATE_SETS),
    server(
        "ws",
        "h1 deflate reflected",
        Need::Ws,
        NODE_SERVER,
        DEFLATE_REFLECTED,
        &["--reflect", "--deflate"],
    )
    .endpoints(DEFLATE_SETS)
    .judges(),
    server(
        "ws",
        "h1 close from us",
        Need::Ws,
        NODE_SERVER,
        &["--expect-close", "4001,bye"],
        &["--close", "4001,bye"],
    )
    .judges(),
    server("ws", "h1 close from them", Need::Ws, NODE_SERVER, &["--send-close", "4001,bye"], &[])
        .shows("closed with 4001 \"bye\"")
        .judges(),
    client("chromium", "h1", "ws", Need::Chromium, BROWSER, &["{url}", "--deflate"]),
    client("chromium", "h1 tls", "wss", Need::Chromium, BROWSER, &["{url}", "--deflate"]),
    client("h2", "h2", "ws", Need::PythonH2, PY_H2_CLIENT, &["{url}"]).over("h2"),
    client("h2", "h2 tls", "wss", Need::PythonH2, PY_H2_CLIENT, &["{url}", "--ca", "{ca}"])
        .over("h2"),
    server("h2", "h2", Need::PythonH2, PY_H2_SERVER, &[], &["--check", "--over", "h2"]).over("h2"),
    server(
        "h2",
        "h2 tls",
        Need::PythonH2,
        PY_H2_SERVER,
        &["--tls", "--ca-out", "{ca}"],
        &["--check", "--over", "h2", "--ca", "{ca}"],
    )
    .secure()
    .over("h2"),
    server(
        "h2",
        "h2 deflate",
        Need::PythonH2,
        PY_H2_SERVER,
        &["--deflate"],
        &["--check", "--over", "h2", "--deflate", NO_PING_BETWEEN],
    )
    .over("h2"),
    server(
        "h2",
        "h2 without the setting",
        Need::PythonH2,
        PY_H2_SERVER,
        &["--no-setting"],
        &["--check", "--over", "h2"],
    )
    .refused()
    .over("h2"),
    client("http2", "h2", "ws", Need::Node, HTTP2_CLIENT, &["{url}"]).over("h2"),
    client("http2", "h2 tls", "wss", Need::Node, HTTP2_CLIENT, &["{url}", "--ca", "{ca}"])
        .over("h2"),
    server("http2", "h2", Need::Node, HTTP2_SERVER, &[], &["--check", "--over", "h2"]).over("h2"),
    server(
        "http2",
        "h2 tls",
        Need::NodeTls,
        HTTP2_SERVER,
        &["--tls", "--ca-out", "{ca}"],
        &["--check", "--over", "h2", "--ca", "{ca}"],
    )
    .secure()
    .over("h2"),
    client(
        "chromium",
        "h2",
        "wss",
        Need::Chromium,
        BROWSER,
        &["{url}", "--deflate", "--over", "h2"],
    )
    .over("h2"),
    client(
        "aioquic",
        "h3",
        "wss",
        Need::Aioquic,
        PY_H3_CLIENT,
        &["{url}", "--ca", "{ca}", "--page"],
    )
    .over("h3"),
    server(
        "aioquic",
        "h3",
        Need::Aioquic,
        PY_H3_SERVER,
        &["--ca-out", "{ca}"],
        &["--check", "--over", "h3", "--ca", "{ca}"],
    )
    .secure()
    .over("h3"),
    server(
        "aioquic",
        "h3 deflate",
        Need::Aioquic,
        PY_H3_SERVER,
        &["--ca-out", "{ca}", "--deflate"],
        &["--check", "--over", "h3", "--ca", "{ca}", "--deflate", NO_PING_BETWEEN],
    )
    .secure()
    .over("h3"),
    server(
        "aioquic",
        "h3 without the setting",
        Need::Aioquic,
        PY_H3_SERVER,
        &["--ca-out", "{ca}", "--no-setting"],
        &["--check", "--over", "h3", "--ca", "{ca}"],
    )
    .secure()
    .refused()
    .over("h3"),
    client(
        "chromium",
        "h3",
        "wss",
        Need::Chromium,
        BROWSER,
        &["{url}", "--deflate", "--over", "h3"],
    )
    .over("h3"),
    gateway("haproxy", "h1", Gateway::Haproxy, &["haproxy"], AHEAD, 4),
    gateway("haproxy", "h2", Gateway::Haproxy, &["haproxy"], AHEAD_H2, 4).secure().over("h2"),
    gateway("nginx", "h1", Gateway::Nginx, &["nginx"], AHEAD_AS_PAGE, 2),
    gateway("nginx", "best", Gateway::Nginx, &["nginx"], AHEAD_BEST, 2).secure(),
    gateway("apache", "h1", Gateway::Apache, &["apache"], AHEAD_AS_PAGE, 2),
    gateway("apache", "h2", Gateway::Apache, &["apache"], AHEAD_H2, 2).secure().over("h2"),
    gateway("nghttpx", "h1", Gateway::Nghttpx, &["nghttpx"], AHEAD, 2),
    gateway("nghttpx", "h2", Gateway::Nghttpx, &["nghttpx"], AHEAD_H2, 2).secure().over("h2"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn every_script_in_the_table_exists() {
        for row in ROWS {
            let path = workspace::root().join("tests/peers").join(row.script);
            assert!(path.is_file(), "{}", row.script);
        }
    }
}
