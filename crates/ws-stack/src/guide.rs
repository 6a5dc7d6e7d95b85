//! The guide. Its code runs as tests, therefore the pages are there with the features that they
//! use.
//!
#![cfg_attr(feature = "tokio", doc = include_str!("../docs/guide.md"))]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "Its first page is written with tokio, and shown with the feature `tokio`; on async-std and smol \
           the names are the same."
)]

#[doc = include_str!("../docs/comparison.md")]
pub mod comparison {}

#[cfg_attr(feature = "deflate", doc = include_str!("../docs/compression.md"))]
#[cfg_attr(not(feature = "deflate"), doc = "Shown with the feature `deflate`.")]
pub mod compression {}

#[doc = include_str!("../docs/embedding.md")]
pub mod embedding {}

#[doc = include_str!("../docs/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/features.md")]
pub mod features {}

#[doc = include_str!("../docs/gateways.md")]
pub mod gateways {}

#[doc = include_str!("../docs/hardening.md")]
pub mod hardening {}

#[cfg_attr(feature = "tokio", doc = include_str!("../docs/migrating.md"))]
#[cfg_attr(not(feature = "tokio"), doc = "Shown with the feature `tokio`.")]
pub mod migrating {}

#[doc = include_str!("../docs/performance.md")]
pub mod performance {}

#[cfg_attr(feature = "tokio", doc = include_str!("../docs/recipes.md"))]
#[cfg_attr(not(feature = "tokio"), doc = "Shown with the feature `tokio`.")]
pub mod recipes {}
