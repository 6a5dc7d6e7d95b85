//! Limits and deadlines on the command line, the same for servers and clients.

use lexopt::Parser;
use ws_stack::session::Config;

use crate::arguments;

/// What `--help` says of them.
pub const USAGE: &str = "\
  --max-message SIZE      largest message, such as 64k or 16M (64M)
  --max-frame SIZE        largest frame (16M)
  --max-fragments N       most fragments of a message (65536)
  --idle SECONDS          close after this much silence (60)
  --message SECONDS       longest a message may take, and a second more for each KiB of it (60)
  --keep-alive SECONDS    ping after this much silence (30)
  --write SECONDS         give up on a peer that reads nothing for this long (30)";

/// Reads the value of the option `--name` into `config`; false if it is none of these.
///
/// # Errors
///
/// The value is missing or makes no sense.
pub fn read(name: &str, parser: &mut Parser, config: &mut Config) -> Result<bool, lexopt::Error> {
    match name {
        "max-message" => {
            config.limits = config.limits.with_max_message(arguments::size(parser)?);
        }
        "max-frame" => config.limits = config.limits.with_max_frame(arguments::size(parser)?),
        "max-fragments" => {
            config.limits = config.limits.with_max_fragments(arguments::value(parser)?);
        }
        "idle" => config.idle_timeout = arguments::seconds(parser)?,
        "message" => config.message_timeout = arguments::seconds(parser)?,
        "keep-alive" => config.keep_alive = arguments::seconds(parser)?,
        "write" => config.write_timeout = arguments::seconds(parser)?,
        _ => return Ok(false),
    }
    Ok(true)
}
