//! What may be moved and shared between threads, with every feature on: a feature takes nothing away.

use ws_stack::{async_std, smol, tokio};

fn is_shared<T: Send + Sync>() {}
fn is_moved<T: Send>() {}

macro_rules! check {
    ($($runtime:ident),*) => {$(
        is_shared::<$runtime::Server>();
        is_shared::<$runtime::Client>();
        is_shared::<$runtime::Sender>();
        is_shared::<$runtime::Error>();
        is_shared::<$runtime::AcceptOptions>();
        is_shared::<$runtime::ConnectOptions>();
        is_moved::<$runtime::WebSocket>();
        is_moved::<$runtime::Reader>();
        is_moved::<$runtime::Writer>();
    )*};
}

#[test]
fn servers_and_clients_are_shared_and_connections_are_moved() {
    check!(tokio, async_std, smol);
}
