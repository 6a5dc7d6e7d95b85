//! Section 40.1: what the server says before any request, and what it overlooks.

use tokio::time::Instant;

use super::site::Site;
use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing};
use crate::judge::{Behavior, Verdict};
use crate::wire::raw_h2::{kind, setting};

pub(super) fn cases() -> Vec<Case> {
    let table: [(Look, &str, &str, &'static [&'static str]); 4] = [
        (
            Look::Setting,
            "Reads the server's first SETTINGS.",
            "SETTINGS_ENABLE_CONNECT_PROTOCOL is among them, as 1.",
            &["H2WS-3-01", "H2-6.5.2-02", "H2-3.4-01"],
        ),
        (
            Look::Acknowledgement,
            "Sends SETTINGS.",
            "The server acknowledges them.",
            &["H2-6.5-01", "H2-3.4-01"],
        ),
        (
            Look::Unknown,
            "Sends a frame of an unknown type and an unknown setting, and opens a WebSocket.",
            "Both are ignored; the WebSocket works.",
            &["H2-4.1-01", "H2-5.5-01", "H2-6.5-01"],
        ),
        (
            Look::SettingFromClient,
            "Sends SETTINGS_ENABLE_CONNECT_PROTOCOL itself and opens a WebSocket.",
            "It has no effect; the WebSocket works.",
            &["H2WS-3-03", "H2-5.5-01"],
        ),
    ];
    (1..)
        .zip(table)
        .map(|(number, (look, does, expects, rows))| {
            Case::new(&[40, 1, number], look).does(does).expects(expects).cites(rows)
        })
        .collect()
}

#[derive(Clone, Copy, Debug)]
enum Look {
    Setting,
    Acknowledgement,
    Unknown,
    SettingFromClient,
}

impl Play for Look {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut site = Site::begin(arena).await?;
            let deadline = Instant::now() + arena.settings.wait;
            let flaw = match self {
                Self::Setting => match site.raw.setting(setting::ENABLE_CONNECT_PROTOCOL) {
                    Some(1) => None,
                    Some(other) => Some(format!("the setting is {other}")),
                    None => Some("the setting is not in the first SETTINGS".into()),
                },
                Self::Acknowledgement => {
                    site.open(deadline).await?;
                    let silent = site.raw.acknowledged == 0;
                    silent.then(|| "our SETTINGS were not acknowledged".into())
                }
                Self::Unknown => {
                    site.raw.send(0xFA, 0xFF, 0, b"whatever").await;
                    site.raw.send_settings(&[(0xFAFA, 7)]).await;
                    echo(&mut site, deadline).await?
                }
                Self::SettingFromClient => {
                    site.raw.send_settings(&[(setting::ENABLE_CONNECT_PROTOCOL, 1)]).await;
                    echo(&mut site, deadline).await?
                }
            };
            site.raw.send(kind::GOAWAY, 0, 0, &[0; 8]).await;
            Ok::<_, Refused>(match flaw {
                None => Verdict::plain(Behavior::Ok, "as expected"),
                Some(flaw) => Verdict::plain(Behavior::Failed, flaw),
            })
        })
    }
}

async fn echo(site: &mut Site, deadline: Instant) -> Result<Option<String>, Refused> {
    let id = site.open(deadline).await?;
    let echoed = site.echoes(id, deadline).await;
    Ok((!echoed).then(|| "the WebSocket did not echo".into()))
}
