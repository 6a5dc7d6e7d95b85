//! The negotiation and the codec, through what the crate makes public.

mod codec;
mod hostile;
mod negotiation;
mod reference;
mod vectors;
