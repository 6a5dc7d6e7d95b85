//! The date and time of a run, in UTC as ISO 8601 has it.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time of the system.
#[expect(
    clippy::disallowed_methods,
    reason = "a report says when the run was; nothing is decided by it"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// `time` in whole seconds, without the `Z` that stands behind it where a zone may: JUnit has none.
pub(crate) fn date_and_time(time: SystemTime) -> String {
    // A clock that stands before 1970 is as good as none.
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    while days >= length_of(year) {
        days -= length_of(year);
        year += 1;
    }
    let february = length_of(year) - 337;
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}", days + 1)
}

fn length_of(year: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if is_leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let table = [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (951_868_800, "2000-03-01T00:00:00"),
            (1_735_689_599, "2024-12-31T23:59:59"),
            (1_795_989_639, "2026-11-29T22:00:39"),
            (4_107_542_400, "2100-03-01T00:00:00"),
        ];
        for (seconds, date) in table {
            assert_eq!(date_and_time(UNIX_EPOCH + Duration::from_secs(seconds)), date);
        }
    }
}
