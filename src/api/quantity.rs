//! Resource quantities (`250m`, `1Gi`, `1e3`), as `k8s.io/apimachinery/pkg/api/resource` reads and prints them.
//!
//! A [`Quantity`] is a whole number of billionths (the API's finest step) plus the family of suffixes it was written
//! in, because the canonical form keeps the family: `1024Mi` prints as `1Gi`, `1000M` as `1G`.
//! Left out: decimal values above 10^28, which Go keeps exactly and which saturate here, and Go's odd answer for
//! decimal exponents that have no suffix (`1000E` prints as `1` there).
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use thiserror::Error;

/// Billionths in one unit.
const NANO: i128 = 1_000_000_000;
/// The largest magnitude of a decimal quantity, in units.
const MAX_DECIMAL: i128 = 10_i128.pow(28);
/// Digits after which a decimal exponent cannot matter any more: everything is zero or saturated.
const MAX_EXPONENT: i64 = 4096;

/// Why a text is not a quantity; the messages are the API server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// Characters out of place.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The characters are those of a suffix, but there is no such suffix.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// The family of suffixes a quantity was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// `n u m "" k M G T P E`.
    #[default]
    DecimalSi,
    /// `Ki Mi Gi Ti Pi Ei`.
    BinarySi,
    /// `e3`, `E-6`.
    DecimalExponent,
}

/// An amount of some resource. Compares by amount alone: `1Gi` equals `1024Mi` and `1073741824`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self { nanos: 0, format: Format::DecimalSi };

    /// A whole number of units, e.g. bytes or pods.
    pub const fn units(units: i64, format: Format) -> Self {
        Self { nanos: units as i128 * NANO, format }
    }

    /// Thousandths, e.g. of a CPU.
    pub const fn from_milli(milli: i64) -> Self {
        Self { nanos: milli as i128 * (NANO / 1000), format: Format::DecimalSi }
    }

    /// Reads a JSON string or number. Anything else is [`QuantityError::Format`], as the API server's decoder says.
    pub fn from_json(value: &Value) -> Result<Self, QuantityError> {
        match value {
            Value::String(text) => text.trim().parse(),
            Value::Number(number) => number.to_string().parse(),
            Value::Null => Ok(Self::ZERO),
            _ => Err(QuantityError::Format),
        }
    }

    /// The suffix family.
    pub const fn format(self) -> Format {
        self.format
    }

    /// Thousandths of a unit, rounded away from zero, saturating. CPU is counted in these.
    pub fn milli(self) -> i64 {
        saturate(divide_away_from_zero(self.nanos, NANO / 1000))
    }

    /// Whole units, rounded away from zero, saturating. Memory, storage and object counts are counted in these.
    pub fn value(self) -> i64 {
        saturate(divide_away_from_zero(self.nanos, NANO))
    }

    /// Below, at or above zero.
    pub const fn signum(self) -> i128 {
        self.nanos.signum()
    }

    /// Rounded away from zero to whole thousandths: what the API server stores in resource lists
    /// (pkg/apis/core/v1/defaults.go `SetDefaults_ResourceList`).
    pub fn rounded_to_milli(self) -> Self {
        let step = NANO / 1000;
        Self { nanos: divide_away_from_zero(self.nanos, step) * step, ..self }
    }
}

impl std::ops::Add for Quantity {
    type Output = Self;

    /// The sum in the family of the left side (that of the right side if the left is zero), as Go's `Quantity.Add`.
    fn add(self, other: Self) -> Self {
        let format = if self.nanos == 0 { other.format } else { self.format };
        Self { nanos: self.nanos.saturating_add(other.nanos), format }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

fn divide_away_from_zero(dividend: i128, divisor: i128) -> i128 {
    let quotient = dividend / divisor;
    if dividend % divisor == 0 { quotient } else { quotient + dividend.signum() }
}

fn saturate(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// The exponent a suffix stands for: of ten, or of two for the binary family.
fn interpret_suffix(suffix: &str) -> Result<(Format, i64), QuantityError> {
    let decimal = |exponent| Ok((Format::DecimalSi, exponent));
    let binary = |exponent| Ok((Format::BinarySi, exponent));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let digits = suffix.strip_prefix(['e', 'E']).ok_or(QuantityError::Suffix)?;
            let exponent: i64 = digits.parse().map_err(|_| QuantityError::Suffix)?;
            Ok((Format::DecimalExponent, exponent.clamp(-MAX_EXPONENT, MAX_EXPONENT)))
        }
    }
}

/// The four parts of a quantity's text.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
}

