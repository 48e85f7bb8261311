//! Virtual time: instants and spans in whole nanoseconds.
//!
//! A run starts at [`Time::ZERO`] and has no date: nothing here reads a clock. Arithmetic saturates, and the
//! largest value means *never*: a latency that never ends added to any instant gives an instant that never
//! comes. Spans are read and printed as Go's `time.Duration` does (`time/format.go`, `time/time.go`), because
//! that is how Kubernetes writes them; but in exact decimal arithmetic, and never negative.
use std::fmt;
use std::ops::{Add, Sub};

const NANOS_PER_MICRO: u64 = 1_000;
const NANOS_PER_MILLI: u64 = 1_000_000;
const NANOS_PER_SEC: u64 = 1_000_000_000;
const NANOS_PER_MIN: u64 = 60 * NANOS_PER_SEC;
const NANOS_PER_HOUR: u64 = 60 * NANOS_PER_MIN;

/// An instant: nanoseconds since the start of the run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

/// A span of virtual time in nanoseconds, never negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(u64);

impl Time {
    /// The start of the run.
    pub const ZERO: Time = Time(0);
    /// The instant that never comes; later than all others.
    pub const NEVER: Time = Time(u64::MAX);

    /// The instant `nanos` nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// The instant `secs` seconds after the start (saturating).
    pub const fn from_secs(secs: u64) -> Time {
        Time(secs.saturating_mul(NANOS_PER_SEC))
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whether this is [`Time::NEVER`].
    pub const fn is_never(self) -> bool {
        self.0 == u64::MAX
    }

    /// Truncated to full seconds, as `metav1.Time` is when an object is written; never stays never.
    pub const fn whole_seconds(self) -> Time {
        if self.is_never() { self } else { Time(self.0 - self.0 % NANOS_PER_SEC) }
    }

    /// The span from `earlier` to this instant; zero if `earlier` is later.
    pub fn elapsed_since(self, earlier: Time) -> Duration {
        self - earlier
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);
    /// A span without end.
    pub const NEVER: Duration = Duration(u64::MAX);

    /// `nanos` nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Duration {
        Duration(nanos)
    }

    /// `micros` microseconds (saturating).
    pub const fn from_micros(micros: u64) -> Duration {
        Duration(micros.saturating_mul(NANOS_PER_MICRO))
    }

    /// `millis` milliseconds (saturating).
    pub const fn from_millis(millis: u64) -> Duration {
        Duration(millis.saturating_mul(NANOS_PER_MILLI))
    }

    /// `secs` seconds (saturating).
    pub const fn from_secs(secs: u64) -> Duration {
        Duration(secs.saturating_mul(NANOS_PER_SEC))
    }

    /// `mins` minutes (saturating).
    pub const fn from_mins(mins: u64) -> Duration {
        Duration(mins.saturating_mul(NANOS_PER_MIN))
    }

    /// The span in nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The span in full milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / NANOS_PER_MILLI
    }

    /// The span in full seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / NANOS_PER_SEC
    }

    /// Whether this is [`Duration::NEVER`].
    pub const fn is_never(self) -> bool {
        self.0 == u64::MAX
    }

    /// `factor` times as long (saturating).
    pub const fn times(self, factor: u64) -> Duration {
        Duration(self.0.saturating_mul(factor))
    }

    /// Half as long, rounded down; half of never is never.
    pub const fn half(self) -> Duration {
        if self.is_never() { self } else { Duration(self.0 / 2) }
    }

    /// Reads a span as Go's `time.ParseDuration` does: `500ms`, `1h30m`, `1.5s`, `100us`, `0`.
    ///
    /// As in Go, digits below the nanosecond are cut off and the longest span is 2^63 - 1 ns (292 years).
    ///
    /// # Errors
    /// A sentence naming what is wrong: an empty text, a number without or with an unknown unit, a sign `-`,
    /// a span that is too long.
    pub fn parse(text: &str) -> Result<Duration, String> {
        if text.starts_with('-') {
            return Err(format!("invalid duration {text:?}: it is negative"));
        }
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest == "0" {
            return Ok(Duration::ZERO);
        }
        if rest.is_empty() {
            return Err(format!("invalid duration {text:?}: it is empty"));
        }
        let mut total: u128 = 0;
        while !rest.is_empty() {
            let (nanos, after) =
                parse_term(rest).map_err(|why| format!("invalid duration {text:?}: {why}"))?;
            total = total.saturating_add(nanos);
            rest = after;
        }
        match u64::try_from(total) {
            Ok(nanos) if nanos <= i64::MAX as u64 => Ok(Duration(nanos)),
            _ => Err(format!("invalid duration {text:?}: longer than 292 years")),
        }
    }
}

