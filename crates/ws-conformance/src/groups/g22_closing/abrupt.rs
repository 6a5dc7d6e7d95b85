//! Sections 22.5 and 22.6: TCP ends without a closing handshake, by FIN and by RST, at eight points.

use tokio::time::Instant;

use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing};
use crate::judge::{Behavior, CloseBehavior, Verdict};
use crate::link::{Link, Next, WriteMode};
use crate::wire::frame::Frame;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (section, how) in [(5, How::Reset), (6, How::Fin)] {
        for (number, (point, words)) in (1..).zip(POINTS) {
            let end = if how == How::Reset { "torn down (RST)" } else { "ended (FIN)" };
            let case = Case::new(&[22, section, number], Abrupt { how, point })
                .does(format!("TCP is {end} {words}."))
                .expects("The peer ends its side; a server goes on serving others.")
                .cites(&["WS-7.1.4-01", "WS-7.2.1-01", "WS-10.7-01", "WS-7.1.1-01"]);
            cases.push(case);
        }
    }
    cases
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Fin,
    Reset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    Opened,
    InHeader,
    InPayload,
    BetweenFragments,
    AfterPing,
    AfterMessage,
    EchoUnread,
    CloseSent,
}

const POINTS: [(Point, &str); 8] = [
    (Point::Opened, "right after the handshake"),
    (Point::InHeader, "inside a frame header"),
    (Point::InPayload, "inside a payload"),
    (Point::BetweenFragments, "between two fragments"),
    (Point::AfterPing, "right after a ping"),
    (Point::AfterMessage, "after an echo was received"),
    (Point::EchoUnread, "while large echoes are under way"),
    (Point::CloseSent, "right after our close frame"),
];

#[derive(Clone, Copy, Debug)]
struct Abrupt {
    how: How,
    point: Point,
}

impl Play for Abrupt {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut link = arena.open().await?;
            link.answers_close = false;
            self.approach(&mut link, arena).await;
            let verdict = if self.how == How::Reset {
                let words = "TCP was torn down; there is nothing more to see on this connection";
                let verdict = Verdict::on(&link, Behavior::Ok, CloseBehavior::Ok, words);
                link.reset();
                verdict
            } else {
                link.half_close().await;
                // Large echoes that are under way come first.
                link.drain(Instant::now() + arena.settings.wait * 3).await;
                if link.ended_by_peer() {
                    Verdict::on(&link, Behavior::Ok, CloseBehavior::Ok, "the peer ended TCP too")
                } else {
                    let why = "the peer left TCP half open after our side had ended";
                    Verdict::on(&link, Behavior::NonStrict, CloseBehavior::Ok, why)
                }
            };
            if let Err(refused) = arena.still_alive().await {
                return Ok(refused.verdict());
            }
            Ok::<_, Refused>(verdict)
        })
    }
}

impl Abrupt {
    async fn approach(&self, link: &mut Link, arena: &Arena) {
        let frame = Frame::binary(vec![7; 4096]).encode(link.suite_is_client());
        let start = |count| frame.get(..count).unwrap_or_default();
        match self.point {
            Point::Opened => {}
            Point::InHeader => {
                link.begin_frame();
                link.send_raw("half a header", start(3)).await;
            }
            Point::InPayload => {
                link.begin_frame();
                link.send_raw("half a frame", start(2000)).await;
            }
            Point::BetweenFragments => {
                link.send(&[Frame::text("fragment").open()], WriteMode::OneGo).await;
            }
            Point::AfterPing => {
                link.send(&[Frame::ping("Hello")], WriteMode::OneGo).await;
            }
            Point::AfterMessage => {
                link.send(&[Frame::text("Hello")], WriteMode::OneGo).await;
                if let Next::Event(event) = link.next(Instant::now() + arena.settings.wait).await {
                    link.record(event);
                }
            }
            Point::EchoUnread => {
                let frames = vec![Frame::binary(vec![7; 200_000]); 8];
                link.send(&frames, WriteMode::FrameByFrame).await;
            }
            Point::CloseSent => {
                link.send(&[Frame::close(1000, "")], WriteMode::OneGo).await;
            }
        }
    }
}
