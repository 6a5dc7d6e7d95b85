//! Which answers to an offer of permessage-deflate RFC 7692 §7.1 allows, and how the suite
//! itself answers as a server.

use super::deflate::{Agreement, NAME};
use super::extension::Element;

/// Whether `answer` is a legal answer to one of `offers`; the error says what is not.
pub(crate) fn check_answer(offers: &[Element], answer: &Element) -> Result<Agreement, String> {
    let agreement = Agreement::read(answer, false)?;
    let mut flaw = format!("{} was not offered", answer.name);
    for offer in offers.iter().filter(|offer| offer.name.eq_ignore_ascii_case(NAME)) {
        let Ok(offered) = Agreement::read(offer, true) else {
            flaw = "an offer that must be declined was accepted".into();
            continue;
        };
        match mismatch(offer, &offered, answer, &agreement) {
            None => return Ok(agreement),
            Some(found) => flaw = found,
        }
    }
    Err(flaw)
}

fn mismatch(
    offer: &Element,
    offered: &Agreement,
    answer: &Element,
    agreement: &Agreement,
) -> Option<String> {
    let has = |element: &Element, name| !element.parameter(name).is_empty();
    if offered.server_no_takeover && !agreement.server_no_takeover {
        return Some("server_no_context_takeover was asked for and not confirmed".into());
    }
    let server_bits = "server_max_window_bits";
    if has(offer, server_bits) {
        if !has(answer, server_bits) {
            return Some("server_max_window_bits was asked for and not confirmed".into());
        }
        if agreement.server_bits > offered.server_bits {
            let (got, limit) = (agreement.server_bits, offered.server_bits);
            return Some(format!("server_max_window_bits={got} exceeds the offered {limit}"));
        }
    }
    let client_bits = "client_max_window_bits";
    if has(answer, client_bits) && !has(offer, client_bits) {
        return Some("client_max_window_bits was not offered".into());
    }
    (agreement.client_bits > offered.client_bits && has(answer, client_bits)).then(|| {
        let (got, limit) = (agreement.client_bits, offered.client_bits);
        format!("client_max_window_bits={got} exceeds the offered {limit}")
    })
}

/// What the suite, as a server, asks of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) no_takeover: bool,
    pub(crate) bits: Option<u8>,
}

/// The answer to the first of `offers` that permits the wish.
pub(crate) fn answer(offers: &[Element], wish: Wish) -> Option<(String, Agreement)> {
    let ours = offers.iter().filter(|offer| offer.name.eq_ignore_ascii_case(NAME));
    ours.filter_map(|offer| answer_one(offer, wish)).next()
}

fn answer_one(offer: &Element, wish: Wish) -> Option<(String, Agreement)> {
    let mut agreement = Agreement::read(offer, true).ok()?;
    let mut text = NAME.to_owned();
    if agreement.server_no_takeover {
        text.push_str("; server_no_context_takeover");
    }
    if !offer.parameter("server_max_window_bits").is_empty() {
        text.push_str(&format!("; server_max_window_bits={}", agreement.server_bits));
    }
    // A hint of the client binds nobody until the answer repeats it.
    agreement.client_no_takeover = wish.no_takeover;
    if wish.no_takeover {
        text.push_str("; client_no_context_takeover");
    }
    let limit = std::mem::replace(&mut agreement.client_bits, 15);
    if let Some(bits) = wish.bits {
        if offer.parameter("client_max_window_bits").is_empty() {
            return None;
        }
        agreement.client_bits = bits.min(limit);
        text.push_str(&format!("; client_max_window_bits={}", agreement.client_bits));
    }
    Some((text, agreement))
}

#[cfg(test)]
mod tests {
    use super::super::extension::parse;
    use super::*;

    // RFC: PMD-7.1.1.1-02, PMD-7.1.2.1-02, PMD-7.1.2.2-02, PMD-7.1.2.2-03
    #[test]
    fn answers_are_held_against_their_offers() {
        let table = [
            ("", "", true),
            ("; server_no_context_takeover", "; server_no_context_takeover", true),
            ("; server_no_context_takeover", "", false),
            ("", "; server_no_context_takeover; client_no_context_takeover", true),
            ("; server_max_window_bits=10", "; server_max_window_bits=9", true),
            ("; server_max_window_bits=10", "; server_max_window_bits=11", false),
            ("; server_max_window_bits=10", "", false),
            ("", "; server_max_window_bits=9", true),
            ("; client_max_window_bits", "; client_max_window_bits=9", true),
            ("; client_max_window_bits=10", "; client_max_window_bits=11", false),
            ("; client_max_window_bits=10", "", true),
            ("", "; client_max_window_bits=15", false),
            ("; server_no_context_takeover, permessage-deflate", "", true),
            ("; unknown", "", false),
        ];
        for (offer, answer, legal) in table {
            let read = |text| parse(&format!("{NAME}{text}")).expect("a valid header");
            let (offers, answers) = (read(offer), read(answer));
            let checked = check_answer(&offers, answers.first().expect("one element"));
            assert_eq!(checked.is_ok(), legal, "{offer} / {answer}: {checked:?}");
        }
    }

    #[test]
    fn the_own_answers_are_legal() {
        let wishes = [(false, None), (true, None), (false, Some(9)), (true, Some(15))];
        for offer in ["", "; client_max_window_bits=10", "; server_max_window_bits=9"] {
            let offers = parse(&format!("{NAME}{offer}")).expect("a valid header");
            for (no_takeover, bits) in wishes {
                let Some((text, agreement)) = answer(&offers, Wish { no_takeover, bits }) else {
                    assert!(bits.is_some() && !offer.contains("client"));
                    continue;
                };
                let answers = parse(&text).expect("a valid answer");
                let checked = check_answer(&offers, answers.first().expect("one element"));
                assert_eq!(checked, Ok(agreement), "{offer} / {text}");
            }
        }
    }
}
