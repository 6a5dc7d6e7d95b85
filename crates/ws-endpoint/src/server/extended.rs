//! What HTTP/2 and HTTP/3 have in common on a server: the judgement of an extended CONNECT, and the
//! answers, in the types of the `http` crate.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use ws_h2_upgrade::{ConnectRequest, Upgrade, http_response, validate_request};
use ws_io::{AcceptOptions, Agreed, Page, Refusal, SubprotocolPolicy, UpgradeInfo};
use ws_session::Charge;

use crate::WebSocket;
use crate::net::Net;
use crate::remote::Remote;
use crate::server::connection::{Alternative, Rules};
use crate::stream::Stream;

/// What the requests of one connection share.
#[derive(Debug)]
pub(crate) struct Carrier {
    pub(super) remote: Remote,
    /// What is announced in each answer; nothing on HTTP/3 itself.
    pub(super) alternative: Alternative,
}

impl Carrier {
    pub(super) fn new(remote: Remote, alternative: Alternative) -> Self {
        Self { remote, alternative }
    }
}

/// A request that will be answered with yes.
pub(super) struct Accepted {
    pub(super) response: Response<()>,
    pub(super) terms: Terms,
}

/// What is spoken on the stream of a request that was accepted.
pub(super) struct Terms {
    agreed: Agreed,
    info: UpgradeInfo,
}

impl<N: Net> Rules<N> {
    pub(super) fn options(&self, is_secure: bool) -> &AcceptOptions {
        if is_secure { &self.secure } else { &self.plain }
    }

    /// Judges a request: its form, the route, the origin, what it offers.
    pub(super) async fn judge(
        &self,
        request: &ConnectRequest<'_, HeaderMap>,
        carrier: &Carrier,
    ) -> Result<Accepted, Refusal> {
        let options = self.options(carrier.remote.is_secure());
        if !options.has_room() {
            return Err(Refusal::fixed(503, &[]));
        }
        // The subprotocol is chosen below, where the origin is judged.
        let upgrade = validate_request(request, &SubprotocolPolicy::None);
        let mut upgrade = upgrade.map_err(|error| error.refusal())?;
        // RFC 9110 §7.4: what is to be secure did not come over such a connection. And what comes over
        // one is, whatever `:scheme` says: the rule of the origin is the same over all versions.
        if upgrade.request.secure && !options.secure {
            return Err(Refusal::fixed(421, &[]));
        }
        upgrade.request.secure = options.secure;
        let attachment = match &self.route {
            Some(route) => {
                route.decide(&self.net, options, &upgrade.request, &carrier.remote).await?
            }
            None => None,
        };
        let refused = |error| ws_h2_upgrade::Error::from(error).refusal();
        let agreed = options.agree(&upgrade.request).map_err(refused)?;
        upgrade.agreement = agreed.agreement.clone();
        let response = http_response(&upgrade, &options.headers);
        let mut response = response.map_err(|error| error.refusal())?;
        advertise(&mut response, carrier);
        let Upgrade { request, .. } = upgrade;
        let info = UpgradeInfo::new(request.path)
            .with_subprotocol(agreed.agreement.subprotocol.clone())
            .with_headers(request.headers);
        let info = match attachment {
            Some(attachment) => info.with_attachment(attachment),
            None => info,
        };
        Ok(Accepted { response, terms: Terms { agreed, info } })
    }

    /// The WebSocket on a stream that was opened on these terms.
    pub(super) fn open_on(&self, stream: Stream<N>, Terms { agreed, info }: Terms) -> WebSocket<N> {
        let session = self.options(stream.is_secure()).session(&agreed, BytesMut::new());
        WebSocket::from_parts(stream, self.net.clone(), session, info)
    }

    /// The answer to an ordinary request.
    pub(super) fn page_over(&self, head: &http::Request<()>, carrier: &Carrier) -> Response<Bytes> {
        if !matches!(*head.method(), Method::GET | Method::HEAD) {
            return refusal(Refusal::fixed(405, &[("Allow", "GET, HEAD")]));
        }
        let path = head.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let page = self.pages.as_ref().and_then(|pages| pages(path));
        let Some(page) = page else { return refusal(Refusal::fixed(404, &[])) };
        let mut response = without_body(&page);
        advertise(&mut response, carrier);
        if *head.method() == Method::HEAD {
            return response;
        }
        match self.hold(page.into_body()) {
            Ok(body) => {
                *response.body_mut() = body;
                response
            }
            Err(full) => refusal(full),
        }
    }

    /// The body of a page as a carrier keeps it until the client has taken it. Meanwhile it counts, on
    /// as many streams as the client has asked for it, unless it is part of the program.
    fn hold(&self, body: Cow<'static, [u8]>) -> Result<Bytes, Refusal> {
        match body {
            Cow::Borrowed(body) => Ok(Bytes::from_static(body)),
            Cow::Owned(body) => match self.charge_page(body.len())? {
                Some(charge) => Ok(Bytes::from_owner(Held { body, _charge: charge })),
                None => Ok(Bytes::from(body)),
            },
        }
    }
}

/// What is charged for as long as it is there.
struct Held {
    body: Vec<u8>,
    _charge: Charge,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// Tells with an answer that the same can be had over HTTP/3 as well.
fn advertise<T>(response: &mut Response<T>, carrier: &Carrier) {
    if let Some(Ok(value)) = carrier.alternative.as_deref().map(HeaderValue::from_str) {
        response.headers_mut().insert(http::header::ALT_SVC, value);
    }
}

/// A refusal as a response. A route may say by `Upgrade` what it would rather speak, whatever version asks:
/// there is none on a stream, and with it there would be no answer (RFC 9113 §8.2.2, RFC 9114 §4.2).
pub(super) fn refusal(refusal: Refusal) -> Response<Bytes> {
    let mut response = Response::<Vec<u8>>::from(refusal).map(Bytes::from);
    for of_connection in [UPGRADE, CONNECTION] {
        response.headers_mut().remove(of_connection);
    }
    response
}

fn without_body(page: &Page) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::OK;
    let length = (http::header::CONTENT_LENGTH, HeaderValue::from(page.body().len()));
    for (name, value) in page.headers() {
        // Both were checked when they came in; the types only have to be made.
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().insert(length.0, length.1);
    response
}
