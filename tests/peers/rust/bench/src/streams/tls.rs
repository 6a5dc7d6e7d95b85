//! Connections over TLS, each of which counts as a stream.

use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{In, Kind, Out, Plan};
use crate::server::certificate;
use crate::{load, wire};

type Stream = TlsStream<TcpStream>;
pub type Lane = (WriteHalf<Stream>, ReadHalf<Stream>);

/// Opens the connections of a plan.
pub async fn open(plan: &Plan) -> Result<Vec<Lane>, String> {
    let connector = TlsConnector::from(Arc::new(certificate::trusting(plan.port, &[])?));
    let name = ServerName::try_from("localhost").map_err(text)?;
    let mut lanes = Vec::with_capacity(plan.work.streams);
    for number in 0..plan.work.streams {
        let tcp = load::connect(plan.port, None, number).map_err(text)?;
        tcp.set_nonblocking(true).map_err(text)?;
        let tcp = TcpStream::from_std(tcp).map_err(text)?;
        let mut stream = connector.connect(name.clone(), tcp).await.map_err(text)?;
        if plan.kind != Kind::Raw {
            stream.write_all(wire::REQUEST).await.map_err(text)?;
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut answer).await.map_err(text)? == 0 {
                    return Err("the server ended instead of answering".to_owned());
                }
            }
            load::check_answer(&answer).map_err(text)?;
        }
        let (inn, out) = tokio::io::split(stream);
        lanes.push((out, inn));
    }
    Ok(lanes)
}

impl Out for WriteHalf<Stream> {
    async fn send(&mut self, bytes: Bytes) -> Result<(), String> {
        self.write_all(&bytes).await.map_err(text)?;
        self.flush().await.map_err(text)
    }

    async fn end(&mut self) -> Result<(), String> {
        self.shutdown().await.map_err(text)
    }
}

impl In for ReadHalf<Stream> {
    async fn receive(&mut self) -> Result<Option<Bytes>, String> {
        let mut bytes = Vec::with_capacity(64 * 1024);
        match self.read_buf(&mut bytes).await {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(bytes.into())),
            Err(error) => Err(text(error)),
        }
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