/// Reads one `<decimal><unit>` from the start of `text`: its nanoseconds and what follows it.
fn parse_term(text: &str) -> Result<(u128, &str), String> {
    let (whole, after) = split_digits(text);
    let (fraction, after) = match after.strip_prefix('.') {
        Some(after) => split_digits(after),
        None => ("", after),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(format!("expected a number at {text:?}"));
    }
    let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
    let (unit, rest) = after.split_at(unit_end);
    let unit = u128::from(match unit {
        "ns" => 1,
        // U+00B5 micro sign, U+03BC Greek mu.
        "us" | "\u{b5}s" | "\u{3bc}s" => NANOS_PER_MICRO,
        "ms" => NANOS_PER_MILLI,
        "s" => NANOS_PER_SEC,
        "m" => NANOS_PER_MIN,
        "h" => NANOS_PER_HOUR,
        "" => return Err("a number lacks its unit (ns, us, ms, s, m, h)".to_string()),
        _ => return Err(format!("unknown unit {unit:?} (ns, us, ms, s, m, h)")),
    });
    let mut nanos = decimal(whole).saturating_mul(unit);
    // An hour is less than 10^13 ns: further digits are below the nanosecond.
    let fraction = &fraction[..fraction.len().min(13)];
    nanos = nanos.saturating_add(decimal(fraction) * unit / 10u128.pow(fraction.len() as u32));
    Ok((nanos, rest))
}

/// Splits `text` after its leading ASCII digits.
fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// The value of a run of ASCII digits (saturating); 0 for none.
fn decimal(digits: &str) -> u128 {
    digits
        .bytes()
        .fold(0, |value: u128, digit| value.saturating_mul(10).saturating_add(u128::from(digit - b'0')))
}

impl Add<Duration> for Time {
    type Output = Time;

    /// Saturates at [`Time::NEVER`], which any sum with a *never* is.
    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl Sub for Time {
    type Output = Duration;

    /// The span from `earlier` to `self`: zero if `earlier` is later, without end if `self` is never.
    fn sub(self, earlier: Time) -> Duration {
        if self.is_never() { Duration::NEVER } else { Duration(self.0.saturating_sub(earlier.0)) }
    }
}

impl Add for Duration {
    type Output = Duration;

    fn add(self, other: Duration) -> Duration {
        Duration(self.0.saturating_add(other.0))
    }
}

impl Sub for Duration {
    type Output = Duration;

    /// Zero if `other` is longer; what is left of never is never.
    fn sub(self, other: Duration) -> Duration {
        if self.is_never() { self } else { Duration(self.0.saturating_sub(other.0)) }
    }
}

impl fmt::Display for Duration {
    /// As Go prints a `time.Duration`: `1h0m0s`, `1m30s`, `1.5s`, `500ms`, `100µs`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() {
            return f.pad("never");
        }
        let nanos = self.0;
        let (unit, suffix) = match nanos {
            0 => (1, "s"),
            1..NANOS_PER_MICRO => (1, "ns"),
            NANOS_PER_MICRO..NANOS_PER_MILLI => (NANOS_PER_MICRO, "µs"),
            NANOS_PER_MILLI..NANOS_PER_SEC => (NANOS_PER_MILLI, "ms"),
            _ => (NANOS_PER_SEC, "s"),
        };
        let mut text = String::new();
        let mut whole = nanos / unit;
        if nanos >= NANOS_PER_HOUR {
            text = format!("{}h", nanos / NANOS_PER_HOUR);
        }
        if nanos >= NANOS_PER_MIN {
            text += &format!("{}m", nanos / NANOS_PER_MIN % 60);
            whole %= 60;
        }
        text += &whole.to_string();
        let fraction = nanos % unit;
        if fraction > 0 {
            let digits = format!("{:0width$}", fraction, width = unit.ilog10() as usize);
            text = text + "." + digits.trim_end_matches('0');
        }
        f.pad(&(text + suffix))
    }
}

