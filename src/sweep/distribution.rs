//! How whole numbers are distributed, in bounded memory, and the same whatever the order in which they came.
//!
//! As long as few values differ they are kept as they are. When there are too many, all are rounded down to fewer
//! significant bits, and so on. How far depends on the set of values only: rounding to fewer bits never tells apart what
//! rounding to more bits did not. So any partition of the values, added up in any order, gives the same distribution.
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Different values that are kept at most.
const MOST: usize = 2048;
/// Significant bits of a value that is kept as it is.
const ALL_BITS: u32 = 64;
/// Fewest significant bits: with these no more than [`MOST`] values differ.
const FEWEST_BITS: u32 = 5;

/// A distribution of whole numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Distribution {
    /// Sum of all, exactly.
    #[serde(with = "decimal")]
    sum: i128,
    min: i64,
    max: i64,
    /// Significant bits that values are rounded down to; 64: they are exact.
    bits: u32,
    /// How often each came.
    counts: BTreeMap<i64, u64>,
}

impl Default for Distribution {
    fn default() -> Self {
        Distribution { sum: 0, min: i64::MAX, max: i64::MIN, bits: ALL_BITS, counts: BTreeMap::new() }
    }
}

/// Rounded towards zero to so many significant bits.
fn rounded(value: i64, bits: u32) -> i64 {
    let size = value.unsigned_abs();
    let lost = (u64::BITS - size.leading_zeros()).saturating_sub(bits);
    // Of what is lost nothing is left, so it fits again.
    let kept = i64::try_from((size >> lost) << lost).unwrap_or(i64::MAX);
    if value < 0 { -kept } else { kept }
}

impl Distribution {
    /// Adds a value.
    pub fn add(&mut self, value: i64) {
        self.sum += i128::from(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        *self.counts.entry(rounded(value, self.bits)).or_default() += 1;
        self.coarsen();
    }

    /// Adds all values of another.
    pub fn merge(&mut self, other: &Distribution) {
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        if other.bits < self.bits {
            self.round_to(other.bits);
        }
        for (value, count) in &other.counts {
            *self.counts.entry(rounded(*value, self.bits)).or_default() += count;
        }
        self.coarsen();
    }

    fn coarsen(&mut self) {
        while self.counts.len() > MOST && self.bits > FEWEST_BITS {
            self.round_to(self.bits - 1);
        }
    }

    fn round_to(&mut self, bits: u32) {
        self.bits = bits;
        for (value, count) in std::mem::take(&mut self.counts) {
            *self.counts.entry(rounded(value, bits)).or_default() += count;
        }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The smallest; None: there is none.
    pub fn min(&self) -> Option<i64> {
        (!self.counts.is_empty()).then_some(self.min)
    }

    /// The largest; None: there is none.
    pub fn max(&self) -> Option<i64> {
        (!self.counts.is_empty()).then_some(self.max)
    }

    /// The mean, rounded to a whole number; None: there is none.
    pub fn mean(&self) -> Option<i64> {
        let count = i128::from(self.count());
        let half = if self.sum < 0 { -count / 2 } else { count / 2 };
        (count > 0).then(|| i64::try_from((self.sum + half) / count).unwrap_or(i64::MAX))
    }

    /// The value that at least so many thousandths of all do not exceed; None: there is none. It is exact as long as
    /// [`Distribution::is_exact`], else too small by less than one part in 16, as a rule by far less.
    pub fn quantile(&self, thousandths: u32) -> Option<i64> {
        let count = u128::from(self.count());
        let rank = (count * u128::from(thousandths)).div_ceil(1000).max(1);
        self.at_rank(u64::try_from(rank).unwrap_or(u64::MAX))
    }

    /// Between which values that quantile of all runs there could be lies, with 95 % confidence: what stands at the ranks
    /// that are so far from it as chance is (the normal approximation of the binomial distribution of ranks).
    pub fn quantile_between(&self, thousandths: u32) -> Option<(i64, i64)> {
        let (count, share) = (self.count() as f64, f64::from(thousandths) / 1000.0);
        let off = 1.96 * (count * share * (1.0 - share)).sqrt();
        let low = (count * share - off).floor().max(1.0);
        let high = (count * share + off).ceil().clamp(1.0, count.max(1.0));
        Some((self.at_rank(low as u64)?, self.at_rank(high as u64)?))
    }

    /// The value at a rank, from 1.
    fn at_rank(&self, rank: u64) -> Option<i64> {
        let mut seen = 0;
        for (value, count) in &self.counts {
            seen += count;
            if seen >= rank {
                return Some((*value).clamp(self.min, self.max));
            }
        }
        self.max()
    }

    /// True if every value is kept as it is.
    pub fn is_exact(&self) -> bool {
        self.bits == ALL_BITS
    }

    /// The values and how often each came, in order.
    pub fn counts(&self) -> impl Iterator<Item = (i64, u64)> {
        self.counts.iter().map(|(value, count)| (*value, *count))
    }
}

/// How many of how many, with the limits between which the share of all runs there could be lies, with 95 % confidence
/// (Wilson's score interval).
pub fn share_between(some: u64, all: u64) -> (f64, f64) {
    if all == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (all as f64, 1.96_f64);
    let p = some as f64 / n;
    let centre = p + z * z / (2.0 * n);
    let off = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    (((centre - off) / scale).max(0.0), ((centre + off) / scale).min(1.0))
}

/// Sums are larger than JSON's numbers: they are written as texts.
mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &i128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i128, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[i64]) -> Distribution {
        let mut all = Distribution::default();
        values.iter().for_each(|value| all.add(*value));
        all
    }

