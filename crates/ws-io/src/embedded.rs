//! WebSockets inside an HTTP server: the handshake for whoever has read the request already.

use std::fmt;

use bytes::BytesMut;
use http::Version;
use ws_h1_upgrade::validate_http_request;
use ws_h2_upgrade::ConnectRequest;
use ws_handshake::{Refusal, Request, SubprotocolPolicy};
use ws_session::{Account, BudgetExceeded, Session, SharedBudget};

use crate::{AcceptOptions, Agreed, Error, Runtime, Transport, UpgradeInfo, WebSocket};

/// A request that was judged and may become a WebSocket; made by [`AcceptOptions::answer`].
pub struct Accepted {
    session: Session,
    info: UpgradeInfo,
}

impl Accepted {
    /// What was asked for and agreed on.
    #[must_use]
    pub fn upgrade_info(&self) -> &UpgradeInfo {
        &self.info
    }

    /// The WebSocket on what the HTTP server hands over once the answer is out.
    pub fn over<T: Transport, R: Runtime>(self, transport: T, runtime: R) -> WebSocket<T, R> {
        WebSocket::from_parts(transport, runtime, self.session, self.info)
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted").field("info", &self.info).finish_non_exhaustive()
    }
}

/// Why a request becomes no WebSocket, and what to answer.
#[derive(Debug)]
#[non_exhaustive]
pub struct Declined {
    /// The reason, for the log.
    pub error: Error,
    /// The answer. Nothing of the request or of the error is repeated in it.
    pub response: http::Response<Vec<u8>>,
}

impl AcceptOptions {
    /// Judges a request that an HTTP server has read, as these options say: the handshake of its
    /// version of HTTP, origin, subprotocol, compression, and whether there is room. Answer with the
    /// response, whose body is empty, and go on with [`Accepted::over`].
    ///
    /// Over HTTP/2 and HTTP/3 the request is an extended CONNECT, and `protocol` is its `:protocol`, which
    /// the `http` crate has no place for (`hyper::ext::Protocol` among the extensions of hyper's
    /// requests); over HTTP/1.1 it is ignored.
    ///
    /// [`secure`](Self::secure) must say whether the connection is encrypted, where the request does not.
    /// Deadlines and limits of the handshake are the server's.
    ///
    /// # Errors
    ///
    /// The request is no valid handshake, is refused, or there is no room for another connection.
    pub fn answer<B>(
        &self,
        request: &http::Request<B>,
        protocol: Option<&str>,
    ) -> Result<(http::Response<()>, Accepted), Box<Declined>> {
        if !self.has_room() {
            return Err(declined(self.no_room(), Refusal::fixed(503, &[])));
        }
        if request.version() < Version::HTTP_2 {
            self.answer_upgrade(request).map_err(|error| {
                let refusal = error.refusal();
                declined(error.into(), refusal)
            })
        } else {
            let connect = ConnectRequest::from_http(request, protocol);
            self.answer_connect(&connect).map_err(|error| {
                let refusal = error.refusal();
                declined(error.into(), refusal)
            })
        }
    }

    fn answer_upgrade<B>(
        &self,
        request: &http::Request<B>,
    ) -> Result<(http::Response<()>, Accepted), ws_h1_upgrade::Error> {
        let mut upgrade = validate_http_request(request, &SubprotocolPolicy::None)?;
        let agreed = self.agree(&upgrade.request)?;
        upgrade.agreement = agreed.agreement.clone();
        let response = ws_h1_upgrade::http_response(&upgrade, &self.headers)?;
        Ok((response, self.accepted(upgrade.request, agreed)))
    }

    fn answer_connect(
        &self,
        request: &ConnectRequest<'_, http::HeaderMap>,
    ) -> Result<(http::Response<()>, Accepted), ws_h2_upgrade::Error> {
        let mut upgrade = ws_h2_upgrade::validate_request(request, &SubprotocolPolicy::None)?;
        let agreed = self.agree(&upgrade.request)?;
        upgrade.agreement = agreed.agreement.clone();
        let response = ws_h2_upgrade::http_response(&upgrade, &self.headers)?;
        Ok((response, self.accepted(upgrade.request, agreed)))
    }

    fn accepted(&self, request: Request, agreed: Agreed) -> Accepted {
        let session = self.session(&agreed, BytesMut::new());
        let info = UpgradeInfo::new(request.path)
            .with_subprotocol(agreed.agreement.subprotocol)
            .with_headers(request.headers);
        Accepted { session, info }
    }

    fn no_room(&self) -> Error {
        let max = self.session.shared_budget.as_ref().map_or(0, SharedBudget::max);
        Error::BudgetExceeded(Box::new(BudgetExceeded::shared(Account::default(), max)))
    }
}

fn declined(error: Error, refusal: Refusal) -> Box<Declined> {
    Box::new(Declined { error, response: refusal.into() })
}
