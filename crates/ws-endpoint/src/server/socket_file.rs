//! The file of a Unix socket that listens.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The file that binding made, which is removed when this is dropped: it would be in the way of the next
/// server. One that another server has put into its place by then is left alone.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and number of the file; `None` when it is not ours to remove, or the address is no file.
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    /// Of a socket that was bound to `path` a moment ago. **Drop it before the listener:** until that is
    /// closed no other file has the same number.
    pub(crate) fn of(path: &Path) -> Self {
        let identity = identity(path).ok();
        // The process may be in another directory when it ends.
        let absolute = identity.and_then(|_| std::path::absolute(path).ok());
        Self { path: absolute.unwrap_or_else(|| path.to_owned()), identity }
    }

    /// Of a socket that others have bound, whose file is theirs.
    pub(crate) fn of_another(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_none() || identity(&self.path).ok() != self.identity {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the file of a unix socket was not removed");
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_known_wherever_the_process_is_in_the_end() {
        let name = format!("ws-endpoint-socket-file-{}", std::process::id());
        let file = std::env::temp_dir().join(name);
        fs::write(&file, "").expect("a file");
        let depth = std::env::current_dir().expect("a directory").components().count() - 1;
        let relative: PathBuf = std::iter::repeat_n("..", depth).collect();
        let relative = relative.join(file.strip_prefix("/").expect("an absolute path"));
        let found = SocketFile::of(&relative);
        assert!(found.path().is_absolute(), "{:?}", found.path());
        drop(found);
        assert!(!file.exists());
    }
}
