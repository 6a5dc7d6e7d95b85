//! A client and a server of this crate, of which one gives up at the n-th poll, for n from the first on
//! until there are no more of them: a wait that begins anew, a task that is dropped with all it holds, a
//! server that is told to go. Nothing is lost or doubled, neighbours live, the other side is told, and
//! nothing is left: no task, no place, no byte of the budget.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ws_endpoint::{Client, CloseCode, ConnectOptions, Message};

use crate::lives::{Patience, Stage, WAYS, feed, flush, hand_over_after, receive, talk};
use crate::net::Memory;
use crate::sim::{Sim, give_up_after, yield_now};

#[test]
fn a_wait_may_be_given_up_after_any_number_of_polls() {
    for way in WAYS {
        for polls in [1, 2, 3, 5, 8] {
            let sim = Sim::new();
            sim.block_on(async {
                let waits = Some(polls);
                let stage = Stage::new(&sim, way, Patience { waits, ..Patience::default() });
                let mut websocket = stage.open().await.unwrap();
                let sizes = [0, 1, 200, 3000, 20_000, 300_000];
                for in_pieces in [false, true] {
                    for (number, size) in (0_u8..).zip(sizes) {
                        let mut payload = vec![number; size];
                        payload.push(number);
                        feed(&mut websocket, Message::binary(payload), polls).await.unwrap();
                        if number == 3 {
                            flush(&mut websocket, polls).await.unwrap();
                        }
                    }
                    for (number, size) in (0_u8..).zip(sizes) {
                        let echo = receive(&mut websocket, in_pieces, polls).await;
                        assert_eq!(echo, vec![number; size + 1], "{way:?} {polls}");
                    }
                }
                loop {
                    let closing = websocket.close(CloseCode::NORMAL, "");
                    match give_up_after(polls, closing).await {
                        Some(outcome) => {
                            assert!(outcome.unwrap().clean, "{way:?} {polls}");
                            break;
                        }
                        None => yield_now().await,
                    }
                }
                drop(websocket);
                stage.check(&format!("{polls} polls")).await;
            });
        }
    }
}

#[test]
fn a_connect_may_be_given_up_at_any_poll() {
    for way in WAYS {
        for has_neighbour in [false, true] {
            for polls in 0.. {
                let sim = Sim::new();
                let is_open = sim.block_on(async {
                    let stage = Stage::new(&sim, way, Patience::default());
                    let neighbour =
                        if has_neighbour { Some(stage.open().await.unwrap()) } else { None };
                    let opened = give_up_after(polls, stage.open()).await;
                    let is_open = opened.is_some();
                    if let Some(opened) = opened {
                        talk(&mut opened.unwrap()).await;
                    }
                    talk(&mut stage.open().await.unwrap()).await;
                    if let Some(mut neighbour) = neighbour {
                        talk(&mut neighbour).await;
                    }
                    assert!(stage.near.dials() <= 3, "{way:?} {polls}");
                    stage.check(&format!("connect given up after {polls}")).await;
                    is_open
                });
                if is_open {
                    assert!(polls > 1, "{way:?}: it waits");
                    break;
                }
            }
        }
    }
}

#[test]
fn a_wait_may_move_to_another_task_at_any_poll() {
    for way in WAYS {
        for polls in 0.. {
            let sim = Sim::new();
            let is_over = sim.block_on(async {
                let moves = Some(polls);
                let stage = Stage::new(&sim, way, Patience { moves, ..Patience::default() });
                let visiting = visit(stage.client.clone(), stage.url.clone());
                let is_over = match hand_over_after(polls, &sim, visiting).await {
                    Ok(()) => true,
                    Err(elsewhere) => {
                        while elsewhere.is_empty() {
                            sim.sleep(Duration::from_millis(10)).await;
                            let took = sim.elapsed();
                            assert!(took < Duration::from_secs(9), "{way:?} {polls}: {took:?}");
                        }
                        false
                    }
                };
                stage.check(&format!("moved after {polls}")).await;
                is_over
            });
            if is_over {
                assert!(polls > 5, "{way:?}: it waits");
                break;
            }
        }
    }
}

/// Counts how often it is polled, and runs to its end.
async fn counted<F: Future>(polls: &AtomicUsize, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.fetch_add(1, Ordering::Relaxed);
        future.as_mut().poll(cx)
    })
    .await
}

/// What a client does in a task of its own.
async fn visit(client: Client<Memory>, url: String) {
    let mut websocket = client.connect(&url, &ConnectOptions::default()).await.unwrap();
    for size in [10, 3000, 50_000] {
        websocket.feed(Message::binary(vec![7; size])).await.unwrap();
    }
    for size in [10, 3000, 50_000] {
        assert_eq!(receive(&mut websocket, false, usize::MAX).await, vec![7; size]);
    }
    let _closed = websocket.close(CloseCode::NORMAL, "").await;
}

