//! The command line.

use std::path::PathBuf;
use std::sync::Arc;

use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt as _;
use ws_examples::{arguments, limits};
use ws_stack::endpoint::{CloseCode, ConnectOptions, HttpPolicy};
use ws_stack::session::Config;

use crate::load::Load;

const USAGE: &str = "\
Talks to a WebSocket server.

usage: echo_client [options] URL

without a mode: each line typed is sent, and what comes is shown, until the end of the input

  --check                 hold a whole conversation with an echo server and verify each answer
    --no-ping-between       without the ping between the fragments of a message
  --count N               send N random text and binary messages, verify each echo, print rate
                          and latency
    --size SIZE[,SIZE…]     of these sizes in turn, such as 16,1k,64k (16)
    --depth N               with so many on their way at a time (1), up to about 64 kB of them
  --reflect               send every data message back until the server ends

  --close CODE[,REASON]   how to end (1000); without a mode: end at once
  --ca FILE               trust the authorities in this PEM file instead of the system's
  --insecure              trust anyone
  --unix PATH             connect to a Unix socket; URL gives host and resource
  --over h1|h2|h3|best    the HTTP version to connect by (best)
  --deflate               offer compression (RFC 7692)
  --subprotocol NAME      offer this subprotocol; may be repeated, favourite first
  --header 'NAME: VALUE'  send this header field; may be repeated
  --origin ORIGIN         say which page is connecting
  --runtime NAME          tokio, async-std or smol (tokio)
  --timeout SECONDS       longest handshake, from the name to the answer (15)";

const EXIT: &str =
    "exit status: 0 all was right, the answer to the close included; 1 it was not; 2 wrong usage";

/// What the user wants.
pub(crate) struct Options {
    pub(crate) url: String,
    pub(crate) mode: Mode,
    pub(crate) close: (CloseCode, String),
    pub(crate) ca: Option<PathBuf>,
    pub(crate) insecure: bool,
    pub(crate) unix: Option<PathBuf>,
    pub(crate) over: HttpPolicy,
    pub(crate) platform: Platform,
    pub(crate) connect: ConnectOptions,
}

/// The runtime to run on.
#[derive(Clone, Copy)]
pub(crate) enum Platform {
    Tokio,
    AsyncStd,
    Smol,
}

/// What to do once connected.
pub(crate) enum Mode {
    Console,
    Check { ping_between: bool },
    Load(Load),
    Reflect,
    CloseOnly,
}

impl Options {
    pub(crate) fn read() -> Result<Self, lexopt::Error> {
        let mut options = Self {
            url: String::new(),
            mode: Mode::Console,
            close: (CloseCode::NORMAL, String::new()),
            ca: None,
            insecure: false,
            unix: None,
            over: HttpPolicy::Best,
            platform: Platform::Tokio,
            connect: ConnectOptions::default(),
        };
        let mut load = Load::default();
        let mut session = Config::default();
        let mut parser = lexopt::Parser::from_env();
        let parser = &mut parser;
        while let Some(argument) = parser.next()? {
            match argument {
                Long("check") => options.mode = Mode::Check { ping_between: true },
                Long("no-ping-between") => options.mode = Mode::Check { ping_between: false },
                Long("reflect") => options.mode = Mode::Reflect,
                Long("count") => load.count = arguments::value(parser)?,
                Long("size") => load.sizes = arguments::sizes(parser)?,
                Long("depth") => load.depth = arguments::value(parser)?,
                Long("close") => {
                    options.close = close(&arguments::text(parser)?)?;
                    if let Mode::Console = options.mode {
                        options.mode = Mode::CloseOnly;
                    }
                }
                Long("ca") => options.ca = Some(arguments::value(parser)?),
                Long("insecure") => options.insecure = true,
                Long("unix") => options.unix = Some(arguments::value(parser)?),
                Long("over") => options.over = over(&arguments::text(parser)?)?,
                Long("deflate") => options.connect.deflate = Some(Default::default()),
                Long("subprotocol") => {
                    options.connect.subprotocols.push(arguments::text(parser)?);
                }
                Long("header") => options.connect.headers.push(arguments::header(parser)?),
                Long("origin") => options.connect.origin = Some(arguments::text(parser)?),
                Long("runtime") => options.platform = platform(&arguments::text(parser)?)?,
                Long("timeout") => {
                    options.connect.handshake_timeout = arguments::seconds(parser)?;
                }
                Long("help") | Short('h') => {
                    arguments::help(&format!("{USAGE}\n\n{}\n\n{EXIT}", limits::USAGE));
                }
                Long(name) => {
                    let name = name.to_owned();
                    if !limits::read(&name, parser, &mut session)? {
                        return Err(lexopt::Error::UnexpectedOption(format!("--{name}")));
                    }
                }
                Value(url) if options.url.is_empty() => options.url = url.string()?,
                other => return Err(other.unexpected()),
            }
        }
        if options.url.is_empty() {
            return Err("which URL".into());
        }
        options.connect.session = Arc::new(session);
        if load.count > 0 {
            options.mode = Mode::Load(load);
        }
        Ok(options)
    }
}

fn close(text: &str) -> Result<(CloseCode, String), lexopt::Error> {
    let (code, reason) = text.split_once(',').unwrap_or((text, ""));
    let code = code.parse().map_err(|_| format!("--close takes a number, not {code:?}"))?;
    Ok((CloseCode::new(code), reason.to_owned()))
}

fn platform(text: &str) -> Result<Platform, lexopt::Error> {
    match text {
        "tokio" => Ok(Platform::Tokio),
        "async-std" => Ok(Platform::AsyncStd),
        "smol" => Ok(Platform::Smol),
        _ => Err(format!("--runtime is tokio, async-std or smol, not {text:?}").into()),
    }
}

fn over(text: &str) -> Result<HttpPolicy, lexopt::Error> {
    match text {
        "h1" => Ok(HttpPolicy::H1),
        "h2" => Ok(HttpPolicy::H2),
        "h3" => Ok(HttpPolicy::H3),
        "best" => Ok(HttpPolicy::Best),
        _ => Err(format!("--over is h1, h2, h3 or best, not {text:?}").into()),
    }
}
