//! Lists in header fields: extensions, subprotocols, tokens, the parameters of permessage-deflate.
//! What was read and written again reads the same, and what two of us negotiate both accept.

use bytes::BytesMut;
use ws_deflate::{Config, client, server};
use ws_h1_upgrade::{
    ClientKey, ClientOptions, HandshakeLimits, HeaderFields, ServerHandshake, SubprotocolPolicy,
    WsUri, accept, request,
};
use ws_handshake::{Extension, format_extensions, list, parse_extensions, subprotocol};

use crate::source::Source;

/// Panics where a list does not survive being written.
pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let (config, theirs) = (config(&mut source), config(&mut source));
    let lines: Vec<&[u8]> = source.rest().split(|byte| *byte == b'\n').collect();
    tokens(&lines);
    let names = subprotocols(&lines);
    let extensions = extensions(&lines);
    handshake(names, extensions.clone());
    negotiation(&config, &theirs, &extensions);
}

fn config(source: &mut Source<'_>) -> Config {
    let (flags, bits) = (source.byte(), source.byte());
    Config::default()
        .server_no_context_takeover(flags & 1 != 0)
        .client_no_context_takeover(flags & 2 != 0)
        .server_max_window_bits(bits & 0x0f)
        .client_max_window_bits((flags & 4 != 0).then_some(bits >> 4))
}

fn tokens(lines: &[&[u8]]) {
    let read: Result<Vec<&str>, _> = list::tokens(lines.iter().copied()).collect();
    if let Ok(read) = read {
        let written = read.join(", ");
        let again: Result<Vec<&str>, _> =
            list::tokens(std::iter::once(written.as_bytes())).collect();
        assert_eq!(again.as_ref(), Ok(&read));
        assert!(read.iter().all(|token| list::is_token(token.as_bytes())));
    }
    let _found = list::contains(lines.iter().copied(), "upgrade");
}

fn subprotocols(lines: &[&[u8]]) -> Vec<String> {
    let headers: Vec<_> = lines.iter().map(|line| ("sec-websocket-protocol", *line)).collect();
    let Ok(names) = subprotocol::parse_offers(&headers) else { return Vec::new() };
    assert_eq!(subprotocol::validate_offers(&names), Ok(()), "what is read may be offered");
    let again = subprotocol::parse_offers(&[("sec-websocket-protocol", names.join(", "))]);
    assert_eq!(again.as_ref(), Ok(&names));
    names
}

fn extensions(lines: &[&[u8]]) -> Vec<Extension> {
    let Ok(extensions) = parse_extensions(lines.iter().copied()) else { return Vec::new() };
    assert!(extensions.iter().all(Extension::is_well_formed));
    let written = format_extensions(&extensions);
    assert!(written.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    let again = parse_extensions(std::iter::once(written.as_bytes()));
    assert_eq!(again.as_ref(), Ok(&extensions), "{written}");
    extensions
}

/// What a client writes a server reads, and the answer to it the client accepts.
fn handshake(subprotocols: Vec<String>, extensions: Vec<Extension>) {
    let uri = WsUri::parse("ws://a.example/").expect("a URI");
    let key = ClientKey::new([7; 16]);
    let options = ClientOptions { subprotocols, extensions, ..ClientOptions::default() };
    let mut wire = BytesMut::new();
    request(&uri, &key, &options, &mut wire).expect("what was read may be written");
    if wire.len() > 60_000 {
        return;
    }
    let policy =
        SubprotocolPolicy::Custom(std::sync::Arc::new(|all| all.last().map(String::as_str)));
    let mut server = ServerHandshake::new(policy, HandshakeLimits::default());
    let mut upgrade = server.receive(&mut wire).expect("our own request").expect("all of it");
    assert_eq!(upgrade.request.offer.subprotocols, options.subprotocols);
    assert_eq!(upgrade.request.offer.extensions, options.extensions);
    upgrade.agreement.extensions = upgrade.request.offer.extensions.clone();
    let mut answer = BytesMut::new();
    accept(&upgrade, &HeaderFields::new(), &mut answer).expect("all of it was offered");
    let limits = HandshakeLimits::default();
    let mut client = ws_h1_upgrade::ClientHandshake::new(key, options, limits);
    let response = client.receive(&mut answer).expect("a legal answer").expect("all of it");
    assert_eq!(response.agreement, upgrade.agreement);
}

/// A server answers any offer with what its client accepts, and both mean the same.
fn negotiation(ours: &Config, theirs: &Config, offers: &[Extension]) {
    let offer = client::offer(ours);
    let (at_server, answer) =
        server::negotiate(theirs, std::slice::from_ref(&offer)).expect("we offer what we can do");
    let at_client = client::accept(ours, &answer).expect("an answer to our own offer");
    for (sends, receives) in
        [(at_server.outbound, at_client.inbound), (at_client.outbound, at_server.inbound)]
    {
        assert!(sends.window_bits <= receives.window_bits, "{offer} {answer}");
        assert!(receives.context_takeover || !sends.context_takeover, "{offer} {answer}");
    }
    if let Some((params, answer)) = server::negotiate(theirs, offers) {
        assert!(answer.is_well_formed() && params.may_compress());
        let again = parse_extensions(std::iter::once(answer.to_string().as_bytes()));
        assert_eq!(again, Ok(vec![answer]));
    }
    let _judged = client::accept_any(ours, offers);
}
