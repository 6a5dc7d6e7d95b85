//! The `h3::quic` connection traits over quinn.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming};

use super::halves::{TURN, to_varint};
use super::stream::{BidiStream, RecvStream, SendStream, connection_error};
use crate::error::Error;
use crate::link::{Link, Wait};

/// A QUIC connection as `h3` sees it.
pub(crate) struct Connection {
    opener: OpenStreams,
    accept_bi: Repeat<(quinn::SendStream, quinn::RecvStream)>,
    accept_uni: Repeat<quinn::RecvStream>,
}

/// Opens streams for `h3`.
pub(crate) struct OpenStreams {
    link: Arc<Link>,
    open_bi: Repeat<(quinn::SendStream, quinn::RecvStream)>,
    open_uni: Repeat<quinn::SendStream>,
    patience: Duration,
    /// While the peer allows no more requests.
    wait: Option<Wait>,
}

impl Connection {
    /// A request of ours waits for a stream for as long as `patience`; a server has none.
    pub(crate) fn new(link: &Arc<Link>, patience: Duration) -> Self {
        Self {
            opener: OpenStreams::new(link, patience),
            accept_bi: Repeat::new(|connection| {
                Box::pin(async move { connection.accept_bi().await })
            }),
            accept_uni: Repeat::new(|connection| {
                Box::pin(async move { connection.accept_uni().await })
            }),
        }
    }
}

impl OpenStreams {
    fn new(link: &Arc<Link>, patience: Duration) -> Self {
        Self {
            link: Arc::clone(link),
            patience,
            open_bi: Repeat::new(|connection| Box::pin(async move { connection.open_bi().await })),
            open_uni: Repeat::new(|connection| {
                Box::pin(async move { connection.open_uni().await })
            }),
            wait: None,
        }
    }
}

impl Clone for OpenStreams {
    fn clone(&self) -> Self {
        Self::new(&self.link, self.patience)
    }
}

impl quic::Connection<Bytes> for Connection {
    type RecvStream = RecvStream;
    type OpenStreams = OpenStreams;

    fn poll_accept_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RecvStream, ConnectionErrorIncoming>> {
        let link = &self.opener.link;
        self.accept_uni
            .poll(cx, &link.connection)
            .map_ok(|stream| RecvStream::new(link, stream))
            .map_err(connection_error)
    }

