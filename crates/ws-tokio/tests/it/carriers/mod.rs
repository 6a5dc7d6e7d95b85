//! The same bodies over every carrier: what holds over HTTP/1.1 holds over HTTP/2 and HTTP/3.

mod budget;
mod ends;
mod handshakes;
mod messages;
mod over;
#[cfg(feature = "h2")]
mod pages;
#[cfg(feature = "h3")]
mod quic;
#[cfg(feature = "h2")]
mod refused;
#[cfg(all(feature = "h2", feature = "h3"))]
mod tls;
#[cfg(feature = "h2")]
mod versions;
