//! One driver for WebSocket sessions over any transport and any runtime.

mod accept_options;
mod agreed;
mod client;
mod connect_options;
mod connection;
mod duplex;
mod error;
mod futures_io;
mod handler;
mod handshake;
mod mailbox;
mod page;
mod read_budget;
mod runtime;
mod sender;
mod server;
mod split;
mod stream_sink;
mod transport;
mod upgrade_info;
mod websocket;

pub use accept_options::AcceptOptions;
pub use agreed::Agreed;
pub use client::connect;
pub use connect_options::ConnectOptions;
pub use duplex::{Duplex, duplex};
pub use error::Error;
pub use futures_io::FuturesIo;
pub use handler::{Fault, Flow, Handler, Peer, Terminated, run};
pub use mailbox::{Inbox, Mailbox, MailboxError, mailbox};
pub use page::{Page, PageRequest};
pub use runtime::{Runtime, Timer};
pub use sender::{Sender, TrySendError};
pub use server::{Arrival, Incoming, accept, receive, receive_any};
pub use split::{Reader, ReuniteError, Writer};
pub use transport::Transport;
pub use upgrade_info::UpgradeInfo;
pub use websocket::{Chunk, Parts, WebSocket};

pub use ws_h1_upgrade::{OriginPolicy, Refusal, Request, SubprotocolPolicy, WsUri};
