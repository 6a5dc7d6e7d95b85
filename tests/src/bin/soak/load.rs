//! The clients, all at once, for as long as was asked.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lexopt::Arg::Long;
use lexopt::ValueExt as _;
use rand::Rng as _;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use ws_tests::Carrier;

use crate::clients::{Behaviour, Life, Server};
use crate::tally::Tally;
use crate::{Failure, say};

/// Runs the clients; false when one of them saw what must not be.
pub(crate) async fn run(arguments: Vec<String>) -> Result<bool, Failure> {
    let (mut plain, mut tls, mut authority) = (String::new(), String::new(), String::new());
    let (mut seconds, mut clients) = (60_u64, 1000_usize);
    let mut carriers = Vec::new();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("plain") => plain = parser.value()?.string()?,
            Long("tls") => tls = parser.value()?.string()?,
            Long("ca") => authority = parser.value()?.string()?,
            Long("seconds") => seconds = parser.value()?.parse()?,
            Long("over") => {
                let name = parser.value()?.string()?;
                let known = Carrier::ALL.into_iter().find(|carrier| carrier.name() == name);
                carriers.push(known.ok_or_else(|| format!("--over {name}: not known"))?);
            }
            Long("clients") => clients = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if carriers.is_empty() {
        carriers.extend(Carrier::ALL);
    }
    let server = Arc::new(Server { plain, tls, trust: trusting(&std::fs::read(authority)?)? });
    let tally = Arc::new(Tally::default());
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut running = JoinSet::new();
    let groups = carriers.iter().copied().cycle().zip(0..clients.div_ceil(SHARING));
    for (carrier, group) in groups {
        let deflate = group / carriers.len() % 2 == 1;
        let client = server.client(carrier);
        for number in 0..SHARING.min(clients - group * SHARING) {
            let (server, client) = (Arc::clone(&server), client.clone());
            let behaviour = Behaviour::of(number);
            let life = Life { server, client, carrier, deflate, behaviour };
            running.spawn(live(life, Arc::clone(&tally), end));
        }
    }
    let mut seconds = tokio::time::interval(Duration::from_secs(5));
    loop {
        tokio::select! {
            ended = running.join_next() => match ended {
                None => break,
                Some(ended) => ended?,
            },
            _ = seconds.tick() => say(&tally.line())?,
        }
    }
    say(&tally.line())?;
    Ok(tally.violations() == 0)
}

/// One client: connects, lives, is gone, and again, until the end.
async fn live(life: Life, tally: Arc<Tally>, end: Instant) {
    // Not all in the same moment.
    pause(Duration::from_secs(10)).await;
    while Instant::now() < end {
        tally.open.fetch_add(1, Ordering::Relaxed);
        tally.live(life.carrier, life.behaviour);
        let lived = life.run(&tally).await;
        tally.open.fetch_sub(1, Ordering::Relaxed);
        if let Err(error) = lived {
            tally.violation(format!("{life}: {error}"));
        }
        pause(Duration::from_secs(1)).await;
    }
}

/// Up to so long.
pub(crate) async fn pause(most: Duration) {
    let share = rand::rng().random_range(0.0..1.0);
    sleep(most.mul_f64(share)).await;
}

fn trusting(pem: &[u8]) -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Clients that share their connections, where the carrier has streams.
const SHARING: usize = 20;
