//! How long something takes, as a function of one uniformly distributed draw.
//!
//! The only place in the model where floating point is used. It is deterministic all the same: the four basic
//! operations are exact by IEEE 754, and `ln`, `exp` and `sqrt` come from the `libm` crate, never from the
//! platform. The result is in whole nanoseconds. A larger draw never gives a shorter latency: two variants of a
//! scenario that use the same draw can be compared.
use super::time::Duration;

/// A distribution of latencies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Latency {
    /// Always the same.
    Constant(Duration),
    /// Every value between the two (both included) equally likely.
    Uniform(Duration, Duration),
    /// Log-normal, given by two quantiles: the shape of most measured latencies.
    LogNormal {
        /// Half of the samples are shorter.
        median: Duration,
        /// 99 of 100 samples are shorter. Not more than the median means: always the median.
        p99: Duration,
    },
    /// It does not end: an image that cannot be pulled, a volume that does not detach.
    Never,
}

/// The 99th percentile of the standard normal distribution.
const Z_99: f64 = 2.326_347_874_040_841;

impl Latency {
    /// The latency that belongs to `draw`, 64 uniformly distributed bits.
    pub fn sample(self, draw: u64) -> Duration {
        match self {
            Latency::Constant(span) => span,
            Latency::Uniform(a, b) => {
                let (low, high) = (a.min(b).as_nanos(), a.max(b).as_nanos());
                // The width is at most 2^64: this product does not overflow.
                let offset = (u128::from(draw) * (u128::from(high - low) + 1)) >> 64;
                Duration::from_nanos(low + offset as u64)
            }
            Latency::LogNormal { median, p99 } => log_normal(median, p99, draw),
            Latency::Never => Duration::NEVER,
        }
    }
}

fn log_normal(median: Duration, p99: Duration, draw: u64) -> Duration {
    if p99 <= median || median == Duration::ZERO {
        return median;
    }
    let sigma = libm::log(p99.as_nanos() as f64 / median.as_nanos() as f64) / Z_99;
    // The midpoint of one of 2^52 equal parts of (0, 1); with more parts the last would be rounded to 1.
    let uniform = ((draw >> 12) as f64 + 0.5) / (1u64 << 52) as f64;
    let nanos = median.as_nanos() as f64 * libm::exp(sigma * normal_quantile(uniform));
    // A cast to u64 saturates.
    Duration::from_nanos(libm::round(nanos) as u64)
}

/// The inverse of the standard normal distribution function for 0 < `p` < 1, exact to about 1e-16
/// (Wichura 1988, algorithm AS 241, PPND16).
fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&CENTRE_NUM, r) / polynomial(&CENTRE_DEN, r);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = libm::sqrt(-libm::log(tail));
    let z = if r <= 5.0 {
        polynomial(&MIDDLE_NUM, r - 1.6) / polynomial(&MIDDLE_DEN, r - 1.6)
    } else {
        polynomial(&FAR_NUM, r - 5.0) / polynomial(&FAR_DEN, r - 5.0)
    };
    if q < 0.0 { -z } else { z }
}

/// The polynomial with these coefficients, lowest power first, at `x`.
fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |value, &coefficient| value * x + coefficient)
}

