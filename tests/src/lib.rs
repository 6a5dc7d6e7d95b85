//! Tests that cross crates: frame literals, session pairs, drips, hostile transports.