#[test]
fn a_client_may_be_dropped_at_any_poll() {
    for way in WAYS {
        for polls in 0.. {
            let sim = Sim::new();
            let is_over = sim.block_on(async {
                let stage = Stage::new(&sim, way, Patience::default());
                let mut neighbour = stage.open().await.unwrap();
                let is_over = give_up_after(polls, visit(stage.client.clone(), stage.url.clone()))
                    .await
                    .is_some();
                talk(&mut neighbour).await;
                drop(neighbour);
                talk(&mut stage.open().await.unwrap()).await;
                stage.check(&format!("client dropped after {polls}")).await;
                is_over
            });
            if is_over {
                assert!(polls > 5, "{way:?}: it waits");
                break;
            }
        }
    }
}

#[test]
fn a_task_of_the_server_may_end_at_any_poll() {
    for way in WAYS {
        for polls in 0.. {
            let sim = Sim::new();
            let is_over = sim.block_on(async {
                let task = Some(polls);
                let stage = Stage::new(&sim, way, Patience { task, ..Patience::default() });
                let mut websocket = stage.open().await.unwrap();
                let mut neighbour = stage.open().await.unwrap();
                for size in [10, 3000, 50_000] {
                    // It may be gone by now, which `next` tells.
                    let _fed = websocket.feed(Message::binary(vec![7; size])).await;
                }
                let (mut echoes, mut errors) = (0, Vec::new());
                while echoes < 3
                    && let Some(message) = websocket.next().await
                {
                    match message {
                        Ok(message) if message.data_kind().is_some() => echoes += 1,
                        Ok(_) => {}
                        Err(error) => errors.push(error.reason()),
                    }
                }
                let outcome = websocket.close(CloseCode::NORMAL, "").await.unwrap();
                let is_over = outcome.clean;
                if !is_over {
                    // The last is of who has said goodbye to a server that was gone by then.
                    let cause = outcome.cause.reason();
                    let is_known = ["closed", "transport_error", "normal"].contains(&cause);
                    assert!(is_known, "{way:?} {polls}: {cause}");
                    assert_eq!(outcome.code, CloseCode::ABNORMAL, "{way:?} {polls}");
                    assert!(errors.len() <= 1, "{way:?} {polls}: {errors:?}");
                }
                talk(&mut neighbour).await;
                drop((websocket, neighbour));
                talk(&mut stage.open().await.unwrap()).await;
                stage.check(&format!("server's task dropped after {polls}")).await;
                is_over
            });
            if is_over {
                assert!(polls > 2, "{way:?}: it waits");
                break;
            }
        }
    }
}

#[test]
fn a_server_may_be_told_to_go_at_any_poll_of_its_client() {
    for way in WAYS {
        let sim = Sim::new();
        let polls = AtomicUsize::new(0);
        sim.block_on(async {
            let stage = Stage::new(&sim, way, Patience::default());
            let _neighbour = stage.open().await.unwrap();
            counted(&polls, visit(stage.client.clone(), stage.url.clone())).await;
        });
        for polls in 0..polls.into_inner() {
            let sim = Sim::new();
            sim.block_on(async {
                let stage = Stage::new(&sim, way, Patience::default());
                let mut neighbour = stage.open().await.unwrap();
                {
                    let mut leaving = pin!(leave(&stage));
                    let mut polled = 0;
                    poll_fn(|cx| {
                        if polled == polls {
                            stage.shutdown.drain(Duration::from_secs(10));
                        }
                        polled += 1;
                        leaving.as_mut().poll(cx)
                    })
                    .await;
                }
                let mut goodbye = None;
                while let Some(message) = neighbour.next().await {
                    if let Ok(Message::Close(frame)) = message {
                        goodbye = frame;
                    }
                }
                let code = goodbye.map(|frame| frame.code);
                assert_eq!(code, Some(CloseCode::GOING_AWAY), "{way:?} {polls}");
                assert!(neighbour.outcome().unwrap().clean, "{way:?} {polls}");
                drop(neighbour);
                assert!(sim.elapsed() < Duration::from_secs(20), "{way:?} {polls}");
                stage.check(&format!("drained at {polls}")).await;
            });
        }
    }
}

/// As `visit`, of a server that may go away: what is not told by it is an error.
async fn leave(stage: &Stage) {
    let Ok(mut websocket) = stage.open().await else { return };
    for size in [10, 3000, 50_000] {
        let _fed = websocket.feed(Message::binary(vec![7; size])).await;
    }
    let mut echoes = 0;
    while echoes < 3
        && let Some(message) = websocket.next().await
    {
        echoes += usize::from(message.unwrap().data_kind().is_some());
    }
    let outcome = websocket.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(outcome.clean, "{:?} {outcome:?}", stage.way);
}
