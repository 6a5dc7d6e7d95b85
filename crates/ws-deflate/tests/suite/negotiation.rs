//! RFC 7692 §7.1 as tables: what a server answers to which offer, what a client takes for an
//! answer.

use ws_deflate::{Config, Direction, Error, Params, ResponseFault, client, server};
use ws_handshake::{Extension, parse_extensions};

fn parse(line: &str) -> Vec<Extension> {
    parse_extensions([line.as_bytes()].into_iter()).expect("valid syntax")
}

/// Bits and takeover, outbound and inbound.
fn flat(params: Params) -> (u8, bool, u8, bool) {
    let Params { outbound, inbound, .. } = params;
    (outbound.window_bits, outbound.context_takeover, inbound.window_bits, inbound.context_takeover)
}

fn answer(config: &Config, offers: &str) -> Option<(String, (u8, bool, u8, bool))> {
    let (params, answer) = server::negotiate(config, &parse(offers))?;
    Some((answer.to_string(), flat(params)))
}

fn check_answer(config: &Config, offer: &str, expected: &str, params: (u8, bool, u8, bool)) {
    let expected = format!("permessage-deflate{expected}");
    assert_eq!(answer(config, offer), Some((expected, params)), "{offer}");
}

// RFC: PMD-5-04, PMD-7.1.1.1-02, PMD-7.1.1.1-03, PMD-7.1.2.1-02, PMD-7.1.2.2-02, PMD-7.1.2.2-03
#[test]
fn a_server_with_default_options_takes_up_what_is_asked() {
    let check = |params: &str, expected: &str, agreed| {
        check_answer(&Config::default(), &format!("permessage-deflate{params}"), expected, agreed);
    };
    check("", "", (15, true, 15, true));
    check("; server_no_context_takeover", "; server_no_context_takeover", (15, false, 15, true));
    check("; client_no_context_takeover", "; client_no_context_takeover", (15, true, 15, false));
    check("; server_max_window_bits=15", "; server_max_window_bits=15", (15, true, 15, true));
    check("; server_max_window_bits=9", "; server_max_window_bits=9", (9, true, 15, true));
    check("; client_max_window_bits", "", (15, true, 15, true));
    check("; client_max_window_bits=15", "", (15, true, 15, true));
    check("; client_max_window_bits=10", "; client_max_window_bits=10", (15, true, 10, true));
    check("; client_max_window_bits=8", "; client_max_window_bits=8", (15, true, 8, true));
    check(
        "; client_max_window_bits=12; server_max_window_bits=11; client_no_context_takeover; \
         server_no_context_takeover",
        "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11; \
         client_max_window_bits=12",
        (11, false, 12, false),
    );
}

// RFC: PMD-7.1.1.1-04, PMD-7.1.2.1-02, PMD-7.1.2.1-04, PMD-7.1.2.2-02, PMD-7.1.2.2-03
#[test]
fn a_server_with_wishes_states_them_where_it_may() {
    let wishes = Config::low_memory().server_max_window_bits(12).client_max_window_bits(Some(11));
    let fresh = "; server_no_context_takeover; client_no_context_takeover";
    let check = |params: &str, expected: &str, agreed| {
        let offer = format!("permessage-deflate{params}");
        check_answer(&wishes, &offer, &format!("{fresh}{expected}"), agreed);
    };
    check("", "; server_max_window_bits=12", (12, false, 15, false));
    check("; server_max_window_bits=14", "; server_max_window_bits=12", (12, false, 15, false));
    check("; server_max_window_bits=10", "; server_max_window_bits=10", (10, false, 15, false));
    let bits = "; server_max_window_bits=12; client_max_window_bits";
    check("; client_max_window_bits", &format!("{bits}=11"), (12, false, 11, false));
    check("; client_max_window_bits=15", &format!("{bits}=11"), (12, false, 11, false));
    check("; client_max_window_bits=9", &format!("{bits}=9"), (12, false, 9, false));

    let silent = Config::default().client_max_window_bits(None);
    check_answer(&silent, "permessage-deflate; client_max_window_bits", "", (15, true, 15, true));
}