const CENTRE_NUM: [f64; 8] = [
    3.387_132_872_796_366_5,
    133.141_667_891_784_38,
    1_971.590_950_306_551_3,
    13_731.693_765_509_46,
    45_921.953_931_549_87,
    67_265.770_927_008_7,
    33_430.575_583_588_13,
    2_509.080_928_730_122_7,
];
const CENTRE_DEN: [f64; 8] = [
    1.0,
    42.313_330_701_600_91,
    687.187_007_492_057_9,
    5_394.196_021_424_751,
    21_213.794_301_586_597,
    39_307.895_800_092_71,
    28_729.085_735_721_943,
    5_226.495_278_852_854,
];
const MIDDLE_NUM: [f64; 8] = [
    1.423_437_110_749_683_5,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    0.241_780_725_177_450_6,
    0.022_723_844_989_269_184,
    0.000_774_545_014_278_341_4,
];
const MIDDLE_DEN: [f64; 8] = [
    1.0,
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    0.689_767_334_985_1,
    0.148_103_976_427_480_08,
    0.015_198_666_563_616_457,
    0.000_547_593_808_499_534_5,
    1.050_750_071_644_416_9e-9,
];
const FAR_NUM: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    0.296_560_571_828_504_87,
    0.026_532_189_526_576_124,
    0.001_242_660_947_388_078_4,
    2.711_555_568_743_487_6e-5,
    2.010_334_399_292_288_1e-7,
];
const FAR_DEN: [f64; 8] = [
    1.0,
    0.599_832_206_555_887_9,
    0.136_929_880_922_735_8,
    0.014_875_361_290_850_615,
    0.000_786_869_131_145_613_2,
    1.846_318_317_510_054_7e-5,
    1.421_511_758_316_446e-7,
    2.044_263_103_389_939_8e-15,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::hash::mix64;
    use proptest::prelude::*;

    fn quantiles(latency: Latency, per_mille: [usize; 3]) -> [f64; 3] {
        let count = 100_000;
        let mut samples: Vec<u64> = (0..count).map(|i| latency.sample(mix64(i)).as_nanos()).collect();
        samples.sort_unstable();
        per_mille.map(|share| samples[count as usize * share / 1000] as f64)
    }

    #[test]
    fn a_log_normal_meets_its_two_quantiles() {
        let millis = Duration::from_millis;
        for (median, p99) in [
            (millis(1_200), millis(6_000)),
            (millis(5), millis(20)),
            (Duration::from_micros(300), millis(3)),
            (Duration::from_mins(10), Duration::from_mins(11)),
        ] {
            let measured = quantiles(Latency::LogNormal { median, p99 }, [500, 841, 990]);
            let (median, p99) = (median.as_nanos() as f64, p99.as_nanos() as f64);
            // 84.1 % lie below one sigma, which is at 1 / 2.326 of the way to p99 on a logarithmic scale.
            let expected = [median, median * libm::pow(p99 / median, 1.0 / Z_99), p99];
            for (measured, expected) in measured.into_iter().zip(expected) {
                let error = (measured / expected - 1.0).abs();
                assert!(error < 0.02, "{measured} instead of {expected}");
            }
        }
    }

    #[test]
    fn a_uniform_latency_fills_its_range() {
        let (low, high) = (Duration::from_millis(100), Duration::from_millis(300));
        let uniform = Latency::Uniform(low, high);
        assert_eq!(uniform.sample(0), low);
        assert_eq!(uniform.sample(u64::MAX), high);
        assert_eq!(Latency::Uniform(high, low).sample(1 << 63), uniform.sample(1 << 63));
        for (measured, share) in quantiles(uniform, [100, 500, 900]).into_iter().zip([0.1, 0.5, 0.9]) {
            assert!((measured / (1e8 + share * 2e8) - 1.0).abs() < 0.02, "{share}: {measured}");
        }
        let coin = Latency::Uniform(Duration::ZERO, Duration::from_nanos(1));
        let zeros = (0..1000).filter(|&i| coin.sample(mix64(i)) == Duration::ZERO).count();
        assert!((450..550).contains(&zeros), "{zeros} of 1000");
        assert_eq!(Latency::Uniform(Duration::ZERO, Duration::NEVER).sample(u64::MAX), Duration::NEVER);
    }

    #[test]
    fn degenerate_latencies() {
        let second = Duration::from_secs(1);
        for draw in [0, 1, 1 << 63, u64::MAX] {
            assert_eq!(Latency::Constant(second).sample(draw), second);
            assert_eq!(Latency::Never.sample(draw), Duration::NEVER);
            let narrow = Latency::LogNormal { median: second, p99: Duration::ZERO };
            assert_eq!(narrow.sample(draw), second);
            let zero = Latency::LogNormal { median: Duration::ZERO, p99: second };
            assert_eq!(zero.sample(draw), Duration::ZERO);
        }
    }

    #[test]
    fn the_normal_quantile_inverts_the_distribution_function() {
        for (p, z) in [
            (0.5, 0.0),
            (0.99, Z_99),
            (0.975, 1.959_963_984_540_054),
            (0.001, -3.090_232_306_167_813_5),
            (1e-9, -5.997_807_015_007_686_9),
        ] {
            assert!((normal_quantile(p) - z).abs() < 1e-12, "{p}: {}", normal_quantile(p));
        }
        for i in 1..10_000 {
            // From the far tail through both seams of the approximation.
            let p = libm::exp(-f64::from(i) * 0.003_6);
            let back = 0.5 * libm::erfc(-normal_quantile(p) / std::f64::consts::SQRT_2);
            assert!((back / p - 1.0).abs() < 1e-12, "{p}: {back}");
        }
    }

    #[test]
    fn samples_are_pinned() {
        let pull = Latency::LogNormal { median: Duration::from_millis(1_200), p99: Duration::from_secs(6) };
        let samples =
            [0, 1 << 20, 1 << 63, 0x1234_5678_9abc_def0, u64::MAX].map(|draw| pull.sample(draw).as_nanos());
        assert_eq!(samples, [4_097_885, 7_057_911, 1_200_000_000, 434_749_680, 351_400_743_408]);
    }

    proptest! {
        #[test]
        fn a_larger_draw_is_never_faster(
            a in any::<u64>(), b in any::<u64>(), low in 0..1u64 << 50, high in 0..1u64 << 50
        ) {
            let (low, high) = (Duration::from_nanos(low), Duration::from_nanos(high));
            for latency in [Latency::Uniform(low, high), Latency::LogNormal { median: low, p99: high }] {
                prop_assert!(latency.sample(a.min(b)) <= latency.sample(a.max(b)));
            }
        }
    }
}
