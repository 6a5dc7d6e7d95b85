//! The pages a browser gets from the examples: one file each, nothing fetched from elsewhere.

/// The console of the echo server.
pub const ECHO: &str = include_str!("page/echo.html");

/// The rooms of the chat server.
pub const CHAT: &str = include_str!("page/chat.html");

/// The headers a page is served with: nothing but itself may run in it, and nothing may frame it.
pub const HEADERS: [(&str, &str); 5] = [
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
         connect-src 'self' ws: wss:; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
];
