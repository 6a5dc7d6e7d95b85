//! The same handshake with the types of the `http` crate, for servers built on it.

use http::{HeaderValue, StatusCode, Version};
use ws_handshake::{Headers, SubprotocolPolicy, field};

use crate::error::Error;
use crate::request::{RequestHead, Upgrade, validate_request};
use crate::response::response_headers;

/// [`validate_request`] for an `http::Request`.
///
/// # Errors
///
/// As [`validate_request`]; `http::Response::from(error.refusal())` is the answer.
pub fn validate_http_request<B>(
    request: &http::Request<B>,
    subprotocols: &SubprotocolPolicy,
) -> Result<Upgrade, Error> {
    let version = match request.version() {
        Version::HTTP_09 => (0, 9),
        Version::HTTP_10 => (1, 0),
        Version::HTTP_11 => (1, 1),
        Version::HTTP_2 => (2, 0),
        _ => (3, 0),
    };
    let target = request.uri().to_string();
    let head = RequestHead {
        method: request.method().as_str(),
        version,
        target: &target,
        headers: request.headers(),
    };
    validate_request(&head, subprotocols)
}

/// The positive answer as an `http::Response` without body, with the fields of `extra` besides its own.
///
/// # Errors
///
/// The agreement of `upgrade` holds what was not offered, or `extra` what must not be written.
pub fn http_response<H: Headers + ?Sized>(
    upgrade: &Upgrade,
    extra: &H,
) -> Result<http::Response<()>, Error> {
    let mut response = http::Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in response_headers(upgrade)? {
        // Made of tokens, so it is a legal value.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(name, value);
        }
    }
    for (name, value) in extra.fields() {
        field::validate_response_field(&String::from_utf8_lossy(name), value)?;
        // Both were checked; the types only have to be made.
        let name = http::HeaderName::from_bytes(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    #[test]
    fn requests_and_responses_of_the_http_crate_shake_hands() {
        let request = |version| {
            Request::get("/chat?x=1")
                .version(version)
                .header("host", "a.example")
                .header("upgrade", "websocket")
                .header("connection", "Upgrade")
                .header("sec-websocket-version", "13")
                .header("sec-websocket-protocol", "a")
                .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
                .body(())
                .expect("a valid request")
        };
        let policy = SubprotocolPolicy::optional(["a"]);
        let upgrade = validate_http_request(&request(Version::HTTP_11), &policy).expect("valid");
        assert_eq!(upgrade.request.path, "/chat?x=1");
        let extra = vec![("X-Served-By", "me")];
        let response = http_response(&upgrade, &extra).expect("agreed");
        assert_eq!(response.headers()["x-served-by"], "me");
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(response.headers()["sec-websocket-protocol"], "a");
        let error = validate_http_request(&request(Version::HTTP_2), &policy);
        assert_eq!(error.map_err(|error| error.reason()), Err("unsupported_http_version"));
        let forged = http_response(&upgrade, &vec![("X-A", "b\r\nSet-Cookie: c")]);
        assert_eq!(forged.map_err(|error| error.reason()).err(), Some("invalid_header"));
    }
}
