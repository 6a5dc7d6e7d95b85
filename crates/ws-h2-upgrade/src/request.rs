//! A client's request as a server judges it (RFC 8441 §5).

use ws_handshake::{Agreement, Headers, Offer, Request, SubprotocolPolicy, validate_version};

use crate::cookies::copy_fields;
use crate::error::Error;
use crate::pseudo::{ConnectRequest, validate_fields, validate_host, validate_pseudo_fields};

/// A valid request for a WebSocket, and the answer to it as far as it is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upgrade {
    /// What is asked for. Whether it is secure was read from `:scheme`.
    pub request: Request,
    /// What will be answered: the subprotocol is chosen; extensions are for the caller to add.
    pub agreement: Agreement,
}

/// Judges a request: method, protocol, presence of scheme, authority and path, their values, fields
/// that must not be there, `sec-websocket-version`, then what is offered, in this order.
///
/// A cookie that came in pieces is one field in [`Request::headers`] (RFC 9113 §8.2.3).
/// `sec-websocket-key` and `sec-websocket-accept` have no meaning here and are ignored. The origin
/// is read but not judged; see [`Request::check_origin`].
///
/// # Errors
///
/// The first reason found. [`Error::refusal`] is the answer to it.
pub fn validate_request<H: Headers + ?Sized>(
    request: &ConnectRequest<'_, H>,
    subprotocols: &SubprotocolPolicy,
) -> Result<Upgrade, Error> {
    let target = validate_pseudo_fields(request)?;
    validate_fields(request.headers)?;
    validate_host(request.headers, target.authority)?;
    validate_version(request.headers)?;
    let offer = Offer::from_headers(request.headers)?;
    let subprotocol = subprotocols.choose(&offer.subprotocols)?.map(String::from);
    let mut request = Request::new(
        target.path.into(),
        target.authority.into(),
        offer,
        copy_fields(request.headers),
    );
    request.secure = target.secure;
    Ok(Upgrade { request, agreement: Agreement { subprotocol, extensions: Vec::new() } })
}
