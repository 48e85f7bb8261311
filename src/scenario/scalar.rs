//! What a YAML scalar means to kubectl: the resolution of goyaml.v2 (resolve.go of `sigs.k8s.io/yaml`), YAML 1.1.
//!
//! Left out: `!!binary` (an error); timestamps, which goyaml recognises and hands over as the string they were.

/// The meaning of one scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    /// Within `i64::MIN..=u64::MAX`.
    Integer(i128),
    /// Finite.
    Float(f64),
    /// The text as it stands.
    String,
    /// The merge key `<<`.
    Merge,
}

/// The tag of a scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TagName<'a> {
    None,
    /// A tag of YAML itself, `!!int`, by its name.
    Yaml(&'a str),
    /// Any other, `!foo`; the scalar is a string then.
    Other,
}

/// Resolves a scalar.
///
/// # Errors
/// A sentence, if the text does not suit its tag or is a number that JSON cannot express.
pub(super) fn resolve(text: &str, plain: bool, tag: TagName<'_>) -> Result<Scalar, String> {
    let mismatch =
        |found: &str, tag: &str| Err(format!("cannot decode !!{found} `{}` as a !!{tag}", shorten(text)));
    match tag {
        TagName::None if plain => untagged(text),
        TagName::Yaml("merge") => Ok(Scalar::Merge),
        TagName::Yaml("binary") => Err("the tag !!binary is not supported; write the text itself".to_owned()),
        TagName::Yaml(name @ ("null" | "bool" | "int" | "float")) => match (name, untagged(text)?) {
            ("null", Scalar::Null) => Ok(Scalar::Null),
            ("bool", value @ Scalar::Bool(_)) => Ok(value),
            ("int", value @ Scalar::Integer(_)) => Ok(value),
            ("float", value @ Scalar::Float(_)) => Ok(value),
            ("float", Scalar::Integer(value)) => Ok(Scalar::Float(value as f64)),
            (_, Scalar::Null) => mismatch("null", name),
            (_, Scalar::Bool(_)) => mismatch("bool", name),
            (_, Scalar::Integer(_)) => mismatch("int", name),
            (_, Scalar::Float(_)) => mismatch("float", name),
            (_, Scalar::String | Scalar::Merge) => mismatch("str", name),
        },
        TagName::None | TagName::Yaml(_) | TagName::Other => Ok(Scalar::String),
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 40 {
        text.to_owned()
    } else {
        text.chars().take(40).chain("...".chars()).collect()
    }
}

fn untagged(text: &str) -> Result<Scalar, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "<<" => Scalar::Merge,
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf"
        | "-.Inf" | "-.INF" => {
            return Err(format!("`{text}` has no equivalent in JSON; write a string in quotes"));
        }
        _ => number(text).unwrap_or(Scalar::String),
    })
}

/// A number as Go's `strconv.ParseInt(text, 0, 64)`, `ParseUint` and goyaml's float pattern read it, tried in this
/// order after the removal of underscores.
fn number(text: &str) -> Option<Scalar> {
    match text.as_bytes().first()? {
        b'.' => return float(text),
        b'+' | b'-' | b'0'..=b'9' => {}
        _ => return None,
    }
    let plain = text.replace('_', "");
    integer(&plain).map(Scalar::Integer).or_else(|| float(&plain))
}

