//! What may be moved and shared between threads, with every feature on: a feature takes nothing away.

use ws_stack::{async_std, smol, tokio};

/// As what a program keeps in its structs, and lends to functions that wait.
fn is_held_anywhere<T: Send + Sync + Unpin + 'static>() {}

macro_rules! check {
    ($($runtime:ident),*) => {$(
        is_held_anywhere::<$runtime::Server>();
        is_held_anywhere::<$runtime::Client>();
        is_held_anywhere::<$runtime::Sender>();
        is_held_anywhere::<$runtime::Error>();
        is_held_anywhere::<$runtime::AcceptOptions>();
        is_held_anywhere::<$runtime::ConnectOptions>();
        is_held_anywhere::<$runtime::WebSocket>();
        is_held_anywhere::<$runtime::Reader>();
        is_held_anywhere::<$runtime::Writer>();
        is_held_anywhere::<$runtime::Mailbox<()>>();
        is_held_anywhere::<$runtime::Shutdown>();
        is_held_anywhere::<$runtime::UpgradeInfo>();
        is_held_anywhere::<$runtime::Remote>();
        is_held_anywhere::<$runtime::Outcome>();
        is_held_anywhere::<$runtime::Prepared>();
        is_held_anywhere::<$runtime::Message>();
    )*};
}

#[test]
fn servers_clients_and_connections_are_moved_and_shared() {
    check!(tokio, async_std, smol);
}
