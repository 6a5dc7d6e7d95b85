//! The server that is judged, as a URL names it.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server to be judged: `ws://host:port/path` or `wss://…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub(crate) secure: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
}

impl Target {
    /// A connection of TCP.
    pub(crate) async fn dial(&self) -> io::Result<TcpStream> {
        let bare = self.host.trim_matches(['[', ']']);
        let stream = timeout(Duration::from_secs(10), TcpStream::connect((bare, self.port)))
            .await
            .map_err(|_| io::Error::other("no connection within 10 s"))??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// The value of the `Host` field.
    pub(crate) fn authority(&self) -> String {
        let default = if self.secure { 443 } else { 80 };
        if self.port == default {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = url.split_once("://").ok_or("a URL begins with ws:// or wss://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            other => return Err(format!("{other:?} is no scheme of WebSocket")),
        };
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let after_bracket = authority.rfind(']').unwrap_or(0);
        let colon = authority.get(after_bracket..).and_then(|tail| tail.find(':'));
        let (host, port) = match colon.map(|at| authority.split_at(after_bracket + at)) {
            Some((host, port)) => {
                let digits = port.trim_start_matches(':');
                (host, digits.parse().map_err(|_| format!("{digits:?} is no port"))?)
            }
            None => (authority, if secure { 443 } else { 80 }),
        };
        if host.is_empty() {
            return Err("the URL names no host".into());
        }
        Ok(Self { secure, host: host.to_owned(), port, path })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: WS-3-01, WS-3-02, WS-3-03
    #[test]
    fn urls_are_read() {
        let table = [
            ("ws://a", "ws://a/", 80),
            ("WSS://a:9001/x?y", "wss://a:9001/x?y", 9001),
            ("ws://[::1]:7?q", "ws://[::1]:7/?q", 7),
            ("ws://[::1]", "ws://[::1]/", 80),
        ];
        for (url, printed, port) in table {
            let target: Target = url.parse().expect("a valid URL");
            assert_eq!((target.to_string().as_str(), target.port), (printed, port));
        }
        for bad in ["a", "http://a", "ws://", "ws://a:x"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
