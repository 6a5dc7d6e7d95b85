//! What a connection weighs, and that a message costs no allocation.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use allocation_counter::measure;
use futures_core::Stream as _;
use futures_io::{AsyncRead as _, AsyncWrite as _};
use futures_sink::Sink as _;
use ws_frame::Message;
use ws_io::{Transport as _, duplex};

use crate::support::{Sim, Socket, client, frame, pair, server};

/// Polls once, with nobody to wake.
fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// One message there and back.
fn exchange(client: &mut Socket, server: &mut Socket, message: &Message) {
    assert!(poll(client.send(message.clone())).is_ready());
    let Poll::Ready(Some(Ok(received))) = poll(server.next()) else { panic!("no message") };
    assert!(poll(server.feed(received)).is_ready());
    assert!(poll(server.next()).is_pending());
    let Poll::Ready(Some(Ok(received))) = poll(client.next()) else { panic!("no echo") };
    assert_eq!(received, *message);
    drop(received);
    assert!(poll(client.next()).is_pending());
}

#[test]
fn moving_a_connection_moves_three_words() {
    // What an async function takes it keeps twice: as argument and as variable.
    assert_eq!(size_of::<Socket>(), 3 * size_of::<usize>());
}

#[test]
fn an_echoed_small_message_allocates_nothing_in_steady_state() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    for payload in [Message::text("0123456789abcdef"), Message::binary(vec![5; 1000])] {
        for _ in 0..20 {
            exchange(&mut client, &mut server, &payload);
        }
        let info = measure(|| {
            for _ in 0..100 {
                exchange(&mut client, &mut server, &payload);
            }
        });
        assert_eq!(
            info.count_total,
            0,
            "allocations for 100 echoes of {}",
            payload.payload().len()
        );
    }
}

#[test]
fn bytes_that_come_and_go_allocate_nothing_in_steady_state() {
    let sim = Sim::new();
    let (client, server) = pair(&sim);
    let (mut client, mut server) = (client.into_byte_stream(), server.into_byte_stream());
    let mut exchange = || {
        let mut cx = Context::from_waker(Waker::noop());
        let mut buffer = [0; 2000];
        for from_client in [true, false] {
            let (near, far) =
                if from_client { (&mut client, &mut server) } else { (&mut server, &mut client) };
            let (mut near, mut far) = (Pin::new(near), Pin::new(far));
            assert!(matches!(near.as_mut().poll_write(&mut cx, &[7; 1000]), Poll::Ready(Ok(1000))));
            assert!(near.as_mut().poll_read(&mut cx, &mut buffer).is_pending());
            assert!(matches!(far.as_mut().poll_read(&mut cx, &mut buffer), Poll::Ready(Ok(1000))));
            assert!(far.as_mut().poll_read(&mut cx, &mut buffer).is_pending());
        }
    };
    for _ in 0..20 {
        exchange();
    }
    let info = measure(|| (0..100).for_each(|_| exchange()));
    assert_eq!(info.count_total, 0, "allocations for 100 times there and back");
}

#[test]
fn two_tasks_that_share_a_connection_allocate_nothing_in_steady_state() {
    struct Task;

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    let (receiving, sending) = (Waker::from(Arc::new(Task)), Waker::from(Arc::new(Task)));
    let message = Message::binary(vec![5; 1000]);
    let mut exchange = || {
        let mut client = Pin::new(&mut client);
        let mut cx = Context::from_waker(&receiving);
        assert!(client.as_mut().poll_next(&mut cx).is_pending());
        let mut cx = Context::from_waker(&sending);
        assert!(client.as_mut().poll_ready(&mut cx).is_ready());
        client.as_mut().start_send(message.clone()).unwrap();
        assert!(client.poll_flush(&mut cx).is_ready());
        assert!(poll(server.next()).is_ready());
        assert!(poll(server.next()).is_pending());
    };
    for _ in 0..20 {
        exchange();
    }
    let info = measure(|| (0..100).for_each(|_| exchange()));
    assert_eq!(info.count_total, 0, "allocations for 100 messages");
}

// THREAT: memory-amplification
#[test]
fn ten_thousand_idle_connections_hold_no_buffers() {
    const COUNT: usize = 10_000;
    let sim = Sim::new();
    let message = Message::binary(vec![5; 1024]);
    // The first connection fills the pool, which is not a connection's.
    let (mut first_client, mut first_server) = pair(&sim);
    exchange(&mut first_client, &mut first_server, &message);
    let mut servers = Vec::with_capacity(COUNT);
    let mut clients = Vec::with_capacity(COUNT);
    let bare = measure(|| {
        let pipes: Vec<_> = (0..COUNT).map(|_| duplex(64 * 1024)).collect();
        std::hint::black_box(&pipes);
        std::mem::forget(pipes);
    });
    let info = measure(|| {
        for _ in 0..COUNT {
            let (left, right) = duplex(64 * 1024);
            let (mut client, mut server) = (client(&sim, left), server(&sim, right));
            exchange(&mut client, &mut server, &message);
            clients.push(client);
            servers.push(server);
        }
    });
    let both_ends = (info.bytes_current - bare.bytes_current) as usize / COUNT;
    let held = both_ends / 2 + size_of::<Socket>();
    println!("{held} bytes per idle connection, {} on the heap", both_ends / 2);
    assert!(held <= 840, "{held} bytes per idle connection, {} on the heap", both_ends / 2);
}

// THREAT: unread-pongs
#[test]
fn a_flood_of_pings_whose_pongs_are_never_read_costs_bounded_memory() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(64 * 1024);
    let mut server = server(&sim, right);
    let ping = frame(0x89, &[7; 125]);
    let info = measure(|| {
        for _ in 0..100_000 {
            let sent = poll(poll_fn(|cx| raw.poll_write(cx, &mut &ping[..])));
            assert!(sent.is_ready());
            let mut received = poll(server.next());
            if received.is_pending() {
                // Now and then it lets other tasks run.
                received = poll(server.next());
            }
            assert!(matches!(received, Poll::Ready(Some(Ok(Message::Ping(_))))));
        }
    });
    // 12.5 MB of pings: high water, one read, and what the pipe itself holds.
    assert!(info.bytes_max < 512 * 1024, "{} bytes", info.bytes_max);
}

// THREAT: memory-amplification
#[test]
fn a_message_larger_than_any_buffer_costs_memory_only_as_it_arrives() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(64 * 1024);
    let mut server = server(&sim, right);
    // The header declares 16 MiB; 100 KiB of it come.
    let mut head = frame(0x82, &[]);
    head.truncate(1);
    head.extend_from_slice(&[0xff]);
    head.extend_from_slice(&(16_u64 << 20).to_be_bytes());
    head.extend_from_slice(&[0; 4]);
    let info = measure(|| {
        assert!(poll(poll_fn(|cx| raw.poll_write(cx, &mut &head[..]))).is_ready());
        for _ in 0..100 {
            assert!(poll(poll_fn(|cx| raw.poll_write(cx, &mut &[0; 1024][..]))).is_ready());
            assert!(poll(server.next()).is_pending());
        }
    });
    assert!(info.bytes_max < 512 * 1024, "{} bytes", info.bytes_max);
}
