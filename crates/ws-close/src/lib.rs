//! WebSocket close codes and close frames (RFC 6455 §7.4).
//!
//! A close code says why a connection ends. Some codes may travel in a close frame, some exist only
//! locally ([`CloseCode::NO_STATUS`], [`CloseCode::ABNORMAL`]), some are reserved. This crate knows
//! which is which and nothing else: parsing frames is the business of `ws-frame`, deciding when to
//! close that of `ws-session`.
//!
//! ```
//! use ws_close::{CloseCode, CloseFrame};
//!
//! let frame = CloseFrame::new(CloseCode::GOING_AWAY, "see you tomorrow");
//! assert!(frame.code.is_valid_on_wire());
//! assert_eq!(frame.to_string(), "1001 going_away: see you tomorrow");
//!
//! // 1006 means "there was no close frame": it can be reported, never sent.
//! assert!(!CloseCode::ABNORMAL.is_valid_on_wire());
//! assert_eq!(CloseCode::new(4000).name(), "private");
//! ```
//!
//! | code | name | on the wire |
//! |---|---|---|
//! | 1000 | `normal` | yes |
//! | 1001 | `going_away` | yes |
//! | 1002 | `protocol_error` | yes |
//! | 1003 | `unsupported_data` | yes |
//! | 1004 | `reserved` | never |
//! | 1005 | `no_status` | never, local only |
//! | 1006 | `abnormal` | never, local only |
//! | 1007 | `invalid_utf8` | yes |
//! | 1008 | `policy_violation` | yes |
//! | 1009 | `message_too_big` | yes |
//! | 1010 | `extension_required` | yes |
//! | 1011 | `internal_error` | yes |
//! | 1012 | `service_restart` | on request ([`CloseCode::is_valid_with_iana`]) |
//! | 1013 | `try_again_later` | on request |
//! | 1014 | `bad_gateway` | on request |
//! | 1015 | `tls_handshake` | never |
//! | 3000–3999 | `registered` | yes |
//! | 4000–4999 | `private` | yes |
//! | all others | `undefined` | never |

#![no_std]

extern crate alloc;

mod code;
mod frame;

pub use code::{CloseCode, reason_name, valid_on_wire};
pub use frame::CloseFrame;
