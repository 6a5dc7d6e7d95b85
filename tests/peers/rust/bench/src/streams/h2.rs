//! Streams of the `h2` crate, used as its documentation shows.

use std::future::poll_fn;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Ping, RecvStream, SendStream};
use http::Request;
use tokio::net::TcpStream;

use super::{In, Out, Plan, Work};

pub type Lane = (SendStream<Bytes>, RecvStream);

/// What opens streams of a connection.
pub type Line = SendRequest<Bytes>;

/// Opens the streams of a plan.
pub async fn open_all(plan: &Plan) -> Result<Vec<Lane>, String> {
    let (mut lanes, Work { streams, per_connection, .. }) = (Vec::new(), plan.work);
    while lanes.len() < streams {
        let line = connect(plan.port).await?;
        for _ in 0..per_connection.min(streams - lanes.len()) {
            lanes.push(open(&line).await?);
        }
    }
    Ok(lanes)
}

/// A connection on which streams can be opened.
pub async fn connect(port: u16) -> Result<Line, String> {
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.map_err(text)?;
    tcp.set_nodelay(true).map_err(text)?;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(STREAM_WINDOW).initial_connection_window_size(WINDOW);
    let (line, mut connection) = builder.handshake(tcp).await.map_err(text)?;
    let mut ping = connection.ping_pong().ok_or("no ping")?;
    tokio::spawn(async move {
        let _ended = connection.await;
    });
    // The server's SETTINGS have come when this is answered.
    ping.ping(Ping::opaque()).await.map_err(text)?;
    Ok(line)
}

/// Opens a stream, which the server must answer with 200.
pub async fn open(line: &Line) -> Result<Lane, String> {
    let request = Request::builder().uri("http://localhost/").method("CONNECT");
    let request = request.header("sec-websocket-version", "13");
    let request = request.extension(h2::ext::Protocol::from_static("websocket"));
    let mut line = line.clone().ready().await.map_err(text)?;
    let sent = line.send_request(request.body(()).map_err(text)?, false);
    let (response, out) = sent.map_err(text)?;
    let response = response.await.map_err(text)?;
    if response.status() != 200 {
        return Err(format!("the server answered {}", response.status()));
    }
    Ok((out, response.into_body()))
}

impl Out for SendStream<Bytes> {
    async fn send(&mut self, mut bytes: Bytes) -> Result<(), String> {
        while !bytes.is_empty() {
            self.reserve_capacity(bytes.len());
            let mut capacity = self.capacity();
            if capacity == 0 {
                let polled = poll_fn(|cx| self.poll_capacity(cx)).await;
                capacity = polled.ok_or("the stream is closed")?.map_err(text)?;
            }
            let now = bytes.split_to(capacity.min(bytes.len()));
            self.send_data(now, false).map_err(text)?;
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), String> {
        self.send_data(Bytes::new(), true).map_err(text)
    }
}

impl In for RecvStream {
    async fn receive(&mut self) -> Result<Option<Bytes>, String> {
        let Some(bytes) = self.data().await.transpose().map_err(text)? else { return Ok(None) };
        self.flow_control().release_capacity(bytes.len()).map_err(text)?;
        Ok(Some(bytes))
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// As in our own servers.
const STREAM_WINDOW: u32 = 256 * 1024;
const WINDOW: u32 = 64 * 1024 * 1024;
