//! What a handshake and what is read cost, on the budgets of memory.

use ws_io::{
    AcceptOptions, Arrival, BudgetExceeded, Config, ConnectOptions, Error, Message, Runtime as _,
    SharedBudget, connect, duplex, receive, receive_any,
};

use crate::support::{
    Sim, client, echo, give_up_after, join, pair, read_to_end, server_with, write,
};

const REQUEST: &str = "GET /room HTTP/1.1\r\nHost: chat.example\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const MIB: usize = 1024 * 1024;

fn options(budget: &SharedBudget) -> AcceptOptions {
    let session = Config::default().with_shared_budget(budget.clone());
    AcceptOptions::default().with_session(session)
}

/// The error says how much was held, and of which budget.
fn check(error: &Error, budget: &SharedBudget) {
    let Error::BudgetExceeded(exceeded) = error else { panic!("{error:?}") };
    let BudgetExceeded { account, max, is_shared, .. } = **exceeded;
    assert_eq!((max, is_shared), (budget.max(), true));
    assert!((REQUEST.len()..64 * 1024).contains(&account.received), "{account:?}");
}

// THREAT: memory-amplification
#[test]
fn a_request_is_charged_while_it_is_there_and_no_longer() {
    let budget = SharedBudget::new(MIB);
    let sim = Sim::new();
    let (mut raw, right) = duplex(64 * 1024);
    sim.block_on(async {
        let mut arriving = Box::pin(receive(right, sim.clone(), options(&budget)));
        let (begun, rest) = REQUEST.split_at(20);
        write(&mut raw, begun).await;
        assert!(give_up_after(1, arriving.as_mut()).await.is_none());
        let charged = budget.used();
        assert!((REQUEST.len()..64 * 1024).contains(&charged), "{charged} bytes");
        write(&mut raw, rest).await;
        let incoming = arriving.await.unwrap();
        assert_eq!(budget.used(), charged, "until it is answered");
        let server = incoming.accept().await.unwrap();
        assert_eq!(budget.used(), 0, "an open connection that holds nothing");
        drop(server);
    });
}

// THREAT: memory-amplification
#[test]
fn a_request_for_which_there_is_no_memory_is_answered_503() {
    for rest in [0, 512] {
        let budget = SharedBudget::new(MIB);
        // All is taken, the part too that is for who holds little.
        let mut others = Vec::new();
        while budget.used() + rest < budget.max() {
            let mut other = budget.open();
            assert!(other.set((budget.max() - budget.used()).min(64 * 1024)));
            others.push(other);
        }
        let sim = Sim::new();
        let (mut raw, right) = duplex(64 * 1024);
        sim.block_on(async {
            write(&mut raw, REQUEST).await;
            let serving = async {
                let error = receive(right, sim.clone(), options(&budget)).await.unwrap_err();
                check(&error, &budget);
            };
            let ((), answer) = join(serving, read_to_end(&mut raw)).await;
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        });
        drop(others);
        assert_eq!(budget.used(), 0);
    }
}

#[test]
fn a_request_that_is_there_when_the_budget_is_used_up_is_answered_503() {
    let budget = SharedBudget::new(MIB);
    let sim = Sim::new();
    let (mut raw, right) = duplex(64 * 1024);
    sim.block_on(async {
        write(&mut raw, REQUEST).await;
        let incoming = receive(right, sim.clone(), options(&budget)).await.unwrap();
        let mut other = budget.open();
        assert!(other.set(other.limit()));
        let serving = async {
            check(&incoming.accept().await.unwrap_err(), &budget);
        };
        let ((), answer) = join(serving, read_to_end(&mut raw)).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    });
}

#[test]
fn a_request_for_a_page_is_charged_too() {
    let budget = SharedBudget::new(MIB);
    let sim = Sim::new();
    let (mut raw, right) = duplex(64 * 1024);
    sim.block_on(async {
        write(&mut raw, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
        let arrival = receive_any(right, sim.clone(), options(&budget)).await.unwrap();
        assert!(matches!(arrival, Arrival::Page(_)) && budget.used() > 0);
        drop(arrival);
        assert_eq!(budget.used(), 0);
    });
}

#[test]
fn the_answer_to_a_client_is_charged_while_it_arrives() {
    let budget = SharedBudget::new(MIB);
    let session = Config::default().with_shared_budget(budget.clone());
    let options = ConnectOptions::default().with_session(session);
    let sim = Sim::new();
    let (left, mut raw) = duplex(64 * 1024);
    let uri = "ws://chat.example/".parse().unwrap();
    sim.block_on(async {
        let mut connecting = Box::pin(connect(left, sim.clone(), &uri, &options));
        write(&mut raw, "HTTP/1.1 101 Switching").await;
        assert!(give_up_after(1, connecting.as_mut()).await.is_none());
        assert!(budget.used() > 0);
        drop(connecting);
        assert_eq!(budget.used(), 0);
    });
}

/// Lets a server with this configuration receive so many messages of 1000 bytes, as many as the pipe
/// holds at a time.
fn receive_all(config: Config, count: usize) {
    const FRAME: usize = 1008;
    let sim = Sim::new();
    let (left, right) = duplex(1000 * FRAME);
    let (mut client, mut server) = (client(&sim, left), server_with(&sim, right, config.into()));
    let _client = sim.spawn_collect(async move {
        for _ in 0..count {
            client.send(Message::binary([7; 1000].as_slice())).await.unwrap();
        }
        client
    });
    sim.block_on(async {
        for _ in 0..count {
            assert_eq!(server.next().await.unwrap().unwrap().payload().len(), 1000);
        }
    });
}

// THREAT: memory-amplification
#[test]
fn no_budget_is_used_up_by_a_buffer_that_is_larger_than_it_must_be() {
    // Leaves large buffers to the thread: several were in use at a time.
    let sim = Sim::new();
    let echoed: Vec<_> = (0..4)
        .map(|_| {
            let (mut client, mut server) = pair(&sim);
            sim.spawn(async move { echo(&mut server).await.unwrap_or_default() });
            sim.spawn_collect(async move {
                client.send(Message::binary(vec![7; 500 * 1024])).await.unwrap();
                client.next().await.unwrap().unwrap();
            })
        })
        .collect();
    sim.block_on(async {
        for echoed in echoed {
            echoed.output().await;
        }
    });
    receive_all(Config::default().with_memory_budget(400 * 1024), 5000);
}
