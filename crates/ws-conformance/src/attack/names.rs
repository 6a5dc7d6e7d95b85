//! The names of the attacks, and on whom each of them is. What an attack does stands where it is written.

use std::io;

use super::{guest_h2, handshake, open, over_h2};
#[cfg(feature = "h3")]
use super::{guest_h3, over_h3};
use crate::carrier::Carrier;

/// The attacks there are, by name, under a line for each kind of peer that they are on.
#[must_use]
pub fn attacks() -> String {
    let mut text = String::new();
    for Group { whom, names, .. } in groups() {
        text.push_str(&format!("on {whom}:\n"));
        for name in names {
            text.push_str(&format!("  {name}\n"));
        }
    }
    text
}

/// Attacks on one kind of peer.
struct Group {
    whom: &'static str,
    /// Whether they are on servers, and on clients that come by which carriers.
    on_servers: bool,
    on_clients_by: &'static [Carrier],
    names: Vec<String>,
}

fn groups() -> Vec<Group> {
    let group = |whom, on_servers, on_clients_by, prefix: &str, names: &[&str]| Group {
        whom,
        on_servers,
        on_clients_by,
        names: names.iter().map(|name| format!("{prefix}{name}")).collect(),
    };
    let all = &[Carrier::H1, Carrier::H2, Carrier::H3];
    vec![
        group("a server or a client, over h1, h2 and h3", true, all, "", open::NAMES),
        group("a server, before a WebSocket of h1", true, &[], "", handshake::ON_SERVER),
        group(
            "a client, before a WebSocket of h1",
            false,
            &[Carrier::H1],
            "",
            handshake::ON_CLIENT,
        ),
        group("a server, beneath h2", true, &[], "h2 ", over_h2::NAMES),
        group("a client, beneath h2 (--over h2)", false, &[Carrier::H2], "h2 ", guest_h2::NAMES),
        #[cfg(feature = "h3")]
        group("a server, beneath h3", true, &[], "h3 ", over_h3::NAMES),
        #[cfg(feature = "h3")]
        group("a client, beneath h3 (--over h3)", false, &[Carrier::H3], "h3 ", guest_h3::NAMES),
    ]
}

/// Sees that there is such an attack on a server.
pub(super) fn is_on_servers(name: &str) -> io::Result<()> {
    is_among(name, "a server", |group| group.on_servers)
}

/// Sees that there is such an attack on a client that comes by `carrier`.
pub(super) fn is_on_clients(name: &str, carrier: Carrier) -> io::Result<()> {
    let whom = format!("a client over {carrier}");
    is_among(name, &whom, |group| group.on_clients_by.contains(&carrier))
}

fn is_among(name: &str, whom: &str, fits: impl Fn(&Group) -> bool) -> io::Result<()> {
    let groups = groups();
    if groups
        .iter()
        .filter(|group| fits(group))
        .any(|group| group.names.iter().any(|one| one == name))
    {
        return Ok(());
    }
    let why = format!("there is no attack {name:?} on {whom}; there are\n{}", attacks());
    Err(io::Error::other(why.trim_end().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names that the arms of a `match`, and comparisons with `name`, stand for.
    fn written(source: &'static str) -> BTreeSet<&'static str> {
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let arms = code.lines().filter_map(|line| line.split_once(" =>").map(|(arm, _)| arm));
        let arms = arms.filter(|arm| arm.trim_start().starts_with('"'));
        let compared = code.split("if name == ").skip(1).filter_map(|rest| rest.split(" {").next());
        arms.chain(compared).flat_map(|text| text.split('"').skip(1).step_by(2)).collect()
    }

    #[test]
    fn every_attack_that_is_written_is_listed_and_the_other_way_around() {
        let on_handshake = [handshake::ON_SERVER, handshake::ON_CLIENT].concat();
        let table: &[(&'static str, &[&str])] = &[
            (include_str!("open.rs"), open::NAMES),
            (include_str!("over_h2.rs"), over_h2::NAMES),
            (include_str!("guest_h2.rs"), guest_h2::NAMES),
            #[cfg(feature = "h3")]
            (include_str!("over_h3.rs"), over_h3::NAMES),
            #[cfg(feature = "h3")]
            (include_str!("guest_h3.rs"), guest_h3::NAMES),
        ];
        for (source, names) in table {
            assert_eq!(written(source), names.iter().copied().collect());
        }
        // On a server the last of them stand together, in the arm for all others.
        let listed: BTreeSet<&str> = on_handshake.into_iter().collect();
        assert!(written(include_str!("handshake.rs")).is_subset(&listed));
        assert!(
            handshake::ON_CLIENT
                .iter()
                .all(|name| written(include_str!("handshake.rs")).contains(name))
        );
    }

    #[test]
    fn an_attack_is_on_one_kind_of_peer_or_on_both() {
        assert!(is_on_servers("inflate bomb").is_ok());
        assert!(is_on_clients("inflate bomb", Carrier::H3).is_ok());
        assert!(is_on_servers("no answer").is_err());
        assert!(is_on_clients("no answer", Carrier::H1).is_ok());
        assert!(is_on_clients("no answer", Carrier::H2).is_err());
        assert!(is_on_clients("h2 no answer", Carrier::H2).is_ok());
        assert!(is_on_clients("h2 no answer", Carrier::H1).is_err());
        let said = is_on_servers("inflate bom").expect_err("no such attack").to_string();
        assert!(
            said.starts_with("there is no attack \"inflate bom\" on a server; there are\non a")
        );
        assert!(said.contains("\n  inflate bomb\n") && said.contains("\n  h2 resets\n"), "{said}");
    }
}
