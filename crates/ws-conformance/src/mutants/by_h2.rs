//! The reference peer over HTTP/2: a server by the `h2` crate, a client on a stream of the suite's.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::ext::Protocol;
use h2::server::{Builder, SendResponse};
use http::{Request, Response};
use tokio::time::{Instant, sleep, timeout};

use super::carried::{self, Called, Lines};
use super::endpoint::{Endpoint, HANDSHAKE};
use super::fault::Fault;
use super::h2_stream::H2Stream;
use crate::log::Log;
use crate::wire::connect::request_head;
use crate::wire::frame::Frame;
use crate::wire::http::Head;
use crate::wire::raw_h2::{RawH2, kind, setting};
use crate::wire::stream::Wire;
use crate::wire::tunnel::{Lapse, Tunnel, code};

/// Serves one connection.
pub(super) async fn serve(wire: Wire, fault: Option<Fault>) {
    let mut builder = Builder::new();
    builder
        .initial_window_size(if fault == Some(Fault::GivesSmallWindow) { 100 } else { 1 << 20 })
        .initial_connection_window_size(1 << 24)
        .max_concurrent_streams(200);
    if fault != Some(Fault::AdvertisesNothing) {
        builder.enable_connect_protocol();
    }
    let Ok(mut connection) = builder.handshake::<_, Bytes>(wire.into_stream()).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let head = to_head(&request);
        let status = carried::status_of(&head, fault);
        if status.is_err() && fault == Some(Fault::EndsConnection) {
            return;
        }
        tokio::spawn(attend(head, status, request.into_body(), respond, fault));
    }
}

fn to_head(request: &Request<RecvStream>) -> Head {
    let uri = request.uri();
    let mut lines = vec![(":method".to_owned(), request.method().to_string())];
    let pseudo = [
        (":protocol", request.extensions().get::<Protocol>().map(|name| name.as_str().to_owned())),
        (":scheme", uri.scheme_str().map(str::to_owned)),
        (":authority", uri.authority().map(ToString::to_string)),
        (":path", uri.path_and_query().map(ToString::to_string)),
    ];
    lines.extend(pseudo.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    lines.extend(request.headers().iter().map(|(name, value)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    }));
    request_head(&lines, "HTTP/2")
}

async fn attend(
    head: Head,
    status: Result<(), u16>,
    body: RecvStream,
    mut respond: SendResponse<Bytes>,
    fault: Option<Fault>,
) {
    if fault == Some(Fault::HintsEarly)
        && let Some(hint) = to_response(&vec![(":status".into(), "103".into())])
    {
        // The peer may have reset the stream meanwhile.
        let _ = respond.send_informational(hint);
    }
    match status {
        Err(_) if fault == Some(Fault::LeavesUnanswered) => sleep(Duration::from_secs(60)).await,
        Err(status) => {
            if let Some(answer) = to_response(&carried::refusal(status, fault)) {
                // The peer may have reset the stream meanwhile.
                let _ = respond.send_response(answer, true);
            }
        }
        Ok(()) => {
            let (lines, agreement) = carried::acceptance(&head, fault);
            let Some(answer) = to_response(&lines) else { return };
            let Ok(send) = respond.send_response(answer, false) else { return };
            let mut stream = H2Stream::new(send, body);
            stream.is_stingy = fault == Some(Fault::GivesNoCredit);
            Endpoint::new(Wire::new(stream), true, fault, agreement).run().await;
        }
    }
}

fn to_response(lines: &Lines) -> Option<Response<()>> {
    let mut response = Response::builder();
    for (name, value) in lines {
        response = match name.as_str() {
            ":status" => response.status(value.as_str()),
            _ => response.header(name, value),
        };
    }
    response.body(()).ok()
}

/// Calls over `wire` and echoes.
pub(super) async fn call(
    wire: Wire,
    secure: bool,
    authority: &str,
    path: &str,
    fault: Option<Fault>,
) -> Called {
    let has = |wanted| fault == Some(wanted);
    let question = carried::question(secure, authority, path, fault);
    let mut raw = RawH2::introduce(wire, Log::new(), 1 << 20).await;
    raw.deaf_to = match fault {
        Some(Fault::IgnoresPing) => Some(kind::PING),
        Some(Fault::NoSettingsAck) => Some(kind::SETTINGS),
        _ => None,
    };
    if has(Fault::DoesNotWait) {
        raw.headers(1, &question).await;
    }
    let limit = if has(Fault::WaitsForSettings) { Duration::from_secs(600) } else { HANDSHAKE };
    if raw.first_settings(Instant::now() + limit).await.is_err() {
        return Called::Declined;
    }
    let allowed = raw.setting(setting::ENABLE_CONNECT_PROTOCOL);
    if allowed.is_some_and(|value| value > 1) {
        let payload = [0, code::PROTOCOL_ERROR].map(u32::to_be_bytes).concat();
        raw.send(kind::GOAWAY, 0, 0, &payload).await;
        return Called::Declined;
    }
    if allowed != Some(1) && !has(Fault::AsksUnallowed) && !has(Fault::DoesNotWait) {
        return Called::Declined;
    }
    let none = raw.setting(setting::MAX_CONCURRENT_STREAMS) == Some(0);
    if none && !has(Fault::IgnoresStreamLimit) {
        return Called::Declined;
    }
    if !has(Fault::DoesNotWait) {
        raw.headers(1, &question).await;
    }
    if has(Fault::SpeaksEarly) {
        raw.send(kind::DATA, 0, 1, &Frame::ping("early").encode(true)).await;
    }
    let mut tunnel = Tunnel::for_client(raw);
    tunnel.lapse = lapse_of(fault);
    let answered = timeout(HANDSHAKE, poll_fn(|cx| tunnel.poll_answer(cx))).await;
    let Ok(Some(head)) = answered else { return Called::Declined };
    match carried::judge(&head, fault) {
        Ok(agreement) => {
            Endpoint::new(Wire::new(tunnel), false, fault, agreement).run().await;
            Called::Done
        }
        Err(_) => {
            Wire::new(tunnel).reset();
            Called::Done
        }
    }
}

fn lapse_of(fault: Option<Fault>) -> Option<Lapse> {
    Some(match fault? {
        Fault::IgnoresWindow => Lapse::Window,
        Fault::PadsData => Lapse::Pads,
        Fault::GivesNoCredit => Lapse::Credit,
        Fault::GoesOnAfterReset => Lapse::Reset,
        Fault::TakesAnyUpdate => Lapse::Update,
        Fault::TakesTrailers => Lapse::Headers,
        Fault::TakesStrayFrames => Lapse::Frames,
        Fault::TakesPadding => Lapse::Padding,
        Fault::EndsAtGoaway => Lapse::Goaway,
        Fault::IgnoresStatus | Fault::RefusesInterimOnStream => Lapse::Answer,
        _ => return None,
    })
}
