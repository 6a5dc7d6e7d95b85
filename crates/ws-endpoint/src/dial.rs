//! Happy eyeballs (RFC 8305): tries the addresses of a host in an order and at a pace that hides a
//! broken family or a dead machine from the user.
//!
//! Families alternate, beginning with the one the system prefers; the next attempt starts 250 ms
//! after the last, or at once when an attempt fails; the first connection wins and the others are
//! dropped.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ws_io::Timer;

use crate::connect_queue::{ConnectQueue, Turn};
use crate::net::Net;

/// An open connection, and the turn it took to open it. The turn is given back when the WebSocket
/// is open or has failed (RFC 6455 §4.1).
#[derive(Debug)]
pub(crate) struct Dialled<T> {
    pub(crate) stream: T,
    pub(crate) turn: Option<Turn>,
}

/// Connects to the first address that answers.
pub(crate) async fn dial<N: Net>(
    net: &N,
    addresses: &[SocketAddr],
    queue: Option<&ConnectQueue>,
) -> io::Result<Dialled<N::Tcp>> {
    race(net, addresses, queue, |address| net.connect_tcp(address)).await
}

/// As [`dial`], with another way to connect.
pub(crate) async fn race<N, T, F>(
    net: &N,
    addresses: &[SocketAddr],
    queue: Option<&ConnectQueue>,
    connect: impl Fn(SocketAddr) -> F + Send + Sync,
) -> io::Result<Dialled<T>>
where
    N: Net,
    F: Future<Output = io::Result<T>> + Send,
{
    let connect = &connect;
    let start = |address| -> Attempt<'_, T> { Box::pin(attempt(address, queue, connect)) };
    let mut race = Race {
        net,
        start,
        waiting: interleave(addresses),
        attempts: Vec::new(),
        next_start: None,
        first_error: None,
    };
    poll_fn(|cx| race.poll(cx)).await
}

type Attempt<'a, T> = Pin<Box<dyn Future<Output = io::Result<Dialled<T>>> + Send + 'a>>;

struct Race<'a, N: Net, T, S> {
    net: &'a N,
    start: S,
    waiting: VecDeque<SocketAddr>,
    attempts: Vec<Attempt<'a, T>>,
    /// `None` before the first, which waits for nothing: a timer that is due may fire a tick later.
    next_start: Option<N::Timer>,
    first_error: Option<io::Error>,
}

impl<'a, N: Net, T, S: Fn(SocketAddr) -> Attempt<'a, T>> Race<'a, N, T, S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Dialled<T>>> {
        loop {
            let before = self.attempts.len();
            if let Some(winner) = self.poll_attempts(cx) {
                return Poll::Ready(Ok(winner));
            }
            if self.waiting.is_empty() {
                break;
            }
            let failed = self.attempts.len() < before;
            if !failed
                && let Some(next_start) = &mut self.next_start
                && next_start.poll_expired(cx).is_pending()
            {
                return Poll::Pending;
            }
            if let Some(address) = self.waiting.pop_front() {
                self.attempts.push((self.start)(address));
                let next = self.net.now() + STAGGER;
                match &mut self.next_start {
                    Some(next_start) => next_start.reset(next),
                    None => self.next_start = Some(self.net.timer(next)),
                }
            }
        }
        if !self.attempts.is_empty() {
            return Poll::Pending;
        }
        let nothing = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        Poll::Ready(Err(self.first_error.take().unwrap_or_else(nothing)))
    }

    /// Polls all that are under way, takes out what failed, returns the first that succeeded.
    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Option<Dialled<T>> {
        let mut index = 0;
        while let Some(attempt) = self.attempts.get_mut(index) {
            match attempt.as_mut().poll(cx) {
                Poll::Ready(Ok(winner)) => return Some(winner),
                Poll::Ready(Err(error)) => {
                    self.first_error.get_or_insert(error);
                    drop(self.attempts.remove(index));
                }
                Poll::Pending => index += 1,
            }
        }
        None
    }
}

async fn attempt<T, F: Future<Output = io::Result<T>>>(
    address: SocketAddr,
    queue: Option<&ConnectQueue>,
    connect: &(impl Fn(SocketAddr) -> F + Sync),
) -> io::Result<Dialled<T>> {
    let turn = match queue {
        Some(queue) => Some(queue.enter(address).await),
        None => None,
    };
    let stream = connect(address).await?;
    Ok(Dialled { stream, turn })
}