impl fmt::Display for Time {
    /// As the span since the start of the run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Duration(self.0), f)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_as_go_does() {
        // The cases of Go's own TestDurationString, and a few of ours.
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (4 * NANOS_PER_MIN + 5 * NANOS_PER_SEC, "4m5s"),
            (4 * NANOS_PER_MIN + 5_001 * NANOS_PER_MILLI, "4m5.001s"),
            (5 * NANOS_PER_HOUR + 6 * NANOS_PER_MIN + 7_001 * NANOS_PER_MILLI, "5h6m7.001s"),
            (8 * NANOS_PER_MIN + 1, "8m0.000000001s"),
            (i64::MAX as u64, "2562047h47m16.854775807s"),
            (90 * NANOS_PER_SEC, "1m30s"),
            (NANOS_PER_HOUR, "1h0m0s"),
            (500 * NANOS_PER_MILLI, "500ms"),
            (u64::MAX, "never"),
        ] {
            assert_eq!(Duration::from_nanos(nanos).to_string(), text);
            assert_eq!(Time::from_nanos(nanos).to_string(), text);
        }
        assert_eq!(format!("[{:>6}|{:<6}]", Duration::from_secs(5), Time::from_secs(7)), "[    5s|7s    ]");
    }

    #[test]
    fn reads_what_go_reads() {
        for (text, nanos) in [
            ("0", 0),
            ("+0", 0),
            ("5s", 5 * NANOS_PER_SEC),
            ("+5s", 5 * NANOS_PER_SEC),
            ("5.s", 5 * NANOS_PER_SEC),
            (".5s", 500 * NANOS_PER_MILLI),
            ("1.004s", 1_004 * NANOS_PER_MILLI),
            ("100.00100s", 100_001 * NANOS_PER_MILLI),
            ("13us", 13_000),
            ("12µs", 12_000),
            ("12μs", 12_000),
            ("3h30m", 3 * NANOS_PER_HOUR + 30 * NANOS_PER_MIN),
            ("10.5s4m", 4 * NANOS_PER_MIN + 10_500 * NANOS_PER_MILLI),
            ("52763797000ns", 52_763_797_000),
            ("0.3333333333333333333h", 20 * NANOS_PER_MIN - 1),
            ("9007199254740993ns", 9_007_199_254_740_993),
            ("9223372036854775807ns", i64::MAX as u64),
            ("0.100000000000000000000h", 6 * NANOS_PER_MIN),
            ("0.9ns", 0),
        ] {
            assert_eq!(Duration::parse(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        for text in [
            "",
            "+",
            "3",
            "1.5",
            "-1s",
            "-0",
            "s",
            ".",
            "+.s",
            ".s",
            "1d",
            "1 s",
            "1s ",
            "3000000h",
            "1sm",
            "٣s",
            "9223372036854775808ns",
            "99999999999999999999999999999999999999999999h",
            "1e3s",
            "++1s",
            "1h-1m",
        ] {
            assert!(Duration::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn never_absorbs() {
        let hour = Duration::from_mins(60);
        assert_eq!(Time::NEVER + hour, Time::NEVER);
        assert_eq!(Time::ZERO + Duration::NEVER, Time::NEVER);
        assert_eq!(Time::NEVER - Time::from_secs(1), Duration::NEVER);
        assert_eq!(Duration::NEVER - hour, Duration::NEVER);
        assert_eq!(Duration::NEVER.half(), Duration::NEVER);
        assert_eq!(Duration::NEVER.times(2), Duration::NEVER);
        assert_eq!(Time::NEVER.whole_seconds(), Time::NEVER);
        assert!(Duration::from_secs(u64::MAX).is_never());
    }

    #[test]
    fn arithmetic_saturates_at_zero() {
        assert_eq!(Time::from_secs(1) - Time::from_secs(2), Duration::ZERO);
        assert_eq!(Time::from_secs(5).elapsed_since(Time::from_secs(2)), Duration::from_secs(3));
        assert_eq!(Duration::from_secs(1) - Duration::from_secs(2), Duration::ZERO);
        assert_eq!(Time::from_nanos(1_999_999_999).whole_seconds(), Time::from_secs(1));
        assert_eq!(Duration::from_millis(1_500).as_secs(), 1);
        assert_eq!(Duration::from_micros(1_500).as_millis(), 1);
    }

    proptest! {
        #[test]
        fn printed_spans_read_back(nanos in 0..=i64::MAX as u64, shift in 0u32..63) {
            let span = Duration::from_nanos(nanos >> shift);
            prop_assert_eq!(Duration::parse(&span.to_string()), Ok(span));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+.0-9a-zµ ]{0,12}") {
            let _ = Duration::parse(&text);
        }
    }
}
