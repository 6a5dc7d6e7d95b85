//! TLS connections that go on where others ended: resumption, early data, and keys that are renewed.

use std::io::{Read as _, Write as _};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection};
use ws_endpoint::tls::Tls;
use ws_io::{Duplex, Transport, duplex};

use crate::certificates::{Certificates, certificates};

/// A client that is driven by hand.
struct Client {
    tls: ClientConnection,
    wire: Duplex,
}

impl Client {
    fn new(config: &Arc<ClientConfig>, wire: Duplex) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        Self { tls: ClientConnection::new(Arc::clone(config), name).unwrap(), wire }
    }

    /// Sends what there is to send, and takes what has come; whether it was anything.
    fn turn(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let mut sent = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut sent).unwrap();
        }
        let mut rest = &sent[..];
        while !rest.is_empty() {
            assert!(self.wire.poll_write(&mut cx, &mut rest).is_ready(), "the pipe is wide");
        }
        let mut come = BytesMut::new();
        let read = self.wire.poll_read(&mut cx, &mut come, 1 << 16);
        let mut come = &come[..];
        while !come.is_empty() {
            self.tls.read_tls(&mut come).unwrap();
            self.tls.process_new_packets().unwrap();
        }
        !sent.is_empty() || read.is_ready()
    }
}

/// The server's side of a handshake with this client.
fn accept(client: &mut Client, far: Duplex, identity: &Arc<ServerConfig>) -> Tls<Duplex> {
    let mut accepting = pin!(Tls::accept(far, Arc::clone(identity)));
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        let moved = client.turn();
        if let Poll::Ready(server) = accepting.as_mut().poll(&mut cx) {
            return server.unwrap();
        }
        assert!(moved || client.turn(), "both wait");
    }
}

fn read(server: &mut Tls<Duplex>) -> Option<Vec<u8>> {
    let mut received = BytesMut::new();
    match server.poll_read(&mut Context::from_waker(Waker::noop()), &mut received, 1000) {
        Poll::Ready(read) => {
            read.unwrap();
            Some(received.to_vec())
        }
        Poll::Pending => None,
    }
}

fn write(server: &mut Tls<Duplex>, bytes: &[u8]) {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(server.poll_write(&mut cx, &mut &bytes[..]).is_ready());
    assert!(server.poll_flush(&mut cx).is_ready());
}

fn talk(client: &mut Client, server: &mut Tls<Duplex>, word: &[u8]) {
    client.tls.writer().write_all(word).unwrap();
    client.turn();
    assert_eq!(read(server).as_deref(), Some(word));
    write(server, word);
    client.turn();
    let mut echo = vec![0; word.len()];
    client.tls.reader().read_exact(&mut echo).unwrap();
    assert_eq!(echo, word);
}

/// Has this client connect to a server of rustls, so that it has a ticket.
fn get_ticket(trust: &Arc<ClientConfig>, identity: &Arc<ServerConfig>) {
    let mut client = Client::new(trust, duplex(1).0).tls;
    let mut server = ServerConnection::new(Arc::clone(identity)).unwrap();
    while client.wants_write() || server.wants_write() {
        let (mut there, mut back) = (Vec::new(), Vec::new());
        while client.wants_write() {
            client.write_tls(&mut there).unwrap();
        }
        server.read_tls(&mut &there[..]).unwrap();
        server.process_new_packets().unwrap();
        while server.wants_write() {
            server.write_tls(&mut back).unwrap();
        }
        client.read_tls(&mut &back[..]).unwrap();
        client.process_new_packets().unwrap();
    }
}

/// It can be sent again by who has seen it, and a request that opens a WebSocket is one to act upon.
// RFC 8470 §3: a server may reject it in TLS, and then the client sends it once more.
#[test]
fn early_data_is_refused_and_not_lost() {
    let Certificates { server, trust, .. } = certificates();
    let mut identity = ServerConfig::clone(server);
    identity.max_early_data_size = 1 << 14;
    let mut trust = ClientConfig::clone(trust);
    trust.enable_early_data = true;
    let (identity, trust) = (Arc::new(identity), Arc::new(trust));
    get_ticket(&trust, &identity);
    let (near, far) = duplex(1 << 20);
    let mut client = Client::new(&trust, near);
    client.tls.early_data().expect("it has a ticket").write_all(b"early").unwrap();
    let mut server = accept(&mut client, far, &identity);
    client.turn();
    assert_eq!(client.tls.handshake_kind(), Some(HandshakeKind::Resumed));
    assert!(!client.tls.is_early_data_accepted());
    assert_eq!(read(&mut server), None);
    talk(&mut client, &mut server, b"late");
}

#[test]
fn keys_may_be_renewed_in_between() {
    let Certificates { server, trust, .. } = certificates();
    let (near, far) = duplex(1 << 20);
    let mut client = Client::new(trust, near);
    let mut server = accept(&mut client, far, server);
    talk(&mut client, &mut server, b"before");
    for _ in 0..3 {
        client.tls.refresh_traffic_keys().unwrap();
        client.turn();
        assert_eq!(read(&mut server), None, "there is nothing in it");
        talk(&mut client, &mut server, b"after");
    }
}
