//! One body for every runtime and carrier: what is promised on one of them holds on all.
//!
//! Each case is one generic function; the matrix runs it for every runtime, carrier and choice of
//! compression, and prints at the end what ran, with the time measured where time is what the case
//! is about. A word on the command line runs only the lines that contain it:
//! `cargo test -p ws-tests --test matrix -- smol`.

mod cell;
mod closing;
mod deadlines;
mod handshakes;
mod messages;
mod panics;
mod platform;
mod table;
mod threats;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use ws_stack::async_std::AsyncStd;
use ws_stack::smol::Smol;
use ws_stack::tokio::Tokio;
use ws_tests::{Carrier, certificates};

use crate::cell::Cell;
use crate::platform::{Platform, within};
use crate::table::{Entry, Table};

/// What a case has to say when everything it asserts is so.
enum Seen {
    /// Everything is as it should be.
    Right,
    /// And it took this long, which is within what was asserted.
    Took(Duration),
    /// There is no such thing over this carrier.
    NotHere,
}

struct Case<N: Platform> {
    name: &'static str,
    run: fn(Cell<N>) -> Running,
}

/// A case on its way.
type Running = Pin<Box<dyn Future<Output = Seen>>>;

macro_rules! cases {
    ($($module:ident::$case:ident)*) => {
        vec![$(Case { name: stringify!($case), run: |cell| Box::pin($module::$case(cell)) }),*]
    };
}

fn cases<N: Platform>() -> Vec<Case<N>> {
    cases![
        messages::text_and_binary_come_back_at_every_boundary
        messages::a_burst_comes_back_in_order
        messages::fragments_come_back_as_one_message
        messages::a_large_message_is_read_in_pieces
        messages::pings_are_answered_both_ways
        messages::two_tasks_read_and_write_at_the_same_time
        messages::a_stream_and_a_sink_wait_in_two_tasks
        messages::bytes_go_both_ways_as_through_a_socket
        messages::another_task_sends_on_the_connection
        handshakes::compression_is_used_when_both_want_it
        handshakes::a_name_with_several_addresses_reaches_whoever_listens
        handshakes::a_page_of_another_origin_is_refused
        handshakes::a_route_may_take_its_time_but_not_for_ever
        handshakes::the_server_chooses_the_subprotocol
        handshakes::a_server_nobody_vouches_for_is_refused
        handshakes::a_unix_socket_carries_messages
        handshakes::beyond_the_cap_connections_wait_for_room
        closing::the_client_closes_with_code_and_reason
        closing::the_server_closes_with_code_and_reason
        closing::a_message_above_a_small_limit_is_told_so
        closing::everyone_is_told_that_the_server_goes_away
        closing::a_server_that_restarts_says_so_to_who_may_be_told
        closing::wherever_a_connection_is_it_is_told
        closing::who_does_not_leave_in_time_is_cut
        closing::a_peer_that_vanishes_is_no_orderly_end
        closing::what_was_sent_arrives_although_the_connection_is_dropped
        panics::a_panic_costs_its_own_websocket
        deadlines::a_silent_peer_is_closed_after_the_idle_timeout
        deadlines::a_quiet_peer_is_kept_alive_by_pings
        deadlines::a_peer_that_never_reads_is_cut_by_the_write_timeout
        deadlines::a_peer_that_never_answers_a_close_is_left_in_time
        deadlines::a_client_that_says_nothing_is_given_up_on
        deadlines::a_server_that_says_nothing_is_given_up_on
        threats::fragment_flood
        threats::length_arithmetic
        threats::control_frames
        threats::unmasked_frames
        threats::late_utf8
        threats::utf8_split
        threats::inflate_bomb
        threats::empty_blocks
        threats::close_flood
        threats::slow_message
    ]
}

/// Runs a runtime's share of the matrix, with or without compression.
fn run<N: Platform>(deflate: bool, filter: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for carrier in Carrier::ALL {
        let column = format!("{}{}", carrier.name(), if deflate { "+z" } else { "" });
        for case in cases::<N>() {
            let name = case.name.replace('_', " ");
            if !format!("{} {column} {name}", N::NAME).contains(filter) {
                continue;
            }
            let cell = Cell::<N>::new(carrier, deflate, certificates());
            let seen = catch_unwind(AssertUnwindSafe(|| {
                N::block_on(within(&cell.net.clone(), PATIENCE, (case.run)(cell)))
            }));
            let result = match seen {
                Ok(Some(Seen::Right)) => "ok".to_owned(),
                Ok(Some(Seen::Took(time))) => format!("{} ms", time.as_millis()),
                Ok(Some(Seen::NotHere)) => "-".to_owned(),
                Ok(None) => format!("{}: hangs", table::FAILED),
                Err(panic) => format!("{}: {}", table::FAILED, last_words(&*panic)),
            };
            entries.push(Entry { runtime: N::NAME, column: column.clone(), case: name, result });
        }
    }
    entries
}

/// What was said with a panic, in one line.
fn last_words(panic: &dyn Any) -> String {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    let words = owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    words.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

#[expect(clippy::print_stdout, reason = "the matrix is what this program is for")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        println!("matrix: test");
        return ExitCode::SUCCESS;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let filter = filter.map_or("", String::as_str);
    // Side by side: most of the time is spent waiting for deadlines.
    let entries = std::thread::scope(|scope| {
        let runs: [fn(bool, &str) -> Vec<Entry>; 3] = [run::<Tokio>, run::<AsyncStd>, run::<Smol>];
        let runs =
            runs.map(|run| [false, true].map(|deflate| scope.spawn(move || run(deflate, filter))));
        runs.into_iter().flatten().flat_map(|run| run.join().expect("panics are caught")).collect()
    });
    let table = Table::new(entries);
    println!("\n{table}");
    if table.has_failures() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// No case takes nearly as long, unless somebody was never woken.
const PATIENCE: Duration = Duration::from_secs(30);