/// RFC 8305 §4: alternates the families and keeps the order within each.
fn interleave(addresses: &[SocketAddr]) -> VecDeque<SocketAddr> {
    let Some(preferred) = addresses.first().map(SocketAddr::is_ipv6) else {
        return VecDeque::new();
    };
    let mut first = addresses.iter().filter(|address| address.is_ipv6() == preferred);
    let mut second = addresses.iter().filter(|address| address.is_ipv6() != preferred);
    let mut order = VecDeque::with_capacity(addresses.len());
    while order.len() < addresses.len() {
        order.extend(first.next());
        order.extend(second.next());
    }
    order
}

/// RFC 8305 §5: the Connection Attempt Delay.
const STAGGER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::pin::pin;
    use std::task::Waker;

    use super::*;
    use crate::fake::{DEAD, Fake, REFUSED};

    fn ports(list: &[u16]) -> Vec<SocketAddr> {
        list.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port))).collect()
    }

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn families_alternate_beginning_with_the_preferred() {
        let rows: &[(&[&str], &[&str])] = &[
            (&[], &[]),
            (&["1.1.1.1:1"], &["1.1.1.1:1"]),
            (
                &["[::1]:1", "[::2]:1", "1.1.1.1:1", "1.1.1.2:1"],
                &["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1"],
            ),
            (
                &["1.1.1.1:1", "1.1.1.2:1", "1.1.1.3:1", "[::1]:1"],
                &["1.1.1.1:1", "[::1]:1", "1.1.1.2:1", "1.1.1.3:1"],
            ),
        ];
        for (given, expected) in rows {
            assert_eq!(interleave(&addresses(given)), addresses(expected));
        }
    }

    #[test]
    fn a_dead_first_address_costs_a_quarter_of_a_second() {
        let fake = Fake::new();
        let addresses = ports(&[DEAD, 7]);
        let mut cx = Context::from_waker(Waker::noop());
        let mut dialling = pin!(dial(&fake, &addresses, None));
        assert!(dialling.as_mut().poll(&mut cx).is_pending());
        fake.advance(STAGGER - Duration::from_millis(1));
        assert!(dialling.as_mut().poll(&mut cx).is_pending());
        fake.advance(Duration::from_millis(1));
        let Poll::Ready(Ok(dialled)) = dialling.poll(&mut cx) else { panic!("not connected") };
        assert_eq!(dialled.stream.peer, addresses[1]);
    }

    #[test]
    fn a_refused_address_is_passed_over_at_once() {
        let fake = Fake::new();
        let addresses = ports(&[REFUSED, REFUSED, 7]);
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(dialled)) = pin!(dial(&fake, &addresses, None)).poll(&mut cx) else {
            panic!("not connected")
        };
        assert_eq!(dialled.stream.peer, addresses[2]);
    }

    // RFC: WS-4.1-09
    #[test]
    fn the_first_error_is_reported_when_every_address_fails() {
        let rows: [(&[u16], io::ErrorKind); 2] = [
            (&[REFUSED, REFUSED], io::ErrorKind::ConnectionRefused),
            (&[], io::ErrorKind::NotFound),
        ];
        for (list, expected) in rows {
            let fake = Fake::new();
            let mut cx = Context::from_waker(Waker::noop());
            let Poll::Ready(Err(error)) = pin!(dial(&fake, &ports(list), None)).poll(&mut cx)
            else {
                panic!("connected or waiting")
            };
            assert_eq!(error.kind(), expected);
        }
    }

    // RFC: WS-4.1-03
    #[test]
    fn the_turn_is_held_beyond_the_connection_until_the_handshake_is_over() {
        let fake = Fake::new();
        let queue = ConnectQueue::new(NonZeroUsize::MAX);
        let addresses = ports(&[7]);
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(first)) = pin!(dial(&fake, &addresses, Some(&queue))).poll(&mut cx)
        else {
            panic!("not connected")
        };
        let mut second = pin!(dial(&fake, &addresses, Some(&queue)));
        assert!(second.as_mut().poll(&mut cx).is_pending());
        drop(first.turn);
        assert!(second.poll(&mut cx).is_ready());
    }
}
