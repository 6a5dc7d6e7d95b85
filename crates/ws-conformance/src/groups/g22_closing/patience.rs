//! Section 22.7: who ends TCP, how soon, and what a peer does that is left waiting.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::arena::{Arena, Refused};
use crate::case::{Case, Judges, Play, Playing, Weight};
use crate::judge::{Behavior, CloseBehavior, Verdict};
use crate::link::{Link, Next, WriteMode};
use crate::wire::frame::Frame;

pub(super) fn cases() -> Vec<Case> {
    let case = |number, play, does: &str, expects: &str| {
        Case::new(&[22, 7, number], play).does(does).expects(expects).weighs(Weight::Waiting)
    };
    vec![
        case(
            1,
            Patience::ServerEndsAtOnce,
            "Closes and measures how long the server leaves TCP open.",
            "The server ends TCP within a second of its own close frame.",
        )
        .cites(&["WS-5.5.1-08", "WS-7.1.1-02"])
        .judges(Judges::Servers),
        case(
            2,
            Patience::ClientWaits,
            "Closes as the server and ends TCP only half a second later.",
            "The client leaves it to the server to end TCP.",
        )
        .cites(&["WS-5.5.1-09", "WS-7.1.1-03"])
        .judges(Judges::Clients),
        case(
            3,
            Patience::ServerNeverEnds,
            "Closes as the server and never ends TCP.",
            "The client ends it after a reasonable time.",
        )
        .cites(&["WS-5.5.1-09", "WS-7.1.1-03"])
        .judges(Judges::Clients),
        case(
            4,
            Patience::CloseUnanswered,
            "Provokes a failure and then neither answers the close frame nor ends TCP.",
            "The peer ends TCP by itself.",
        )
        .cites(&["WS-7.1.7-01", "WS-7.1.1-01", "WS-7.1.1-02"]),
        case(
            5,
            Patience::FloodAfterFailure,
            "Provokes a failure and goes on sending texts without end.",
            "Nothing of it is echoed, and the peer ends TCP by itself.",
        )
        .cites(&["WS-7.1.7-03", "WS-7.1.1-01"]),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    ServerEndsAtOnce,
    ClientWaits,
    ServerNeverEnds,
    CloseUnanswered,
    FloodAfterFailure,
}

impl Play for Patience {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut link = arena.open().await?;
            let (wait, patience) = (arena.settings.wait, arena.settings.patience);
            let started = Instant::now();
            let (behavior, why) = match self {
                Self::ServerEndsAtOnce => at_once(&mut link, wait).await,
                Self::ClientWaits => leaves_it_to_us(&mut link, wait).await,
                Self::ServerNeverEnds => {
                    exchange_closes(&mut link, wait).await;
                    ends(&mut link, started + patience).await
                }
                Self::CloseUnanswered => {
                    link.answers_close = false;
                    link.send(&[Frame::text("bad").reserved(7)], WriteMode::OneGo).await;
                    ends(&mut link, started + patience).await
                }
                Self::FloodAfterFailure => {
                    link.answers_close = false;
                    link.send(&[Frame::text("bad").reserved(7)], WriteMode::OneGo).await;
                    flood(&mut link, started + patience).await
                }
            };
            Ok::<_, Refused>(Verdict::on(&link, behavior, CloseBehavior::Ok, why))
        })
    }
}

/// Our close frame and the peer's; false when none came.
async fn exchange_closes(link: &mut Link, wait: Duration) -> bool {
    link.send(&[Frame::close(1000, "")], WriteMode::OneGo).await;
    link.next(Instant::now() + wait).await == Next::Closed
}

async fn at_once(link: &mut Link, wait: Duration) -> (Behavior, String) {
    if !exchange_closes(link, wait).await {
        return (Behavior::Failed, "our close frame was not answered".into());
    }
    let since = Instant::now();
    let second = Duration::from_secs(1);
    if link.idle_until_end(since + second.max(wait)).await {
        let took = since.elapsed();
        let behavior = if took <= second { Behavior::Ok } else { Behavior::NonStrict };
        return (behavior, format!("the server ended TCP after {} ms", took.as_millis()));
    }
    (Behavior::Failed, "the server did not end TCP (§5.5.1: it has to, immediately)".into())
}

async fn leaves_it_to_us(link: &mut Link, wait: Duration) -> (Behavior, String) {
    if !exchange_closes(link, wait).await {
        return (Behavior::Failed, "our close frame was not answered".into());
    }
    if link.idle_until_end(Instant::now() + (wait / 2).min(Duration::from_millis(500))).await {
        let why = "the client ended TCP before the server did (§7.1.1 wants it to wait)";
        return (Behavior::NonStrict, why.into());
    }
    link.drain(Instant::now() + wait).await;
    (Behavior::Ok, "the client waited for us to end TCP".into())
}

async fn ends(link: &mut Link, deadline: Instant) -> (Behavior, String) {
    loop {
        match link.next(deadline).await {
            Next::Event(event) => {
                return (Behavior::Failed, format!("expected nothing but the end, saw {event}"));
            }
            Next::Closed => {}
            Next::Ended => return (Behavior::Ok, "the peer ended TCP by itself".into()),
            Next::Late => return (Behavior::NonStrict, "the peer waits for ever".into()),
        }
    }
}

async fn flood(link: &mut Link, deadline: Instant) -> (Behavior, String) {
    let frame = Frame::text(vec![b'*'; 4096]);
    while Instant::now() < deadline {
        if !link.send(std::slice::from_ref(&frame), WriteMode::OneGo).await {
            break;
        }
        if let Next::Event(event) = link.next(Instant::now()).await {
            return (Behavior::Failed, format!("after its failure the peer sent {event}"));
        }
        sleep(Duration::from_millis(1)).await;
    }
    ends(link, deadline).await
}