// RFC: PMD-7-01, PMD-7.1.1.1-01, PMD-7.1.1.2-01, PMD-7.1.2.1-01, PMD-7.1.2.2-01, PMD-5-09
// THREAT: window-bits
#[test]
fn an_offer_that_cannot_be_taken_up_is_declined() {
    let config = Config::default();
    for params in [
        "; unknown",
        "; unknown=1",
        "; server_no_context_takeover; server_no_context_takeover",
        "; client_no_context_takeover; client_no_context_takeover",
        "; server_max_window_bits=10; server_max_window_bits=10",
        "; client_max_window_bits; client_max_window_bits=10",
        "; client_max_window_bits; client_max_window_bits",
        "; server_no_context_takeover=1",
        "; server_no_context_takeover=true",
        "; client_no_context_takeover=15",
        "; server_max_window_bits",
        "; server_max_window_bits=8",
        "; server_max_window_bits=7",
        "; server_max_window_bits=16",
        "; server_max_window_bits=010",
        "; server_max_window_bits=09",
        "; server_max_window_bits=+9",
        "; server_max_window_bits=-9",
        "; server_max_window_bits=9.0",
        "; server_max_window_bits=1e1",
        "; server_max_window_bits=0",
        "; server_max_window_bits=265",
        "; server_max_window_bits=99999999999999999999",
        "; server_max_window_bits=x",
        "; client_max_window_bits=7",
        "; client_max_window_bits=16",
        "; client_max_window_bits=08",
        "; client_max_window_bits=x",
        "; Server_No_Context_Takeover",
    ] {
        let offer = format!("permessage-deflate{params}");
        assert_eq!(answer(&config, &offer), None, "{offer}");
        // The element is declined, not the request: the next one is looked at.
        let offers = format!("{offer}, permessage-deflate; client_no_context_takeover");
        check_answer(&config, &offers, "; client_no_context_takeover", (15, true, 15, false));
    }
    for other in ["x-webkit-deflate-frame", "permessage-bzip2", "permessage-deflat"] {
        assert_eq!(answer(&config, other), None, "{other}");
    }
    assert_eq!(server::negotiate(&config, &[]), None);
}

// RFC: PMD-5-01, PMD-5-02
#[test]
fn the_first_acceptable_offer_is_taken() {
    check_answer(
        &Config::default(),
        "permessage-bzip2, permessage-deflate; server_max_window_bits=8, permessage-deflate; \
         server_max_window_bits=10, permessage-deflate",
        "; server_max_window_bits=10",
        (10, true, 15, true),
    );
}

// RFC: PMD-7.1.x-01
#[test]
fn quoted_values_are_the_values() {
    for (offer, bits) in [("\"10\"", "10"), ("\"1\\0\"", "10"), ("\"9\"", "9")] {
        check_answer(
            &Config::default(),
            &format!("permessage-deflate; server_max_window_bits={offer}"),
            &format!("; server_max_window_bits={bits}"),
            (bits.parse().expect("a number"), true, 15, true),
        );
    }
    assert_eq!(
        answer(&Config::default(), "permessage-deflate; server_max_window_bits=\"010\""),
        None
    );
    let answer = &parse("permessage-deflate; client_max_window_bits=\"9\"")[0];
    assert_eq!(flat(client::accept(&Config::default(), answer).expect("9")), (9, true, 15, true));
}

// RFC: PMD-5-01, PMD-5-03, PMD-7.1.2.1-01, PMD-7.1.2.2-01
#[test]
fn an_offer_states_our_limits() {
    let check = |config: Config, params: &str| {
        assert_eq!(client::offer(&config).to_string(), format!("permessage-deflate{params}"));
    };
    let config = Config::default;
    check(config(), "; client_max_window_bits");
    check(config().client_max_window_bits(None), "");
    check(config().client_max_window_bits(Some(12)), "; client_max_window_bits=12");
    check(config().server_max_window_bits(9), "; server_max_window_bits=9; client_max_window_bits");
    check(
        Config::low_memory(),
        "; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
    );
}

fn accepted(config: &Config, params: &str) -> Result<(u8, bool, u8, bool), ResponseFault> {
    let answer = parse(&format!("permessage-deflate{params}")).swap_remove(0);
    match client::accept(config, &answer) {
        Ok(params) => Ok(flat(params)),
        Err(Error::BadExtensionResponse(fault)) => Err(fault),
        Err(other) => panic!("{other}"),
    }
}

// RFC: PMD-7.1.1.1-04, PMD-7.1.1.2-02, PMD-7.1.2.1-03, PMD-7.1.2.2-04, PMD-7.2.1-06
#[test]
fn an_answer_becomes_parameters() {
    let config = Config::default();
    let check = |config: &Config, params: &str, expected| {
        assert_eq!(accepted(config, params), Ok(expected), "{params}");
    };
    check(&config, "", (15, true, 15, true));
    check(&config, "; server_no_context_takeover", (15, true, 15, false));
    check(&config, "; client_no_context_takeover", (15, false, 15, true));
    check(&config, "; server_max_window_bits=8", (15, true, 8, true));
    check(&config, "; server_max_window_bits=15", (15, true, 15, true));
    check(&config, "; client_max_window_bits=9", (9, true, 15, true));
    check(&config, "; client_max_window_bits=15", (15, true, 15, true));

    let narrow = Config::default().client_max_window_bits(Some(10));
    check(&narrow, "", (10, true, 15, true));
    check(&narrow, "; client_max_window_bits=9", (9, true, 15, true));
    let narrow = Config::default().server_max_window_bits(10);
    check(&narrow, "; server_max_window_bits=10", (15, true, 10, true));
    check(&narrow, "; server_max_window_bits=9", (15, true, 9, true));
    // Offering no takeover does not bind; we keep to it all the same.
    check(&Config::low_memory(), "; server_no_context_takeover", (15, false, 15, false));
}

