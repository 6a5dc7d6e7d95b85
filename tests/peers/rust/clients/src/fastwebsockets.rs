//! fastwebsockets: the request and the loop of `autobahn_client.rs` in its examples, hyper
//! included. After an error it sends a close frame without a code, as the example does.

use std::error::Error;

use fastwebsockets::{FragmentCollector, Frame, OpCode, handshake};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::rt::Executor;
use hyper::{Request, Uri};
use tokio::net::TcpStream;

/// Runs hyper's connection beside the WebSocket.
struct Tasks;

impl<F> Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        tokio::spawn(future);
    }
}

pub async fn echo(url: &str) -> Result<(), Box<dyn Error>> {
    let uri: Uri = url.parse()?;
    let authority = uri.authority().ok_or("the URL names no host")?.as_str();
    let stream = TcpStream::connect(authority).await?;
    let request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "upgrade")
        .header("Sec-WebSocket-Key", handshake::generate_key())
        .header("Sec-WebSocket-Version", "13")
        .body(Empty::<Bytes>::new())?;
    let (mut websocket, _response) = handshake::client(&Tasks, request, stream).await?;
    websocket.set_max_message_size(super::MAX_MESSAGE);
    let mut websocket = FragmentCollector::new(websocket);
    loop {
        let frame = match websocket.read_frame().await {
            Ok(frame) => frame,
            Err(error) => {
                // The connection may be gone; the error that led here is the one to report.
                let _gone = websocket.write_frame(Frame::close_raw(Vec::new().into())).await;
                return Err(error.into());
            }
        };
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => {
                let echo = Frame::new(true, frame.opcode, None, frame.payload);
                websocket.write_frame(echo).await?;
            }
            _ => {}
        }
    }
}