/// Splits as Go's `parseQuantityString`: a bare sign or a bare dot is zero there, and so it is here.
fn split(text: &str) -> Result<Parts<'_>, QuantityError> {
    let negative = text.starts_with('-');
    let rest = text.strip_prefix(['+', '-']).unwrap_or(text).trim_start_matches('0');
    let (whole, rest) = split_digits(rest);
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest),
        None => ("", rest),
    };
    let after_letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let after_sign = after_letters.strip_prefix(['+', '-']).unwrap_or(after_letters);
    if after_sign.bytes().all(|b| b.is_ascii_digit()) {
        Ok(Parts { negative, whole, fraction, suffix })
    } else {
        Err(QuantityError::Format)
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// `digits * 10^exponent` in billionths, rounded up; saturates at [`MAX_DECIMAL`].
fn decimal_nanos(digits: &str, exponent: i64) -> i128 {
    let digits = digits.trim_start_matches('0');
    let trimmed = digits.trim_end_matches('0');
    if trimmed.is_empty() {
        return 0;
    }
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX / 4);
    let shift = exponent + 9 + length(digits) - length(trimmed);
    // The leading digit stands for 10^(magnitude - 1) billionths.
    let magnitude = length(trimmed) + shift;
    if magnitude > 28 + 9 {
        return MAX_DECIMAL * NANO;
    }
    if magnitude <= 0 {
        return 1;
    }
    let keep = usize::try_from(magnitude).unwrap_or(0).min(trimmed.len());
    let (kept, lost) = trimmed.split_at(keep);
    let mantissa: i128 = kept.parse().unwrap_or(MAX_DECIMAL * NANO);
    let scaled = mantissa * 10_i128.pow(u32::try_from(shift.max(0)).unwrap_or(0));
    if lost.is_empty() { scaled } else { scaled + 1 }
}

/// `digits / 10^places * 2^exponent` in billionths, rounded up; saturates at the largest `i64`, as in Go.
fn binary_nanos(digits: &str, places: usize, exponent: i64) -> i128 {
    let cap = i128::from(i64::MAX) * NANO;
    // Fractions finer than this are below a billionth even of an Ei; what is cut counts as "a little more".
    let keep = digits.len() - places.saturating_sub(30);
    let (kept, lost) = digits.split_at(keep);
    let places = places.min(30);
    let (whole, fraction) = kept.split_at(kept.len() - places);
    let whole = whole.trim_start_matches('0');
    if whole.len() > 19 {
        return cap;
    }
    let factor = 1_i128 << exponent;
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(cap) };
    let fraction = fraction_nanos(fraction, factor, lost.bytes().any(|b| b != b'0'));
    whole.saturating_mul(factor).saturating_mul(NANO).saturating_add(fraction).min(cap)
}

/// `0.fraction * factor` in billionths, rounded up. Long multiplication from the last digit, so nothing overflows:
/// each step divides by ten before the next digit is added, and a remainder anywhere rounds the end result up.
fn fraction_nanos(fraction: &str, factor: i128, lost: bool) -> i128 {
    let mut sum = 0_i128;
    let mut inexact = lost;
    // Ten guard digits keep the divisions from reaching the billionths themselves.
    let guard = 100_i128;
    for digit in fraction.bytes().rev() {
        let total = i128::from(digit - b'0') * factor * NANO * guard + sum;
        inexact |= total % 10 != 0;
        sum = total / 10;
    }
    let up = i128::from(sum % guard != 0 || inexact);
    sum / guard + up
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Format);
        }
        let parts = split(text)?;
        let (mut format, exponent) = interpret_suffix(parts.suffix)?;
        let digits = format!("{}{}", parts.whole, parts.fraction);
        let places = parts.fraction.len();
        let magnitude = match format {
            Format::BinarySi => binary_nanos(&digits, places, exponent),
            Format::DecimalSi | Format::DecimalExponent => {
                let places = i64::try_from(places).unwrap_or(i64::MAX / 4);
                decimal_nanos(&digits, exponent - places)
            }
        };
        if format == Format::BinarySi && magnitude < NANO {
            format = Format::DecimalSi;
        }
        Ok(Self { nanos: if parts.negative { -magnitude } else { magnitude }, format })
    }
}