fn integer(text: &str) -> Option<i128> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, text.get(1..)?),
        b'+' => (false, true, text.get(1..)?),
        _ => (false, false, text),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, digits.get(2..)?),
        Some("0o" | "0O") => (8, digits.get(2..)?),
        Some("0b" | "0B") => (2, digits.get(2..)?),
        Some(two) if two.starts_with('0') => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    // from_str_radix takes a sign of its own.
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, radix).ok()?);
    let value = if negative { -magnitude } else { magnitude };
    // ParseUint, which alone reaches beyond i64, takes no sign.
    let fits = i64::try_from(value).is_ok() || !signed;
    fits.then_some(value)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?` within the range of a double.
fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let shape = unsigned.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let begins = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if !shape || !begins || unsigned.starts_with(".e") || unsigned.starts_with(".E") {
        return None;
    }
    // What is left of Rust's grammar over this alphabet is the pattern above.
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(Scalar::Float(value))
}

/// A float as Go's `strconv.FormatFloat(value, 'g', -1, 64)` prints it; so kubectl turns a float key into text.
pub(super) fn go_float_text(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // strconv decides on an exponent as if the precision were 6.
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use Scalar::{Bool, Float, Integer, Merge, Null, String};

    use super::*;

    #[test]
    fn plain_scalars_mean_what_they_mean_to_kubectl() {
        let cases = [
            ("yes", Bool(true)),
            ("Off", Bool(false)),
            ("y", Bool(true)),
            ("N", Bool(false)),
            ("tRue", String),
            ("", Null),
            ("~", Null),
            ("nULL", String),
            ("0", Integer(0)),
            ("-0", Integer(0)),
            ("0755", Integer(493)),
            ("-0755", Integer(-493)),
            ("0o755", Integer(493)),
            ("0x1F", Integer(31)),
            ("0b11", Integer(3)),
            ("-0b11", Integer(-3)),
            ("1_000", Integer(1000)),
            ("1__0", Integer(10)),
            ("+5", Integer(5)),
            ("08", Float(8.0)),
            ("1e3", Float(1000.0)),
            (".5", Float(0.5)),
            ("5.", Float(5.0)),
            ("1.20", Float(1.2)),
            ("1_000.5", Float(1000.5)),
            ("9223372036854775808", Integer(9_223_372_036_854_775_808)),
            ("18446744073709551615", Integer(18_446_744_073_709_551_615)),
            ("18446744073709551616", Float(18_446_744_073_709_551_616.0)),
            ("+18446744073709551615", Float(18_446_744_073_709_551_615.0)),
            ("-9223372036854775808", Integer(i128::from(i64::MIN))),
            ("-9223372036854775809", Float(-9_223_372_036_854_775_809.0)),
            ("1e400", String),
            ("1:30", String),
            ("2001-01-01", String),
            ("++", String),
            ("+-5", String),
            ("0x", String),
            ("0x-5", String),
            ("0xg", String),
            ("-", String),
            (".", String),
            (".e3", String),
            ("1e", String),
            ("e5", String),
            ("inf", String),
            ("infinity", String),
            ("nan", String),
            ("=", String),
            ("<<", Merge),
            ("100m", String),
        ];
        for (text, expected) in cases {
            assert_eq!(resolve(text, true, TagName::None), Ok(expected), "{text:?}");
        }
        for text in [".inf", "-.Inf", ".NaN"] {
            assert!(resolve(text, true, TagName::None).is_err(), "{text}");
        }
    }

    #[test]
    fn quotes_and_tags_decide_before_the_text() {
        assert_eq!(resolve("yes", false, TagName::None), Ok(String));
        assert_eq!(resolve("5", true, TagName::Yaml("str")), Ok(String));
        assert_eq!(resolve("5", true, TagName::Other), Ok(String));
        assert_eq!(resolve("5", false, TagName::Yaml("int")), Ok(Integer(5)));
        assert_eq!(resolve("5", true, TagName::Yaml("float")), Ok(Float(5.0)));
        assert_eq!(
            resolve("five", true, TagName::Yaml("int")),
            Err("cannot decode !!str `five` as a !!int".to_owned())
        );
        assert!(resolve("aGk=", true, TagName::Yaml("binary")).is_err());
    }

    #[test]
    fn float_keys_print_as_go_prints_them() {
        let cases = [
            (1.5, "1.5"),
            (8.0, "8"),
            (1e3, "1000"),
            (123_456.0, "123456"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-2.5e30, "-2.5e+30"),
        ];
        for (value, expected) in cases {
            assert_eq!(go_float_text(value), expected);
        }
    }
}
