//! The pages a browser gets from the examples: one file each, nothing fetched from elsewhere.

use ws_stack::tokio::Page;

/// The console of the echo server.
#[must_use]
pub fn echo() -> Page {
    alone(include_str!("page/echo.html"))
}

/// The rooms of the chat server.
#[must_use]
pub fn chat() -> Page {
    alone(include_str!("page/chat.html"))
}

/// A page in which nothing but itself may run, and which nothing may frame.
fn alone(html: &'static str) -> Page {
    let headers = [
        ("Content-Security-Policy", POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    ];
    headers.into_iter().fold(Page::html(html), |page, (name, value)| {
        page.with_header(name, value).expect("the fields above are valid")
    })
}

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self' ws: wss:; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

#[cfg(test)]
mod tests {
    #[test]
    fn pages_have_valid_headers() {
        assert_ne!(super::echo(), super::chat());
    }
}
