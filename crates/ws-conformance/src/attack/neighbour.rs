//! Somebody who behaves, on a connection of their own to the server under attack.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::{patient, refused};
use crate::arena::Arena;
use crate::carrier::Carrier;
use crate::link::{Event, Link, Next, WriteMode};
use crate::target::Target;
use crate::wire::frame::Frame;

/// How a neighbour was served.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Service {
    pub(super) echoes: u32,
    pub(super) slowest: Duration,
}

/// Says something twenty times a second and expects it back.
#[derive(Debug)]
pub(super) struct Neighbour {
    over: Arc<AtomicBool>,
    task: JoinHandle<io::Result<Service>>,
}

impl Neighbour {
    /// Connects, over HTTP/1.1 whatever the attack is over.
    pub(super) async fn begin(target: Target, headers: &[String]) -> io::Result<Self> {
        let mut arena = Arena::against_server(target, patient(Carrier::H1, headers));
        let link = arena.open().await.map_err(refused)?;
        let over = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(talk(link, Arc::clone(&over)));
        Ok(Self { over, task })
    }

    /// Ends it in order.
    ///
    /// # Errors
    ///
    /// A message did not come back.
    pub(super) async fn finish(self) -> io::Result<Service> {
        self.over.store(true, Ordering::Release);
        self.task.await.map_err(io::Error::other)?
    }
}

async fn talk(mut link: Link, over: Arc<AtomicBool>) -> io::Result<Service> {
    let mut service = Service::default();
    // At least one, so that a short attack is told apart from a dead server.
    loop {
        let text = format!("message {}", service.echoes);
        let began = Instant::now();
        link.send(&[Frame::text(text.clone())], WriteMode::OneGo).await;
        match link.next(began + LONGEST).await {
            Next::Event(Event::Message(_, data)) if data == text.as_bytes() => {}
            other => return Err(io::Error::other(format!("the neighbour saw {other}"))),
        }
        service.echoes += 1;
        service.slowest = service.slowest.max(began.elapsed());
        if over.load(Ordering::Acquire) {
            link.close(1000, LONGEST).await;
            return Ok(service);
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Longer than any machine needs for an echo.
const LONGEST: Duration = Duration::from_secs(10);