impl fmt::Display for Quantity {
    /// The canonical form: no fraction, the largest suffix of the family that loses nothing. A binary quantity below
    /// 1024 or with a fraction is printed in the decimal family (Go's `CanonicalizeBytes`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        if self.format == Format::BinarySi && self.nanos % NANO == 0 && self.nanos.abs() >= 1024 * NANO {
            let mut amount = self.nanos / NANO;
            let mut step = 0;
            while amount % 1024 == 0 && step < 6 {
                amount /= 1024;
                step += 1;
            }
            let suffix = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].get(step).copied().unwrap_or_default();
            return write!(f, "{amount}{suffix}");
        }
        let mut amount = self.nanos;
        let mut exponent = -9;
        let largest = if self.format == Format::DecimalExponent { i32::MAX } else { 18 };
        while amount % 1000 == 0 && exponent < largest {
            amount /= 1000;
            exponent += 3;
        }
        match (self.format, exponent) {
            (_, 0) => write!(f, "{amount}"),
            (Format::DecimalExponent, _) => write!(f, "{amount}e{exponent}"),
            _ => {
                let index = usize::try_from((exponent + 9) / 3).unwrap_or(0);
                let suffix = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].get(index).copied();
                write!(f, "{amount}{}", suffix.unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every right side was printed by kubectl 1.32 (`create quota --dry-run=client`).
    #[test]
    fn canonical_form() {
        let cases = [
            ("0", "0"),
            ("00", "0"),
            ("0.0", "0"),
            ("0Mi", "0"),
            (".", "0"),
            ("+", "0"),
            ("-1", "-1"),
            ("+1", "1"),
            ("1000m", "1"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("1.5", "1500m"),
            ("12345m", "12345m"),
            ("100n", "100n"),
            ("0.0001", "100u"),
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("0.5Gi", "512Mi"),
            ("-0.5Gi", "-512Mi"),
            ("0.1Ki", "102400m"),
            ("0.3Ki", "307200m"),
            ("1024.5Ki", "1049088"),
            ("1023Ki", "1023Ki"),
            ("1000Ki", "1000Ki"),
            ("123.456Gi", "132559870623744m"),
            ("0.0000000001Gi", "107374183n"),
            ("1Ei", "1Ei"),
            ("8Ei", "9223372036854775807"),
            ("1025", "1025"),
            ("1000000", "1M"),
            ("9223372036854775807", "9223372036854775807"),
            ("12345678901234567890", "12345678901234567890"),
            ("1E", "1E"),
            ("1e3", "1e3"),
            ("1e1", "10"),
            ("10e-1", "1"),
            ("1e-12", "1e-9"),
            ("1e20", "100e18"),
        ];
        for (text, canonical) in cases {
            assert_eq!(text.parse::<Quantity>().map(|q| q.to_string()).as_deref(), Ok(canonical), "{text}");
        }
    }

    #[test]
    fn refused() {
        use QuantityError::{Format, Suffix};
        let cases = [
            ("", Format),
            ("abc", Format),
            ("5GB", Format),
            ("1_0", Format),
            ("1.2.3", Format),
            ("1 Gi", Format),
            ("0.1am", Format),
            ("1e", Suffix),
            ("1KK", Suffix),
            ("0.1mi", Suffix),
            ("1i", Suffix),
            ("1e99999999999999999999", Suffix),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Quantity>(), Err(error), "{text}");
        }
    }

    #[test]
    fn counts() {
        let cases = [
            ("100m", 100, 1),
            ("0.0001", 1, 1),
            ("-0.0001", -1, -1),
            ("1Gi", 1_073_741_824_000, 1_073_741_824),
            ("1e400", i64::MAX, i64::MAX),
            ("-1e400", i64::MIN, i64::MIN),
        ];
        for (text, milli, value) in cases {
            let quantity: Quantity = text.parse().unwrap();
            assert_eq!((quantity.milli(), quantity.value()), (milli, value), "{text}");
        }
        assert_eq!("1Gi".parse::<Quantity>().unwrap(), "1024Mi".parse().unwrap());
        assert!("1Gi".parse::<Quantity>().unwrap() > "1G".parse().unwrap());
        assert_eq!("0.1m".parse::<Quantity>().unwrap().rounded_to_milli().to_string(), "1m");
        assert_eq!((Quantity::ZERO + "1Gi".parse().unwrap()).to_string(), "1Gi");
        assert_eq!(Quantity::units(2048, Format::BinarySi).to_string(), "2Ki");
        assert_eq!(Quantity::from_milli(1500).to_string(), "1500m");
    }

    #[test]
    fn from_json() {
        let parse =
            |text: &str| Quantity::from_json(&serde_json::from_str(text).unwrap()).map(|q| q.to_string());
        assert_eq!(parse("2").as_deref(), Ok("2"));
        assert_eq!(parse("1.5").as_deref(), Ok("1500m"));
        assert_eq!(parse("\" 1Gi \"").as_deref(), Ok("1Gi"));
        assert_eq!(parse("{}"), Err(QuantityError::Format));
    }

    proptest! {
        #[test]
        fn canonical_text_reads_back(sign in "[+-]?", whole in "[0-9]{1,20}", fraction in "(\\.[0-9]{0,35})?",
                                     suffix in "([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?") {
            let quantity: Quantity = format!("{sign}{whole}{fraction}{suffix}").parse().unwrap();
            let text = quantity.to_string();
            let again: Quantity = text.parse().unwrap();
            prop_assert_eq!(again, quantity);
            prop_assert_eq!(again.to_string(), text);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Quantity>();
        }

        #[test]
        fn binary_suffix_multiplies(amount in 0_i64..1_000_000, places in 0_u32..6) {
            let divisor = 10_i128.pow(places);
            let text = format!("{}.{:0width$}Mi", i128::from(amount) / divisor, i128::from(amount) % divisor,
                               width = places as usize);
            let quantity: Quantity = text.parse().unwrap();
            prop_assert_eq!(quantity.nanos, divide_away_from_zero(i128::from(amount) * (1 << 20) * NANO, divisor));
        }
    }
}