    fn poll_accept_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<BidiStream, ConnectionErrorIncoming>> {
        let link = &self.opener.link;
        for _ in 0..TURN {
            match ready!(self.accept_bi.poll(cx, &link.connection)) {
                // `h3` rejects only those beyond the first after GOAWAY, and gives up accepting then.
                Ok(streams) if link.rejects() => {
                    reject(streams);
                    // Some may have been on their way, but not many.
                    link.count_waste();
                }
                Ok(streams) => return Poll::Ready(Ok(BidiStream::new(link, streams))),
                Err(error) => return Poll::Ready(Err(connection_error(error))),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn opener(&self) -> OpenStreams {
        self.opener.clone()
    }
}

impl quic::OpenStreams<Bytes> for Connection {
    type BidiStream = BidiStream;
    type SendStream = SendStream;

    fn poll_open_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<BidiStream, StreamErrorIncoming>> {
        self.opener.poll_open_bidi(cx)
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<SendStream, StreamErrorIncoming>> {
        self.opener.poll_open_send(cx)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        quic::OpenStreams::<Bytes>::close(&mut self.opener, code, reason);
    }
}

impl quic::OpenStreams<Bytes> for OpenStreams {
    type BidiStream = BidiStream;
    type SendStream = SendStream;

    fn poll_open_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<BidiStream, StreamErrorIncoming>> {
        let unopened = |error| Poll::Ready(Err(StreamErrorIncoming::Unknown(Box::new(error))));
        // RFC 9114 §5.2: whatever the peer has room for now.
        if self.link.peer.borrow().goaway.is_some() {
            return unopened(Error::GoingAway);
        }
        let Poll::Ready(opened) = self.open_bi.poll(cx, &self.link.connection) else {
            let wait = self.wait.get_or_insert_with(|| Wait::new(&self.link, self.patience));
            let error = ready!(wait.poll_end(cx));
            // It has ended; whoever asks again has a wait of its own.
            self.wait = None;
            return unopened(error);
        };
        self.wait = None;
        Poll::Ready(opened.map(|streams| BidiStream::new(&self.link, streams)).map_err(lost))
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<SendStream, StreamErrorIncoming>> {
        self.open_uni.poll(cx, &self.link.connection).map_ok(SendStream::new).map_err(lost)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.link.close_for_h3(code, reason);
    }
}

/// Tells the client that nothing was done, so that it may try elsewhere (RFC 9114 §5.2).
fn reject((mut send, mut recv): (quinn::SendStream, quinn::RecvStream)) {
    let code = to_varint(Code::H3_REQUEST_REJECTED);
    // What has ended already needs neither.
    drop((send.reset(code), recv.stop(code)));
}

fn lost(error: quinn::ConnectionError) -> StreamErrorIncoming {
    StreamErrorIncoming::ConnectionErrorIncoming { connection_error: connection_error(error) }
}

/// An operation on the connection that is started anew each time it has finished.
struct Repeat<T> {
    start: fn(quinn::Connection) -> Operation<T>,
    running: Option<Operation<T>>,
}

type Operation<T> = Pin<Box<dyn Future<Output = Result<T, quinn::ConnectionError>> + Send + Sync>>;

impl<T> Repeat<T> {
    fn new(start: fn(quinn::Connection) -> Operation<T>) -> Self {
        Self { start, running: None }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        connection: &quinn::Connection,
    ) -> Poll<Result<T, quinn::ConnectionError>> {
        let running = self.running.get_or_insert_with(|| (self.start)(connection.clone()));
        let result = ready!(running.as_mut().poll(cx));
        self.running = None;
        Poll::Ready(result)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::Instant;

    use ws_io::{Runtime, Timer};

    use super::*;
    use crate::link::Limits;

    #[derive(Clone, Debug)]
    struct Tokio;

    struct TokioTimer(Pin<Box<tokio::time::Sleep>>);

    impl Runtime for Tokio {
        type Timer = TokioTimer;

        fn now(&self) -> Instant {
            tokio::time::Instant::now().into_std()
        }

        fn timer(&self, at: Instant) -> TokioTimer {
            TokioTimer(Box::pin(tokio::time::sleep_until(at.into())))
        }

        fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
            tokio::spawn(task);
        }
    }

    impl Timer for TokioTimer {
        fn reset(&mut self, at: Instant) {
            self.0.as_mut().reset(at.into());
        }

        fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            self.0.as_mut().poll(cx)
        }
    }

    /// The client's end of a connection on which it may open no request.
    async fn connection() -> (quinn::Connection, impl Sized) {
        let issued = rcgen::generate_simple_self_signed(["localhost".into()]).expect("issued");
        let key = rustls::pki_types::PrivateKeyDer::try_from(issued.signing_key.serialize_der());
        let certificate = issued.cert.der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.expect("a key"))
            .expect("a certificate");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).expect("a root");
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut options = crate::QuicOptions::default();
        let client = crate::client_config(client, &options).expect("a client");
        options.max_requests = 0;
        let server = crate::server_config(server, &options).expect("a server");
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = quinn::Endpoint::server(server, loopback).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let endpoint = quinn::Endpoint::client(loopback).expect("an endpoint");
        let connecting = endpoint.connect_with(client, address, "localhost").expect("connecting");
        let accepting = async { listener.accept().await.expect("a connection").await };
        let (ours, theirs) = tokio::join!(connecting, accepting);
        (ours.expect("a connection"), (theirs.expect("a connection"), listener))
    }

    #[tokio::test]
    async fn who_has_waited_in_vain_may_ask_again() {
        let (connection, _server) = connection().await;
        let limits = Limits { section: 1000, fields: 10 };
        let (link, _unacknowledged) = Link::new(connection, Tokio, limits, None);
        let mut opener = OpenStreams::new(&link, Duration::ZERO);
        for _ in 0..2 {
            let opened =
                poll_fn(|cx| quic::OpenStreams::<Bytes>::poll_open_bidi(&mut opener, cx)).await;
            assert!(matches!(opened, Err(StreamErrorIncoming::Unknown(_))), "it may open none");
        }
    }
}