// RFC: PMD-7.1.2.2-04, PMD-7.2.1-08
// THREAT: window-bits
#[test]
fn a_client_told_to_use_a_window_of_8_bits_does_not_compress() {
    let answer = &parse("permessage-deflate; client_max_window_bits=8")[0];
    let params = client::accept(&Config::default(), answer).expect("legal");
    assert!(!params.may_compress());
    assert!(params.deflater(&Config::default()).is_none());
    assert_eq!(params.outbound, Direction::new(8, true));
    let answer = &parse("permessage-deflate; client_max_window_bits=9")[0];
    let params = client::accept(&Config::default(), answer).expect("legal");
    assert!(params.may_compress() && params.deflater(&Config::default()).is_some());
}

// RFC: PMD-7-02, PMD-5-10, PMD-7.1.1.1-01, PMD-7.1.1.2-01, PMD-7.1.2.1-03, PMD-7.1.2.2-02
// THREAT: window-bits
#[test]
fn an_answer_that_does_not_fit_the_offer_is_refused() {
    const SERVER: &str = "server_max_window_bits";
    const CLIENT: &str = "client_max_window_bits";
    let check = |config: &Config, params: &str, fault: ResponseFault| {
        assert_eq!(accepted(config, params), Err(fault), "{params}");
    };
    let config = Config::default();
    check(&config, "; x=1", ResponseFault::UnknownParameter("x".into()));
    for name in ["server_no_context_takeover", "client_no_context_takeover"] {
        check(&config, &format!("; {name}; {name}"), ResponseFault::DuplicateParameter(name));
        check(&config, &format!("; {name}=1"), ResponseFault::InvalidValue(name));
    }
    for name in [SERVER, CLIENT] {
        let twice = format!("; {name}=10; {name}=10");
        check(&config, &twice, ResponseFault::DuplicateParameter(name));
        for value in ["", "=7", "=16", "=010", "=09", "=+9", "=x", "=300"] {
            check(&config, &format!("; {name}{value}"), ResponseFault::InvalidValue(name));
        }
    }
    check(
        &config.clone().client_max_window_bits(None),
        "; client_max_window_bits=15",
        ResponseFault::NotOffered(CLIENT),
    );
    check(
        &config.clone().client_max_window_bits(Some(10)),
        "; client_max_window_bits=11",
        ResponseFault::LargerThanOffered { name: CLIENT, offered: 10, answered: 11 },
    );
    let narrow = config.clone().server_max_window_bits(10);
    check(
        &narrow,
        "; server_max_window_bits=11",
        ResponseFault::LargerThanOffered { name: SERVER, offered: 10, answered: 11 },
    );
    check(&narrow, "", ResponseFault::Missing(SERVER));
    check(
        &config.server_no_context_takeover(true),
        "",
        ResponseFault::Missing("server_no_context_takeover"),
    );
}

// RFC: PMD-5-09, PMD-5-10
#[test]
fn the_answer_is_found_among_others_and_only_once() {
    let config = Config::default();
    assert_eq!(client::accept_any(&config, &[]), Ok(None));
    assert_eq!(client::accept_any(&config, &parse("other")), Ok(None));
    let one = client::accept_any(&config, &parse("other, permessage-deflate"));
    assert_eq!(one.map(|params| params.map(flat)), Ok(Some((15, true, 15, true))));
    let error = client::accept_any(&config, &parse("permessage-deflate, permessage-deflate"));
    let error = error.expect_err("twice");
    assert_eq!(error, Error::BadExtensionResponse(ResponseFault::AcceptedTwice));
    assert_eq!((error.reason(), error.close_code()), ("bad_extension_response", 1010));
    let error = client::accept(&config, &Extension::new("permessage-bzip2")).expect_err("other");
    assert_eq!(
        error.to_string(),
        "bad answer to the permessage-deflate offer: it accepts `permessage-bzip2`"
    );
}

// RFC: PMD-5-04, PMD-7.1.1.1-02, PMD-7.1.2.1-02, PMD-7.1.2.2-03
#[test]
fn our_client_and_our_server_agree_under_every_pair_of_options() {
    let mut configs = Vec::new();
    for takeover in 0..4 {
        for server_bits in [9, 12, 15] {
            for client_bits in [None, Some(9), Some(12), Some(15)] {
                configs.push(
                    Config::default()
                        .server_no_context_takeover(takeover & 1 != 0)
                        .client_no_context_takeover(takeover & 2 != 0)
                        .server_max_window_bits(server_bits)
                        .client_max_window_bits(client_bits),
                );
            }
        }
    }
    for ours in &configs {
        for theirs in &configs {
            let offer = client::offer(ours);
            let (at_server, answer) = server::negotiate(theirs, &[offer]).expect("acceptable");
            let at_client = client::accept(ours, &answer).expect("a fitting answer");
            assert_eq!(at_client.inbound, at_server.outbound, "{ours:?} {theirs:?}");
            // A client may keep to less than was agreed, never to more.
            let (kept, agreed) = (at_client.outbound, at_server.inbound);
            assert!(kept.window_bits <= agreed.window_bits, "{ours:?} {theirs:?}");
            assert!(kept.context_takeover <= agreed.context_takeover, "{ours:?} {theirs:?}");
        }
    }
}
