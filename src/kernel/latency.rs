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
    // The midpoint of one of 2^53 equal parts of (0, 1): never 0, never 1.
    let uniform = ((draw >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
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
