//! What a bomb costs its victim, by the kernel's account of the whole process: each case is a run
//! of this program by itself. `-- --nocapture` prints the table.

#![cfg(all(feature = "deflate", target_os = "linux"))]

use std::process::Command;

use bytes::{Buf, BufMut, BytesMut};
use ws_session::deflate::{self, Deflater, client, server};
use ws_session::{Cause, Compress, Config, Event, FrameError, MaskKeys, Message, Role, Session};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// Names the case in a run of its own: role, bytes of payload in a frame, limit.
const CASE: &str = "WS_SESSION_BOMB";
/// What the kernel's counters and the allocator's pages may add to the 64 KiB.
const NOISE: usize = 64 * KIB;

// RFC: PMD-EXT-01
#[test]
fn a_bomb_costs_its_victim_the_limit_and_64_kib() {
    if let Ok(case) = std::env::var(CASE) {
        println!("\npeak {}", peak(&case));
        return;
    }
    println!("| victim | payload of a frame | limit | peak above the limit |");
    let sizes = [usize::MAX, 1000, 1];
    for role in ["client", "server"] {
        for (size, max) in sizes.iter().flat_map(|size| [MIB, 10 * MIB + 1].map(|max| (size, max)))
        {
            let output = Command::new(std::env::current_exe().expect("this program"))
                .args(["--exact", "a_bomb_costs_its_victim_the_limit_and_64_kib", "--nocapture"])
                .env(CASE, format!("{role},{size},{max}"))
                // What glibc's allocator is given back it gives back at once.
                .env("MALLOC_MMAP_THRESHOLD_", "65536")
                .output()
                .expect("it runs again");
            let printed = String::from_utf8_lossy(&output.stdout);
            let failure = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{role}, {size}, {max}: {failure}");
            let peak = printed.lines().find_map(|line| line.split_once("peak "));
            let peak: usize = peak.and_then(|(_, n)| n.parse().ok()).expect("a figure");
            let above = peak.saturating_sub(max) / KIB;
            println!("| {role} | {} | {} KiB | {above} KiB |", size.min(&256_000), max / KIB);
            assert!(peak <= max + 64 * KIB + NOISE, "{role}, {size}: {peak} for {max}");
        }
    }
}

/// The most that the bomb made this process grow.
fn peak(case: &str) -> usize {
    let fields: Vec<&str> = case.split(',').collect();
    let [role, size, max] = fields[..] else { panic!("{case:?}") };
    let role = if role == "client" { Role::Client } else { Role::Server };
    let max: usize = max.parse().expect("a number");
    let wire = frames(role, size.parse().expect("a number"));
    let mut victim = session(role, max);
    warm_up(&mut victim, role);

    std::fs::write("/proc/self/clear_refs", "5").expect("the peak can be reset");
    let before = memory("VmRSS:");
    for piece in wire.chunks(4 * KIB) {
        victim.read_buffer().extend_from_slice(piece);
        let event = victim.poll_event();
        assert!(event.is_none(), "nothing of a bomb is delivered: {event:?}");
        if !victim.is_open() {
            break;
        }
    }
    let peak = memory("VmHWM:").saturating_sub(before);

    let queued = victim.transmit().len();
    let goodbye = victim.transmit().copy_to_bytes(queued);
    let body = if role == Role::Client { 6 } else { 2 };
    assert_eq!(goodbye.get(body..body + 2), Some(&1009_u16.to_be_bytes()[..]));
    victim.handle_shutdown();
    victim.receive_eof();
    while victim.poll_event().is_some() {}
    let cause = &victim.outcome().expect("over").cause;
    assert!(
        matches!(cause, Cause::Violation(FrameError::InflateTooBig { max: found }) if *found == max),
        "{cause:?}"
    );
    peak
}

/// A session that takes messages of up to `max` bytes, however dense, in any number of fragments.
fn session(role: Role, max: usize) -> Session {
    let wanted = deflate::Config::default();
    let (at_server, answer) =
        server::negotiate(&wanted, &[client::offer(&wanted)]).expect("agreed");
    let at_client = client::accept(&wanted, &answer).expect("agreed");
    let mut config = Config::default();
    config.limits = config.limits.with_max_message(max).with_max_fragments(usize::MAX);
    config.max_inflate_ratio = u32::MAX;
    match role {
        Role::Client => {
            let keys = MaskKeys::new(|| [0; 4]);
            Session::client(config, keys).with_deflate(at_client, &wanted)
        }
        Role::Server => Session::server(config).with_deflate(at_server, &wanted),
    }
}

/// Sends and receives so much that every context and window exists.
fn warm_up(session: &mut Session, to: Role) {
    let mut payload = BytesMut::new();
    Deflater::new(15, false, 6).compress(&[b'x'; 64 * KIB], true, &mut payload);
    session.read_buffer().extend_from_slice(&frame(to, true, true, &payload));
    assert!(matches!(session.poll_event(), Some(Event::Message(_))));
    session.send_with(Message::binary(vec![0; KIB]), Compress::Always).expect("open");
    let queued = session.transmit().len();
    session.transmit().advance(queued);
}

/// 256 MiB of zeros: a mebibyte at a time, each of which but the first compresses to the same.
fn bomb() -> Vec<u8> {
    let mut deflater = Deflater::new(15, true, 9);
    let zeros = vec![0; MIB];
    let (mut first, mut next) = (BytesMut::new(), BytesMut::new());
    deflater.compress(&zeros, false, &mut first);
    deflater.compress(&zeros, false, &mut next);
    let bomb = [&first[..], &next.repeat(255), &[0x00]].concat();
    assert!(bomb.len() < 270 * KIB, "{} bytes", bomb.len());
    bomb
}

/// The bomb in frames of `size` bytes of payload.
fn frames(to: Role, size: usize) -> Vec<u8> {
    let bomb = bomb();
    let pieces = bomb.chunks(size);
    let count = pieces.len();
    pieces.enumerate().flat_map(|(n, piece)| frame(to, n == 0, n + 1 == count, piece)).collect()
}

/// A frame of a binary message that `to` may receive; the masking key is zero.
fn frame(to: Role, first: bool, last: bool, payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    wire.push(if first { 0x42 } else { 0x00 } | if last { 0x80 } else { 0x00 });
    let masked = if to == Role::Server { 0x80 } else { 0 };
    match payload.len() {
        len @ 0..126 => wire.push(masked | u8::try_from(len).expect("small")),
        len @ 126..=0xffff => {
            wire.push(masked | 126);
            wire.put_u16(u16::try_from(len).expect("small"));
        }
        len => {
            wire.push(masked | 127);
            wire.put_u64(len as u64);
        }
    }
    if to == Role::Server {
        wire.put_u32(0);
    }
    wire.extend_from_slice(payload);
    wire
}

/// A figure about this process, in bytes.
fn memory(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it is there");
    let kibibytes: usize =
        line.trim().trim_end_matches(" kB").parse().expect("a number of kibibytes");
    kibibytes * KIB
}
