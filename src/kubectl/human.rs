//! Ages as kubectl prints them.
//!
//! Follows `k8s.io/apimachinery/pkg/util/duration/duration.go` (`HumanDuration`) and `translateTimestampSince` of the
//! printers. Two units at the most, the second only where it still tells something.
use crate::kernel::time::{Duration, Time};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

/// A span for human readers: `117s`, `5m30s`, `95m`, `5h10m`, `30h`, `3d4h`, `400d`, `2y35d`.
pub fn human_duration(span: Duration) -> String {
    let seconds = span.as_secs();
    let two = |large: u64, large_name: &str, small: u64, small_name: &str| match seconds % large / small {
        0 => format!("{}{large_name}", seconds / large),
        rest => format!("{}{large_name}{rest}{small_name}", seconds / large),
    };
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=599 => two(MINUTE, "m", 1, "s"),
        600..=10_799 => format!("{}m", seconds / MINUTE),
        10_800..=28_799 => two(HOUR, "h", MINUTE, "m"),
        28_800..=172_799 => format!("{}h", seconds / HOUR),
        _ if seconds < 8 * DAY => two(DAY, "d", HOUR, "h"),
        _ if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        _ if seconds < 8 * YEAR => two(YEAR, "y", DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

/// The AGE of something created at `since` (whole seconds, as all API timestamps), seen at `now`;
/// `<unknown>` if it has no time, `<invalid>` if it lies more than a second ahead.
pub fn age(since: Option<Time>, now: Time) -> String {
    match since {
        None => "<unknown>".to_owned(),
        Some(since) if since > now + Duration::from_secs(1) => "<invalid>".to_owned(),
        Some(since) => human_duration(now.elapsed_since(since)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn human_durations() {
        let cases = [
            (0, "0s"),
            (117, "117s"),
            (119, "119s"),
            (120, "2m"),
            (155, "2m35s"),
            (330, "5m30s"),
            (599, "9m59s"),
            (600, "10m"),
            (5_700, "95m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (18_600, "5h10m"),
            (28_799, "7h59m"),
            (28_800, "8h"),
            (108_000, "30h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (273_600, "3d4h"),
            (691_199, "7d23h"),
            (691_200, "8d"),
            (400 * DAY, "400d"),
            (2 * YEAR - 1, "729d"),
            (2 * YEAR, "2y"),
            (2 * YEAR + 35 * DAY, "2y35d"),
            (8 * YEAR - 1, "7y364d"),
            (8 * YEAR, "8y"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(human_duration(Duration::from_secs(seconds)), expected, "{seconds}");
        }
        assert_eq!(human_duration(Duration::from_millis(1_999)), "1s");
    }

    #[test]
    fn ages() {
        let at = Time::from_secs;
        assert_eq!(age(None, at(5)), "<unknown>");
        assert_eq!(age(Some(at(3)), at(5)), "2s");
        assert_eq!(age(Some(at(5)), at(5)), "0s");
        assert_eq!(age(Some(at(6)), at(5)), "0s");
        assert_eq!(age(Some(at(7)), at(5)), "<invalid>");
    }
}
