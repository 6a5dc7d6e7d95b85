//! One message to many sessions: encoded once, written to each.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use bytes::Buf;
use ws_session::{Config, Message, Prepared, Session};

use super::interleave;
use crate::clock::CpuTime;
use crate::options::Options;
use crate::result::{Bench, Cell};
use crate::wire::{self, Content};

const SIZES: &[(usize, &str)] = &[(64, "64 B to each"), (4096, "4 KiB to each")];

pub fn cells() -> Vec<String> {
    SIZES.iter().map(|(_, name)| (*name).to_owned()).collect()
}

pub fn run(options: &Options) -> Result<Bench, String> {
    let count = if options.quick { 1000 } else { 8000 };
    let mut room = Room::new(count).map_err(|error| error.to_string())?;
    let mut cells = Vec::new();
    for &(size, name) in SIZES.iter().filter(|(_, name)| options.wants_cell(name)) {
        let payload = wire::payload(Content::Binary, size, 1);
        let names = ["raw", "ours", "ours-each"].map(str::to_owned);
        let rows = interleave(name, &names, options.rounds() * 3, |candidate| {
            let start = CpuTime::now();
            match candidate {
                "raw" => room.raw(&payload)?,
                "ours" => room.prepared(&payload)?,
                _ => room.each(&payload)?,
            }
            let nanoseconds = start.elapsed();
            room.drain(&payload)?;
            Ok((nanoseconds / count as f64).into())
        });
        cells.push(Cell { name: name.to_owned(), x: None, rows });
    }
    Ok(Bench {
        name: "broadcast".to_owned(),
        about: format!(
            "One message to {count} sessions, each with a socket of its own. `raw` writes the same \
             bytes without sessions; `ours` encodes once (`Prepared`); `ours-each` sends the \
             message to each session as if it were alone."
        ),
        unit: "ns per recipient".to_owned(),
        cells,
    })
}

struct Room {
    members: Vec<Member>,
}

struct Member {
    session: Session,
    socket: UnixStream,
    peer: UnixStream,
}

impl Room {
    fn new(count: usize) -> std::io::Result<Self> {
        let config = std::sync::Arc::new(Config::default());
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            let (socket, peer) = UnixStream::pair()?;
            members.push(Member { session: Session::server(config.clone()), socket, peer });
        }
        Ok(Self { members })
    }

    fn raw(&mut self, payload: &[u8]) -> Result<(), String> {
        let mut frame = Vec::new();
        wire::server_frame(wire::BINARY, payload, &mut frame);
        for member in &mut self.members {
            member.socket.write_all(&frame).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn prepared(&mut self, payload: &[u8]) -> Result<(), String> {
        let message = Message::binary(payload.to_vec());
        let prepared = Prepared::new(message).map_err(|_| "not a data message".to_owned())?;
        for member in &mut self.members {
            let queued = member.session.send_prepared(&prepared);
            queued.map_err(|error| error.to_string())?;
            member.write()?;
        }
        Ok(())
    }

    fn each(&mut self, payload: &[u8]) -> Result<(), String> {
        let message = Message::binary(payload.to_vec());
        for member in &mut self.members {
            member.session.send(message.clone()).map_err(|error| error.to_string())?;
            member.write()?;
        }
        Ok(())
    }

    /// Receives what each member was sent, and checks it.
    fn drain(&mut self, payload: &[u8]) -> Result<(), String> {
        let mut expected = Vec::new();
        wire::server_frame(wire::BINARY, payload, &mut expected);
        let mut buffer = vec![0; expected.len()];
        for member in &mut self.members {
            member.peer.read_exact(&mut buffer).map_err(|error| error.to_string())?;
            if buffer != expected {
                return Err("a recipient was sent something else".to_owned());
            }
        }
        Ok(())
    }
}

impl Member {
    fn write(&mut self) -> Result<(), String> {
        let queue = self.session.transmit();
        while queue.has_remaining() {
            let mut slices = [std::io::IoSlice::new(&[]); 8];
            let filled = queue.chunks_vectored(&mut slices);
            // As the drivers do: a single piece goes out by the cheaper call.
            let written = match filled {
                1 => self.socket.write(&slices[0]),
                _ => self.socket.write_vectored(&slices[..filled]),
            };
            queue.advance(written.map_err(|error| error.to_string())?);
        }
        Ok(())
    }
}
