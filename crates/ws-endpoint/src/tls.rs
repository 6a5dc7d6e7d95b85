//! TLS over any transport, by rustls, for every runtime alike.
//!
//! One implementation instead of one per runtime: ciphertext is read in large pieces through the
//! transport below, plaintext is copied once and into spare capacity that was never zeroed, and
//! what is written in one turn shares records. Certificates and protocol versions are rustls'
//! business; this module only moves bytes and says what an error means.

mod config;

use std::fmt;
use std::future::poll_fn;
use std::io::{self, BufRead as _, IoSlice, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut as _, BytesMut};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use ws_io::{Runtime, Transport};
use ws_session::TransportError;

use crate::deadline::Patience;
use crate::read_buffer::ReadBuffer;
use crate::slices::Slices;

pub use config::platform_config;
use config::without_early_data;
pub(crate) use config::{client_with_alpn, server_with_alpn};

/// A TLS stream over `T`.
///
/// A peer that goes away without `close_notify` reads as an ordinary end: WebSocket has its own
/// close frame, so a cut connection is noticed one floor above.
pub struct Tls<T> {
    io: T,
    connection: Connection,
    /// Ciphertext that rustls has not taken yet.
    incoming: BytesMut,
    /// What broke the stream, for the reads after the last good plaintext.
    failure: Option<rustls::Error>,
    /// Whether the transport below has taken ciphertext since that was last asked.
    has_progress: bool,
    closing: bool,
}

impl<T: Transport> Tls<T> {
    /// Performs the handshake of a client. `name` goes out as SNI and is what the certificate must
    /// be valid for.
    ///
    /// There is no deadline here; the caller has one for the whole opening handshake.
    ///
    /// # Errors
    ///
    /// The transport failed, the certificate was refused by either side, or the peer does not speak
    /// TLS.
    pub async fn connect(
        io: T,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, TransportError> {
        let connection = ClientConnection::new(config, name).map_err(broken);
        Self::handshake(io, connection.map(Connection::Client), |_, _| Poll::Pending).await
    }

    /// Performs the handshake of a server. Early data (RFC 8446 §2.3) is refused, whatever `config` says:
    /// who has seen it can send it again, and a request for a WebSocket is to be acted upon.
    ///
    /// There is no deadline here; the caller has one for the whole opening handshake.
    ///
    /// # Errors
    ///
    /// The transport failed, the certificate was refused by either side, or the peer does not speak
    /// TLS.
    pub async fn accept(io: T, config: Arc<ServerConfig>) -> Result<Self, TransportError> {
        Self::handshake(io, server(config), |_, _| Poll::Pending).await
    }

    /// As [`accept`](Self::accept), and gives up on a client that tries this patience.
    pub(crate) async fn accept_patiently<R: Runtime>(
        io: T,
        config: Arc<ServerConfig>,
        mut patience: Patience<'_, R>,
    ) -> Result<Self, TransportError> {
        Self::handshake(io, server(config), |cx, has_heard| patience.poll_end(cx, has_heard)).await
    }

    /// The application protocol both sides agreed on (RFC 7301), `h2` or `http/1.1`.
    #[must_use]
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        self.connection.alpn_protocol()
    }

    /// The TLS session: certificates of the peer, cipher suite, SNI.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The transport below.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// `gives_up` is asked whenever the peer is waited for, and told whether it was heard since.
    async fn handshake(
        io: T,
        connection: io::Result<Connection>,
        mut gives_up: impl FnMut(&mut Context<'_>, bool) -> Poll<()>,
    ) -> Result<Self, TransportError> {
        let connection = match connection {
            Ok(connection) => connection,
            Err(error) => return Err(classify(error, |error| io.classify(error))),
        };
        let mut tls = Self {
            io,
            connection,
            incoming: BytesMut::new(),
            failure: None,
            has_progress: false,
            closing: false,
        };
        let mut has_heard = false;
        let result = poll_fn(|cx| match tls.poll_handshake(cx, &mut has_heard) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => gives_up(cx, std::mem::take(&mut has_heard)).map(|()| None),
        });
        match result.await {
            Some(Ok(())) => Ok(tls),
            Some(Err(error)) => Err(tls.classify(error)),
            None => Err(TransportError::Timeout),
        }
    }

    fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
        has_heard: &mut bool,
    ) -> Poll<io::Result<()>> {
        loop {
            let sent = self.poll_flush(cx)?;
            if !self.connection.is_handshaking() {
                return match self.connection {
                    Connection::Client(_) => sent.map(Ok),
                    // What is left are session tickets, for which nobody may be waiting.
                    Connection::Server(_) => Poll::Ready(Ok(())),
                };
            }
            // Reads even while it cannot write: the peer may be stuck in the same way.
            if self.incoming.is_empty() {
                if ready!(self.poll_receive(cx, CIPHERTEXT))? == 0 {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                *has_heard = true;
            }
            if let Err(error) = self.decrypt() {
                return Poll::Ready(Err(self.told(cx, error)));
            }
        }
    }

    /// The error, of which the peer has been told by an alert, if it is still there to be told: where it
    /// has gone, that is not what broke the stream.
    fn told(&mut self, cx: &mut Context<'_>, error: io::Error) -> io::Error {
        let _unheard = self.poll_send(cx);
        error
    }

    /// Reads at most [`CIPHERTEXT`] bytes of it, when there is none; 0 is the end of the stream, and
    /// rustls has been told.
    fn poll_receive(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<usize>> {
        if !self.incoming.try_reclaim(max) {
            self.incoming = ReadBuffer::borrow(&BUFFER);
        }
        let read = match self.io.poll_read(cx, &mut self.incoming, max) {
            Poll::Ready(read) => read?,
            Poll::Pending => {
                // At rest nothing is held for the peer. rustls makes its buffer small again when it
                // is to read and nothing is in it.
                ReadBuffer::give_back(&BUFFER, &mut self.incoming);
                let _waits = self.connection.read_tls(&mut Silence);
                return Poll::Pending;
            }
        };
        if read == 0 {
            self.connection.read_tls(&mut io::empty())?;
        }
        Poll::Ready(Ok(read))
    }

    /// Hands rustls the next piece of `incoming`.
    fn decrypt(&mut self) -> io::Result<()> {
        if let Some(failure) = &self.failure {
            return Err(broken(failure.clone()));
        }
        let mut source = &self.incoming[..];
        let taken = self.connection.read_tls(&mut source)?;
        self.incoming.advance(taken);
        self.connection.process_new_packets().map_err(|error| {
            self.failure = Some(error.clone());
            broken(error)
        })?;
        Ok(())
    }

    /// Copies decrypted bytes; 0 means there are none, `None` that there will be none.
    fn take_plaintext(&mut self, buf: &mut BytesMut, max: usize) -> io::Result<Option<usize>> {
        let mut total = 0;
        while total < max {
            let mut reader = self.connection.reader();
            let chunk = match reader.fill_buf() {
                Ok([]) if total == 0 => return Ok(None),
                Ok([]) => break,
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && total == 0 => {
                    return Ok(None);
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            };
            let taken = chunk.len().min(max - total);
            buf.put_slice(chunk.get(..taken).unwrap_or_default());
            reader.consume(taken);
            total += taken;
        }
        Ok(Some(total))
    }

    /// Writes ciphertext until there is none left.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.connection.wants_write() {
            let mut sink = Sink { io: &mut self.io, cx };
            match self.connection.write_tls(&mut sink) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => self.has_progress = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Encrypts as much of `buf` as rustls takes before it wants to be emptied.
    fn encrypt(&mut self, buf: &mut dyn Buf) -> io::Result<usize> {
        let chunk = buf.chunk();
        let taken = if chunk.len() == buf.remaining() {
            self.connection.writer().write(chunk)?
        } else {
            let mut slices = [IoSlice::new(&[]); 16];
            let count = buf.chunks_vectored(&mut slices);
            self.connection.writer().write_vectored(slices.get(..count).unwrap_or(&[]))?
        };
        buf.advance(taken);
        Ok(taken)
    }
}

impl<T: Transport> Transport for Tls<T> {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        let mut total = 0;
        loop {
            match self.take_plaintext(buf, max - total)? {
                None => return Poll::Ready(Ok(total)),
                Some(taken) => total += taken,
            }
            if total == max || (total > 0 && self.incoming.is_empty()) {
                return Poll::Ready(Ok(total));
            }
            if self.incoming.is_empty() && self.failure.is_none() {
                let room = max.clamp(SMALLEST_READ, CIPHERTEXT);
                if ready!(self.poll_receive(cx, room))? == 0 {
                    continue;
                }
            }
            if let Err(error) = self.decrypt() {
                if total > 0 {
                    // Good plaintext goes first; the failure is kept for the next call.
                    return Poll::Ready(Ok(total));
                }
                return Poll::Ready(Err(self.told(cx, error)));
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        loop {
            let taken = self.encrypt(buf)?;
            if taken > 0 {
                // What the transport does not take now goes with the next write or flush.
                let _ = self.poll_send(cx)?;
                return Poll::Ready(Ok(taken));
            }
            ready!(self.poll_send(cx))?;
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        self.io.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closing {
            self.closing = true;
            self.connection.send_close_notify();
        }
        ready!(self.poll_send(cx))?;
        self.io.poll_shutdown(cx)
    }

    /// rustls takes up to 64 KiB that the transport below has no room for.
    fn take_progress(&mut self) -> Option<bool> {
        let below = self.io.take_progress();
        below.or_else(|| Some(std::mem::take(&mut self.has_progress)))
    }

    fn name(&self) -> &'static str {
        "tls"
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.io.peer_addr()
    }

    fn classify(&self, error: io::Error) -> TransportError {
        classify(error, |error| self.io.classify(error))
    }
}

impl<T: fmt::Debug> fmt::Debug for Tls<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("io", &self.io).finish_non_exhaustive()
    }
}

/// What rustls reads while there is nothing to read.
struct Silence;

impl io::Read for Silence {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// The transport as rustls writes to it.
struct Sink<'a, 'b, T> {
    io: &'a mut T,
    cx: &'a mut Context<'b>,
}

impl<T: Transport> Sink<'_, '_, T> {
    fn take(&mut self, buf: &mut dyn Buf) -> io::Result<usize> {
        match self.io.poll_write(self.cx, buf) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<T: Transport> io::Write for Sink<'_, '_, T> {
    fn write(&mut self, mut buf: &[u8]) -> io::Result<usize> {
        self.take(&mut buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.take(&mut Slices::new(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn server(config: Arc<ServerConfig>) -> io::Result<Connection> {
    let connection = ServerConnection::new(without_early_data(config));
    connection.map(Connection::Server).map_err(broken)
}

fn broken(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// RFC 8446 §6: an alert of the peer is named; everything else is for the transport below to judge.
fn classify(error: io::Error, below: impl FnOnce(io::Error) -> TransportError) -> TransportError {
    match alert(&error) {
        Some(alert) => TransportError::TlsAlert(alert),
        None if cause(&error).is_some() => TransportError::Io(Arc::new(error)),
        None => below(error),
    }
}

/// The alert of the peer that an error of a stream stands for.
pub(crate) fn alert(error: &io::Error) -> Option<u8> {
    match cause(error) {
        Some(rustls::Error::AlertReceived(alert)) => Some(u8::from(*alert)),
        _ => None,
    }
}

fn cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

thread_local! {
    static BUFFER: ReadBuffer<CIPHERTEXT> = ReadBuffer::new();
}

/// The largest read of ciphertext: four full records.
const CIPHERTEXT: usize = 64 * 1024;

/// Enough for a small record with its overhead, however little plaintext is asked for.
const SMALLEST_READ: usize = 4 * 1024;
