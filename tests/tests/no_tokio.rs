//! On async-std and smol no tokio runtime is started, and what is linked of tokio cannot start one.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use ws_stack::async_std::AsyncStd;
use ws_stack::endpoint::{Client, ConnectOptions, Message, Net, Server};
use ws_stack::smol::Smol;

/// The features of tokio that bring traits, locks and macros, and neither threads nor a reactor.
const HARMLESS: &[&str] = &["default", "io-util", "sync", "macros", "tokio-macros", "bytes"];

#[test]
fn neither_adapter_links_a_tokio_runtime_with_any_of_its_features() {
    for package in ["ws-async-std", "ws-smol"] {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--all-features", "--edges", "normal,features"])
            .args(["--prefix", "none", "--package", package])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        let text = String::from_utf8_lossy(&tree.stdout);
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        assert!(text.contains("async-io v"), "a tree of {package}: {text}");
        for line in text.lines() {
            let Some(feature) = line.strip_prefix("tokio feature \"") else { continue };
            let (feature, _) = feature.split_once('"').expect("a quoted name");
            assert!(HARMLESS.contains(&feature), "{package} enables tokio/{feature}");
        }
    }
}

#[test]
fn no_task_runs_inside_a_tokio_runtime_and_no_worker_thread_exists() {
    smol::block_on(there_and_back(Smol));
    async_std::task::block_on(there_and_back(AsyncStd));
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        eprintln!("names of threads not checked: there is no /proc");
        return;
    };
    let names: Vec<String> = threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok())
        .collect();
    assert!(names.iter().any(|name| name.starts_with("async-io")), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("tokio")), "{names:?}");
}

async fn there_and_back<N: Net>(net: N) {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::new(net.clone()).listen(anywhere).expect("a port");
    let url = server.urls().next().expect("it listens");
    net.spawn(async move {
        server
            .serve(|mut websocket| async move {
                while let Some(Ok(message)) = websocket.next().await {
                    assert!(tokio::runtime::Handle::try_current().is_err(), "inside tokio");
                    if websocket.send(message).await.is_err() {
                        break;
                    }
                }
            })
            .await;
    });
    let options = ConnectOptions::default();
    let mut websocket = Client::new(net).connect(&url, &options).await.expect("open");
    websocket.send(Message::text("hello")).await.expect("sent");
    assert_eq!(websocket.next().await.expect("open").expect("an echo"), Message::text("hello"));
    assert!(tokio::runtime::Handle::try_current().is_err(), "inside tokio");
}
