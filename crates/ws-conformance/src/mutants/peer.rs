//! The reference peer by each version of HTTP: a server that listens, a client that calls.

use std::io;
use std::sync::Arc;
#[cfg(all(feature = "h2", feature = "h3"))]
use std::time::Duration;

use tokio::net::TcpStream;

#[cfg(all(feature = "h2", feature = "h3"))]
use super::carried::Called;
use super::endpoint;
use super::fault::Fault;
#[cfg(all(feature = "h2", feature = "h3"))]
use super::{by_h2, by_h3};
use crate::carrier::Carrier;
use crate::server_side::lobby::{Caller, Lobby};
use crate::target::Target;
use crate::wire::identity::Identity;
use crate::wire::stream::Wire;
#[cfg(all(feature = "h2", feature = "h3"))]
use crate::wire::tls;

/// A place for callers by `carrier` on the loopback interface.
pub(super) async fn lobby(carrier: Carrier) -> io::Result<Lobby> {
    let identity = match carrier {
        Carrier::H3 | Carrier::Best => Some(Arc::new(Identity::new()?)),
        _ => None,
    };
    Lobby::bind(([127, 0, 0, 1], 0).into(), carrier, identity).await
}

/// Starts a server, right or with a fault, for as long as the runtime lives.
pub(super) async fn serve(carrier: Carrier, fault: Option<Fault>) -> io::Result<Target> {
    let mut lobby = lobby(carrier).await?;
    if fault == Some(Fault::SpeaksH2Only) {
        lobby.alpn = &["h2"];
    }
    let target = lobby.url("/").parse().map_err(io::Error::other)?;
    tokio::spawn(async move {
        loop {
            // A caller who did not get through TLS or QUIC is not served.
            if let Ok(caller) = lobby.accept().await {
                tokio::spawn(attend(caller, fault));
            }
        }
    });
    Ok(target)
}

async fn attend(caller: Caller, fault: Option<Fault>) {
    match caller {
        Caller::H1(wire) => endpoint::serve(wire, fault).await,
        Caller::H2(wire) if fault == Some(Fault::UpgradesInH2) => {
            endpoint::serve(wire, fault).await
        }
        #[cfg(all(feature = "h2", feature = "h3"))]
        Caller::H2(wire) => by_h2::serve(wire, fault).await,
        #[cfg(not(all(feature = "h2", feature = "h3")))]
        Caller::H2(_) => {}
        #[cfg(all(feature = "h2", feature = "h3"))]
        Caller::H3(connection, endpoint) => by_h3::serve(connection, endpoint, fault).await,
        #[cfg(all(feature = "h3", not(feature = "h2")))]
        Caller::H3(..) => {}
    }
}

/// Lets a client call `target` by `carrier`.
pub(super) async fn call(target: Target, carrier: Carrier, fault: Option<Fault>) -> io::Result<()> {
    let dial = || async {
        let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
        stream.set_nodelay(true)?;
        Ok::<_, io::Error>(stream)
    };
    match carrier {
        #[cfg(all(feature = "h2", feature = "h3"))]
        Carrier::H2 => {
            let (wire, authority) = (Wire::new(dial().await?), target.authority());
            by_h2::call(wire, target.secure, &authority, &target.path, fault).await;
        }
        #[cfg(all(feature = "h2", feature = "h3"))]
        Carrier::H3 => {
            let patience = Duration::from_secs(10);
            by_h3::call(&target.host, target.port, &target.path, patience, fault).await;
        }
        #[cfg(all(feature = "h2", feature = "h3"))]
        Carrier::Best => {
            let (host, port, patience) = (&target.host, target.port, Duration::from_millis(700));
            let newest = by_h3::call(host, port, &target.path, patience, fault).await;
            let gives_up = fault == Some(Fault::NeverFallsBack);
            if newest == Called::Done || gives_up {
                return Ok(());
            }
            let stream =
                tls::connect_with(&target.host, dial().await?, &["h2", "http/1.1"]).await?;
            let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let (wire, authority) = (Wire::new(stream), target.authority());
            if !is_h2 {
                endpoint::call(wire, &authority, fault).await;
                return Ok(());
            }
            let called = by_h2::call(wire, true, &authority, &target.path, fault).await;
            if called == Called::Declined {
                let stream = tls::connect(&target.host, dial().await?, "http/1.1").await?;
                endpoint::call(Wire::new(stream), &authority, fault).await;
            }
        }
        _ => endpoint::call(Wire::new(dial().await?), &target.authority(), fault).await,
    }
    Ok(())
}
