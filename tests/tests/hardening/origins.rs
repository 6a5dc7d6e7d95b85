//! The rule of the origin is one, over every version of HTTP, encrypted or not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ws_stack::tokio::{self as ws, AcceptOptions, ConnectOptions, HttpPolicy, OriginPolicy};
use ws_tests::certificates;

/// Where a page may come from, with those of the server in brackets, and whether it is let in.
type Rows = &'static [(Option<&'static str>, bool)];

const SAME_ORIGIN: Rows = &[
    (None, true),
    (Some("<s>://<h>:<p>"), true),
    (Some("<o>://<h>:<p>"), false),
    (Some("<s>://<h>"), false),
    (Some("<s>://<h>:1"), false),
    (Some("<s>://<h>:<p>/"), false),
    (Some("<s>://<h>.evil.example:<p>"), false),
    (Some("<s>://evil.example:<p>"), false),
    (Some("<s>://user@<h>:<p>"), false),
    (Some("<h>:<p>"), false),
    (Some("null"), false),
];

const BY_NAME: Rows = &[
    (Some("<s>://LOCALHOST:<p>"), true),
    (Some("<s>://127.0.0.1:<p>"), false),
    (Some("<s>://[::1]:<p>"), false),
    (Some("<s>://evil-localhost:<p>"), false),
];

const BY_IPV6: Rows = &[
    (Some("<s>://[0::1]:<p>"), true),
    (Some("<s>://[0:0:0:0:0:0:0:1]:<p>"), true),
    (Some("<s>://[::2]:<p>"), false),
    (Some("<s>://::1:<p>"), false),
    (Some("<s>://localhost:<p>"), false),
];

const LISTED: Rows = &[
    (None, true),
    (Some("https://chat.example"), true),
    (Some("HTTPS://Chat.Example:443"), true),
    (Some("https://[::1]:8443"), true),
    (Some("https://[0:0::0:1]:8443"), true),
    (Some("null"), true),
    (Some("http://chat.example"), false),
    (Some("https://chat.example:8443"), false),
    (Some("https://sub.chat.example"), false),
    (Some("https://[::1]"), false),
    (Some("<s>://<h>:<p>"), false),
];

const ANY: Rows = &[(None, true), (Some("null"), true), (Some("https://evil.example"), true)];

/// Asks for a WebSocket from each of these origins, by each version.
async fn check(host: &str, address: IpAddr, policy: OriginPolicy, rows: &[Rows]) {
    let tls = certificates();
    for is_secure in [false, true] {
        let server = ws::server()
            .with_options(AcceptOptions { origin: policy.clone(), ..Default::default() });
        let server = if is_secure {
            server.listen_tls_and_h3((address, 0).into(), tls.server.clone())
        } else {
            server.listen((address, 0).into())
        };
        let server = server.expect("a port");
        let listening = server.urls().next().expect("it listens");
        let port = listening.trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
        tokio::spawn(
            server.serve(|mut websocket| async move { while websocket.next().await.is_some() {} }),
        );
        let (url, scheme, other) = match is_secure {
            true => (format!("wss://{host}:{port}/"), "https", "http"),
            false => (format!("ws://{host}:{port}/"), "http", "https"),
        };
        let versions: &[HttpPolicy] = match is_secure {
            true => &[HttpPolicy::H1, HttpPolicy::H2, HttpPolicy::H3],
            false => &[HttpPolicy::H1, HttpPolicy::H2],
        };
        for version in versions {
            let client = ws::client().with_tls(tls.trust.clone()).with_http(*version);
            for (origin, allowed) in rows.iter().copied().flatten() {
                let origin = origin.map(|text| {
                    text.replace("<s>", scheme)
                        .replace("<o>", other)
                        .replace("<h>", host)
                        .replace("<p>", &port)
                });
                let what = format!("{origin:?} at {url} over {version:?}");
                let options = ConnectOptions { origin, ..Default::default() };
                match client.connect(&url, &options).await {
                    Ok(_) => assert!(allowed, "{what} was let in"),
                    Err(error) => {
                        let status = error.response().map(|response| response.status);
                        assert!(!allowed, "{what}: {error:?}");
                        assert_eq!(status, Some(403), "{what}: {error:?}");
                    }
                }
            }
        }
    }
}

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

// RFC: WS-10.2-01, WS-4.2.2-05, H2WS-8-01
// THREAT: cross-site
#[tokio::test]
async fn by_default_only_a_page_of_the_same_scheme_host_and_port_connects() {
    let policy = OriginPolicy::default();
    check("localhost", V4, policy.clone(), &[SAME_ORIGIN, BY_NAME]).await;
    check("[::1]", V6, policy, &[SAME_ORIGIN, BY_IPV6]).await;
}

// RFC: WS-10.2-01
#[tokio::test]
async fn a_list_lets_in_what_it_lists() {
    let list = ["https://chat.example", "https://[::1]:8443", "null"];
    let policy = OriginPolicy::List(list.map(String::from).to_vec());
    check("localhost", V4, policy, &[LISTED]).await;
}

#[tokio::test]
async fn any_lets_in_whatever_comes() {
    check("localhost", V4, OriginPolicy::Any, &[ANY]).await;
}
