//! Amounts of requests that flow: whole numbers of parts, so that nothing is lost between two changes of a rate.
//!
//! A request has [`PER_REQUEST`] parts: so many that a rate per hour, spread over shares of connections, times
//! nanoseconds is always a whole number of them. What is printed is whole requests, rounded down.
use crate::kernel::Duration;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

/// All connections of a group of clients: each of them holds a share of these. Divisible by all numbers up to 16.
pub const SHARES: u32 = 720_720;
/// Parts of one request: nanoseconds of an hour times shares.
const PER_REQUEST: u128 = 3_600_000_000_000 * SHARES as u128;

/// An amount of requests: a log position, or a sum over time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Amount(u128);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);

    /// So many requests.
    pub fn of(requests: u64) -> Amount {
        Amount(u128::from(requests) * PER_REQUEST)
    }

    /// Whole requests, rounded down.
    pub fn requests(self) -> u64 {
        u64::try_from(self.0 / PER_REQUEST).unwrap_or(u64::MAX)
    }

    /// True if there is none.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// This amount times `part` by `whole`, rounded down. Zero if `whole` is.
    #[must_use]
    pub fn share(self, part: Flow, whole: Flow) -> Amount {
        if whole.0 == 0 {
            return Amount::ZERO;
        }
        // Split, so that the product stays within 128 bits.
        let (times, rest) = (self.0 / whole.0, self.0 % whole.0);
        Amount(times * part.0 + rest * part.0 / whole.0)
    }

    /// How long a flow takes for this amount, rounded up; never if there is no flow.
    pub fn at(self, flow: Flow) -> Duration {
        if flow.0 == 0 {
            return if self.0 == 0 { Duration::ZERO } else { Duration::NEVER };
        }
        Duration::from_nanos(u64::try_from(self.0.div_ceil(flow.0)).unwrap_or(u64::MAX))
    }
}

impl Add for Amount {
    type Output = Amount;
    fn add(self, other: Amount) -> Amount {
        Amount(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        *self = *self + other;
    }
}

impl Sub for Amount {
    type Output = Amount;
    /// Nothing if `other` is more.
    fn sub(self, other: Amount) -> Amount {
        Amount(self.0.saturating_sub(other.0))
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(all: I) -> Amount {
        all.fold(Amount::ZERO, Add::add)
    }
}

/// A rate: parts of requests per nanosecond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Flow(u128);

impl Flow {
    /// Nothing flows.
    pub const ZERO: Flow = Flow(0);

    /// So many requests per hour.
    pub fn per_hour(requests: u64) -> Flow {
        Flow(u128::from(requests) * u128::from(SHARES))
    }

    /// So many requests per second.
    pub fn per_second(requests: u64) -> Flow {
        Flow::per_hour(requests.saturating_mul(3600))
    }

    /// What comes over connections with so many [`SHARES`].
    #[must_use]
    pub fn over(self, shares: u32) -> Flow {
        Flow(self.0 / u128::from(SHARES) * u128::from(shares))
    }

    /// What has come after a span.
    pub fn after(self, span: Duration) -> Amount {
        Amount(self.0.saturating_mul(u128::from(span.as_nanos())))
    }

    /// What is left of it when `other` is taken away.
    #[must_use]
    pub fn less(self, other: Flow) -> Flow {
        Flow(self.0.saturating_sub(other.0))
    }

    /// True if nothing flows.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Reads `100/s`, `5/m` or `20/h`.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str) -> Result<Flow, String> {
        let wrong = || format!("`{text}` is no rate");
        let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
        let per_hour: u64 = match unit.trim() {
            "s" => 3600,
            "m" => 60,
            "h" => 1,
            _ => return Err(wrong()),
        };
        let count: u64 = count.trim().parse().map_err(|_| wrong())?;
        if count > 1_000_000_000 {
            return Err(format!("`{text}` is more than a billion"));
        }
        Ok(Flow::per_hour(count * per_hour))
    }
}

impl Add for Flow {
    type Output = Flow;
    fn add(self, other: Flow) -> Flow {
        Flow(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Flow {
    fn add_assign(&mut self, other: Flow) {
        *self = *self + other;
    }
}

impl Sum for Flow {
    fn sum<I: Iterator<Item = Flow>>(all: I) -> Flow {
        all.fold(Flow::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_times_spans_are_whole() {
        for (rate, seconds, requests) in
            [("100/s", 60, 6_000), ("5/m", 3_600, 300), ("7/h", 3_599, 6), ("7/h", 3_600, 7), ("0/s", 10, 0)]
        {
            let flow = Flow::parse(rate).unwrap();
            assert_eq!(flow.after(Duration::from_secs(seconds)).requests(), requests, "{rate}");
            // Seven shares of clients together are as much as all of them.
            let seventh = flow.over(SHARES / 7).after(Duration::from_secs(seconds));
            let all: Amount = (0..7).map(|_| seventh).sum();
            assert_eq!(all, flow.after(Duration::from_secs(seconds)), "{rate}");
        }
        for wrong in ["100", "100/d", "-1/s", "1.5/s", "2000000000/s", "/s"] {
            assert!(Flow::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn how_long_an_amount_takes() {
        let flow = Flow::per_second(50);
        assert_eq!(Amount::of(100).at(flow), Duration::from_secs(2));
        assert_eq!(Amount::of(1).at(Flow::ZERO), Duration::NEVER);
        assert_eq!(Amount::of(300).share(Flow::per_second(1), Flow::per_second(3)), Amount::of(100));
    }
}
