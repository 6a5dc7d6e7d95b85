//! HTTP/3 as networks and strangers treat it: loss, migration, silence, floods, crowds.
#![expect(clippy::indexing_slicing, reason = "a test that leaves its arrays fails, as it should")]

mod goaway;
mod loss;
mod paths;
mod reborn;
mod relay;
mod strangers;
mod support;
