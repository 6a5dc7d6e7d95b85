//! Messages in pieces, in both directions.

use bytes::Bytes;
use ws_close::CloseCode;
use ws_frame::{DataKind, Message};
use ws_io::{Chunk, Runtime as _};

use crate::support::{Sim, echo, pair};

#[test]
fn fragments_arrive_as_one_message_on_the_other_side() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    sim.spawn(async move { echo(&mut server).await.unwrap() });
    sim.block_on(async {
        for (piece, last) in [("Hel", false), ("", false), ("lo", true)] {
            client.feed_fragment(DataKind::Text, piece.into(), last).await.unwrap();
        }
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("Hello"));
    });
}

#[test]
fn a_message_is_received_in_pieces_as_it_arrives() {
    let sim = Sim::new();
    let (mut client, mut server) = pair(&sim);
    let pieces = sim.spawn_collect(async move {
        let (mut pieces, mut bytes, mut control) = (0, Vec::new(), 0);
        while let Some(chunk) = server.next_chunk().await {
            match chunk.unwrap() {
                Chunk::Data { kind, data, last } => {
                    assert_eq!(kind, DataKind::Binary);
                    pieces += 1;
                    bytes.extend_from_slice(&data);
                    assert_eq!(last, bytes.len() == 1_000_000);
                }
                Chunk::Control(_) => control += 1,
            }
        }
        (pieces, bytes.len(), control)
    });
    let (pieces, bytes, control) = sim.block_on(async {
        let data = Bytes::from(vec![1; 1_000_000]);
        client.send(Message::Binary(data)).await.unwrap();
        client.close(CloseCode::NORMAL, "").await.unwrap();
        pieces.output().await
    });
    assert!(pieces > 10, "{pieces} pieces");
    assert_eq!((bytes, control), (1_000_000, 1));
}
