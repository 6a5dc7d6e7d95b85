//! Judges any WebSocket server or client: the conformance suite.