    #[test]
    fn quantiles_of_few_values_are_exact() {
        let all = of(&(1..=1000).rev().collect::<Vec<_>>());
        let cases = [(0, 1), (1, 1), (500, 500), (501, 501), (900, 900), (990, 990), (1000, 1000)];
        for (thousandths, expected) in cases {
            assert_eq!(all.quantile(thousandths), Some(expected), "{thousandths}");
        }
        assert_eq!((all.min(), all.max(), all.mean()), (Some(1), Some(1000), Some(501)));
        assert!(all.is_exact());
        assert_eq!(all.quantile_between(500), Some((469, 531)));
        assert_eq!(Distribution::default().quantile(500), None);
        assert_eq!(of(&[-3, -2]).mean(), Some(-3));
    }

    #[test]
    fn rounding_keeps_the_leading_bits() {
        for (value, bits, expected) in [
            (0b1011, 2, 0b1000),
            (0b1111, 3, 0b1110),
            (-0b1011, 2, -0b1000),
            (7, 64, 7),
            (i64::MIN, 1, -i64::MAX),
        ] {
            assert_eq!(rounded(value, bits), expected, "{value} to {bits}");
        }
    }

    #[test]
    fn a_share_and_its_limits() {
        let rounded = |(low, high): (f64, f64)| ((low * 1e4).round() / 1e4, (high * 1e4).round() / 1e4);
        assert_eq!(rounded(share_between(0, 100)), (0.0, 0.037));
        assert_eq!(rounded(share_between(50, 100)), (0.4038, 0.5962));
        assert_eq!(share_between(0, 0), (0.0, 1.0));
    }

    proptest! {
        // Enough values that they are rounded, few cases: each is a thousand additions.
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn order_and_partition_do_not_matter(
            values in prop::collection::vec(prop_oneof![any::<i64>(), 0..5000_i64], 1..4000),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
            rotation in any::<prop::sample::Index>(),
        ) {
            let whole = of(&values);
            let mut moved = values.clone();
            moved.rotate_left(rotation.index(values.len()));
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(moved.len())).collect();
            cuts.extend([0, moved.len()]);
            cuts.sort_unstable();
            let mut merged = Distribution::default();
            for pair in cuts.windows(2).rev() {
                merged.merge(&of(&moved[pair[0]..pair[1]]));
            }
            prop_assert_eq!(&merged, &whole);
            prop_assert!(whole.counts.len() <= MOST);
            prop_assert_eq!(whole.count(), values.len() as u64);
            let text = serde_json::to_string(&whole).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Distribution>(&text).expect("the same"), whole);
        }
    }
}
