//! What a running process uses, as Linux tells it in `/proc`: memory, time, descriptors.

use std::fs;
use std::time::Duration;

/// The ticks of `/proc/PID/stat`: a hundred a second on every Linux that people run (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Figures of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Memory in use, in KiB.
    pub(crate) resident: u64,
    /// The most that ever was, in KiB.
    pub(crate) peak: u64,
    /// Time spent on a processor, in the program and for it.
    pub(crate) time: Duration,
    /// Open files, sockets among them.
    pub(crate) descriptors: usize,
}

/// Whether this system tells.
pub(crate) fn is_known() -> bool {
    fs::metadata("/proc/self/status").is_ok()
}

/// The figures of a process that runs.
pub(crate) fn of(pid: u32) -> Result<Usage, String> {
    let read = |file: &str| {
        let path = format!("/proc/{pid}/{file}");
        fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
    };
    let (resident, peak) = memory(&read("status")?)?;
    // The finer figure knows nothing of threads that have ended.
    let time = time(&read("stat")?)?.max(time_of_threads(pid));
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    Ok(Usage { resident, peak, time, descriptors })
}

fn memory(status: &str) -> Result<(u64, u64), String> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| format!("no {name} in /proc/PID/status"))
    };
    Ok((field("VmRSS")?, field("VmHWM")?))
}

fn time(stat: &str) -> Result<Duration, String> {
    // The name of the program, in parentheses, may hold anything; the fields count from behind it.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let mut ticks = fields.split_whitespace().skip(11).map_while(|field| field.parse::<u32>().ok());
    match (ticks.next(), ticks.next()) {
        (Some(user), Some(system)) => Ok(TICK * user.saturating_add(system)),
        _ => Err("no times in /proc/PID/stat".to_owned()),
    }
}

/// What its threads have spent on a processor, to the nanosecond; nothing where that is not told.
fn time_of_threads(pid: u32) -> Duration {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Duration::ZERO };
    let times = threads.flatten().filter_map(|thread| {
        let told = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        told.split_whitespace().next()?.parse().ok()
    });
    times.map(Duration::from_nanos).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_by_name() {
        let status = "Name:\tx\nVmHWM:\t   13516 kB\nVmRSS:\t    9000 kB\n";
        assert_eq!(memory(status), Ok((9000, 13_516)));
        assert!(memory("Name:\tx\n").is_err());
    }

    #[test]
    fn times_are_found_behind_a_name_with_spaces_and_parentheses() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 12 30 0 0 20 0 3 0 9 1 2";
        assert_eq!(time(stat), Ok(Duration::from_millis(420)));
        assert!(time("7 (a) S 1").is_err());
    }

    #[test]
    fn this_process_can_be_asked() {
        if is_known() {
            let before = time_of_threads(std::process::id());
            let usage = of(std::process::id()).expect("figures of this process");
            // A thread that ended in between is known in whole ticks only, of either kind of time.
            assert!(before <= usage.time + 2 * TICK);
            assert!(usage.resident > 0 && usage.peak >= usage.resident && usage.descriptors > 2);
        }
    }
}
