//! Groups 12 and 13: a thousand compressed round trips, by size, data and parameters.

use std::time::Duration;

use tokio::time::Instant;

use super::g09_limits::{expect_message, finish};
use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing, Weight};
use crate::link::Link;
use crate::material::Material;
use crate::settings::Effort;
use crate::wire::extension;
use crate::wire::negotiation::{self, Wish};

/// Size of the message and of its fragments, and the seconds for a thousand.
const SHAPES: [(usize, Option<usize>, u64); 18] = [
    (16, None, 60),
    (64, None, 60),
    (256, None, 120),
    (1024, None, 240),
    (4096, None, 480),
    (8192, None, 480),
    (16_384, None, 480),
    (32_768, None, 480),
    (65_536, None, 480),
    (131_072, None, 480),
    (8192, Some(256), 480),
    (16_384, Some(256), 480),
    (32_768, Some(256), 480),
    (65_536, Some(256), 480),
    (131_072, Some(256), 480),
    (131_072, Some(1024), 480),
    (131_072, Some(4096), 480),
    (131_072, Some(32_768), 480),
];

/// What is asked of the peer in the sections of group 13, in order of preference.
const WISHES: [&[Wish]; 7] = [
    &[Wish { no_takeover: false, bits: None }],
    &[Wish { no_takeover: true, bits: None }],
    &[Wish { no_takeover: false, bits: Some(9) }],
    &[Wish { no_takeover: false, bits: Some(15) }],
    &[Wish { no_takeover: true, bits: Some(9) }],
    &[Wish { no_takeover: true, bits: Some(15) }],
    &[
        Wish { no_takeover: true, bits: Some(9) },
        Wish { no_takeover: true, bits: None },
        Wish { no_takeover: false, bits: None },
    ],
];

pub(super) fn cases() -> Vec<Case> {
    let files =
        [Material::Json, Material::Bitmap, Material::Prose, Material::Html, Material::Document];
    let mut cases = Vec::new();
    for (section, material) in (1..).zip(files) {
        cases.extend(section_of(12, section, material, &[Wish { no_takeover: false, bits: None }]));
    }
    for (section, wishes) in (1..).zip(WISHES) {
        cases.extend(section_of(13, section, Material::Json, wishes));
    }
    cases
}

fn section_of(group: u16, section: u16, material: Material, wishes: &'static [Wish]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, (size, fragment, seconds)) in (1..).zip(SHAPES) {
        let limit = Duration::from_secs(seconds);
        let cut = fragment.map_or_else(String::new, |size| format!(" in fragments of {size}"));
        let asked = if group == 12 { String::new() } else { format!(", {}", words(wishes)) };
        let play = Compressed { material, size, fragment, wishes, limit };
        let case = Case::new(&[group, section, number], play)
            .does(format!(
                "Sends 1000 compressed messages of {size} octets{cut} from {}{asked}.",
                material.name()
            ))
            .expects(format!("Each comes back, all within {seconds} s, as was agreed."))
            .cites(&[
                "PMD-5-11",
                "PMD-6-01",
                "PMD-6.1-01",
                "PMD-6.2-01",
                "PMD-7.1.1.1-02",
                "PMD-7.1.2.1-02",
                "PMD-7.2.1-01",
                "PMD-7.2.2-02",
                "PMD-7.2.2-03",
            ])
            .weighs(Weight::Heavy);
        cases.push(case);
    }
    cases
}

fn words(wishes: &[Wish]) -> String {
    let one = |wish: &Wish| match (wish.no_takeover, wish.bits) {
        (false, None) => "nothing asked of the peer".to_owned(),
        (true, None) => "no context takeover".to_owned(),
        (false, Some(bits)) => format!("a window of {bits} bits"),
        (true, Some(bits)) => format!("no context takeover and a window of {bits} bits"),
    };
    let all: Vec<String> = wishes.iter().map(one).collect();
    all.join(" or else ")
}

/// Many messages from one file, one at a time, compressed as agreed.
#[derive(Clone, Copy, Debug)]
struct Compressed {
    material: Material,
    size: usize,
    fragment: Option<usize>,
    wishes: &'static [Wish],
    limit: Duration,
}

impl Play for Compressed {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut link = open(arena, self.wishes).await?;
            let quick = arena.settings.effort == Effort::Quick;
            let count = if quick { 10 } else { 1000 };
            let kind = self.material.kind();
            let deadline = Instant::now() + self.limit;
            let mut flaw = None;
            for number in 0..count {
                let data = self.material.slice(number * self.size, self.size);
                link.send_message(kind, &data, self.fragment).await;
                flaw = expect_message(&mut link, kind, &data, deadline).await.err();
                if flaw.is_some() {
                    break;
                }
            }
            Ok(finish(link, arena, flaw).await)
        })
    }
}

/// Opens a link with compression by the plainest offer or answer.
pub(crate) async fn open_plain(arena: &mut Arena) -> Result<Link, Refused> {
    if !arena.peer_is_server() {
        return open(arena, &[Wish::default()]).await;
    }
    let mut link = arena.open_with(Some("permessage-deflate")).await?;
    if link.agreement().is_none() {
        link.close(1000, arena.settings.wait).await;
        return Err(Refused::Unimplemented("the server does not compress".into()));
    }
    Ok(link)
}

/// Opens a link with compression; asks the peer for the first wish that it grants.
pub(super) async fn open(arena: &mut Arena, wishes: &[Wish]) -> Result<Link, Refused> {
    let none = |who: &str| Refused::Unimplemented(format!("the {who} does not compress this way"));
    if !arena.peer_is_server() {
        let visitor = arena.visitor().await?;
        let offered = visitor.request.combined("Sec-WebSocket-Extensions").unwrap_or_default();
        let offers = extension::parse(&offered).unwrap_or_default();
        let answers = wishes.iter().filter_map(|wish| negotiation::answer(&offers, *wish));
        let Some((element, agreement)) = answers.into_iter().next() else {
            arena.welcome(visitor, None).await?.close(1000, arena.settings.wait).await;
            return Err(none("client"));
        };
        return arena.welcome(visitor, Some((&element, agreement))).await;
    }
    let offers: Vec<String> = wishes.iter().map(offer).collect();
    let link = arena.open_with(Some(&offers.join(", "))).await?;
    if link.agreement().is_none() {
        let mut link = link;
        link.close(1000, arena.settings.wait).await;
        return Err(none("server"));
    }
    Ok(link)
}

fn offer(wish: &Wish) -> String {
    let mut offer =
        "permessage-deflate; client_no_context_takeover; client_max_window_bits".to_owned();
    if wish.no_takeover {
        offer.push_str("; server_no_context_takeover");
    }
    if let Some(bits) = wish.bits {
        offer.push_str(&format!("; server_max_window_bits={bits}"));
    }
    offer
}
