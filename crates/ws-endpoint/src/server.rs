//! Servers: listeners, an accept loop that outlives its errors, routing, and a graceful end.

mod registry;
