//! Names, sockets and listeners of tokio.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::task::unconstrained;
use ws_endpoint::{Listener, Net};

use crate::{Io, Tokio};

// What is waited for once cannot make a task run without end, so the turn of its task is not asked.
impl Net for Tokio {
    type Tcp = Io<TcpStream>;
    type TcpListener = TcpListener;
    #[cfg(unix)]
    type Unix = Io<UnixStream>;
    #[cfg(unix)]
    type UnixListener = UnixListener;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(unconstrained(tokio::net::lookup_host((host, port))).await?.collect())
    }

    async fn connect_tcp(&self, address: SocketAddr) -> io::Result<Self::Tcp> {
        let stream = unconstrained(TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        Ok(stream.into())
    }

    fn listen_tcp(&self, socket: std::net::TcpListener) -> io::Result<TcpListener> {
        Ok(TcpListener(tokio::net::TcpListener::from_std(socket)?))
    }

    #[cfg(feature = "h3")]
    fn quic_runtime(&self) -> io::Result<std::sync::Arc<dyn quinn::Runtime>> {
        Ok(std::sync::Arc::new(quinn::TokioRuntime))
    }

    #[cfg(unix)]
    async fn connect_unix(&self, path: &Path) -> io::Result<Self::Unix> {
        Ok(unconstrained(UnixStream::connect(path)).await?.into())
    }

    #[cfg(unix)]
    fn listen_unix(&self, socket: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        Ok(UnixListener(tokio::net::UnixListener::from_std(socket)?))
    }
}

/// A TCP listener of tokio.
#[derive(Debug)]
pub struct TcpListener(tokio::net::TcpListener);

impl Listener for TcpListener {
    type Connection = Io<TcpStream>;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Connection>> {
        let (stream, peer) = ready!(self.0.poll_accept(cx))?;
        // Fails only on a connection that is gone already, which its first read will say.
        let _ = stream.set_nodelay(true);
        Poll::Ready(Ok(Io::from_tcp(stream, peer)))
    }
}

/// A Unix listener of tokio.
#[cfg(unix)]
#[derive(Debug)]
pub struct UnixListener(tokio::net::UnixListener);

#[cfg(unix)]
impl Listener for UnixListener {
    type Connection = Io<UnixStream>;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Connection>> {
        let (stream, _unnamed) = ready!(self.0.poll_accept(cx))?;
        Poll::Ready(Ok(stream.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    #[should_panic(expected = "there is no reactor running")]
    fn listening_outside_of_a_runtime_panics() {
        let _never = crate::server().listen(SocketAddr::from(([127, 0, 0, 1], 0)));
    }

    #[tokio::test]
    async fn small_frames_are_not_held_back_on_either_side() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("not blocking");
        let address = socket.local_addr().expect("an address");
        let mut listener = Tokio.listen_tcp(socket).expect("a listener");
        let client = Tokio.connect_tcp(address).await.expect("connected");
        let server = poll_fn(|cx| listener.poll_accept(cx)).await.expect("accepted");
        for stream in [client, server] {
            assert!(stream.get_ref().nodelay().expect("an option of the socket"));
        }
    }
}
