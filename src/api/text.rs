//! Names, label keys and values, timestamps, and text that is safe to print.
//!
//! Follows `k8s.io/apimachinery/pkg/api/validate/content` and `pkg/util/validation` for the exact error texts, and
//! `metav1.Time` for timestamps (RFC 3339, whole seconds, UTC). Every run begins at [`EPOCH`]. The regular
//! expressions of the messages are matched by hand: they are four character classes.
//! Left out: DNS-1035 names with dots, IP addresses, ports; nothing here needs them.
use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;
use thiserror::Error;

/// Virtual time zero, as a timestamp.
pub const EPOCH: &str = "2026-01-01T00:00:00Z";
/// Days from 1970-01-01 to [`EPOCH`].
const EPOCH_DAYS: i64 = 20_454;
const SECOND: u64 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;

const LABEL_FORMAT: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_FORMAT: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const DNS1035_FORMAT: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED_FORMAT: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const QUALIFIED_MESSAGE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end \
                                 with an alphanumeric character";

/// The longest DNS label, label value and name part of a label key, in bytes.
pub const LABEL_MAX: usize = 63;
/// The longest DNS subdomain, in bytes.
pub const SUBDOMAIN_MAX: usize = 253;

fn too_long(max: usize) -> String {
    format!("must be no more than {max} bytes")
}

fn regex_error(message: &str, format: &str, examples: &[&str]) -> String {
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{message} (e.g. {}regex used for validation is '{format}')", examples.join(" or "))
}

/// First and last byte from `edge`, everything between from `edge` or `inner`.
fn shaped(text: &str, edge: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(&first), Some(&last)) => {
            edge(first) && edge(last) && bytes.iter().all(|&byte| edge(byte) || inner(byte))
        }
        _ => false,
    }
}

fn lower_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_label(text: &str) -> bool {
    shaped(text, lower_alphanumeric, |byte| byte == b'-')
}

/// What is wrong with `name` as an RFC 1123 label; empty if nothing (content.IsDNS1123Label).
pub fn dns_label_errors(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.len() > LABEL_MAX {
        errors.push(too_long(LABEL_MAX));
    }
    if !is_label(name) {
        let message = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and \
                       must start and end with an alphanumeric character";
        errors.push(regex_error(message, LABEL_FORMAT, &["my-name", "123-abc"]));
    }
    errors
}

/// What is wrong with `name` as an RFC 1123 subdomain; empty if nothing (content.IsDNS1123Subdomain).
pub fn dns_subdomain_errors(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.len() > SUBDOMAIN_MAX {
        errors.push(too_long(SUBDOMAIN_MAX));
    }
    if !name.split('.').all(is_label) {
        let message = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or \
                       '.', and must start and end with an alphanumeric character";
        errors.push(regex_error(message, SUBDOMAIN_FORMAT, &["example.com"]));
    }
    errors
}

/// What is wrong with `name` as an RFC 1035 label, which may not begin with a digit; empty if nothing.
pub fn dns1035_label_errors(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.len() > LABEL_MAX {
        errors.push(too_long(LABEL_MAX));
    }
    if !is_label(name) || name.starts_with(|first: char| first.is_ascii_digit()) {
        let message = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
                       alphabetic character, and end with an alphanumeric character";
        errors.push(regex_error(message, DNS1035_FORMAT, &["my-name", "abc-123"]));
    }
    errors
}

fn is_qualified_part(text: &str) -> bool {
    shaped(text, |byte| byte.is_ascii_alphanumeric(), |byte| matches!(byte, b'-' | b'_' | b'.'))
}

/// What is wrong with `key` as a label, annotation or taint key; empty if nothing (content.IsQualifiedName).
pub fn label_key_errors(key: &str) -> Vec<String> {
    let examples = ["MyName", "my.name", "123-abc"];
    let mut errors = Vec::new();
    let name = match key.split_once('/') {
        None => key,
        Some((_, name)) if name.contains('/') => {
            let text = regex_error(QUALIFIED_MESSAGE, QUALIFIED_FORMAT, &examples);
            return vec![format!(
                "a qualified name {text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
        Some(("", name)) => {
            errors.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            errors.extend(dns_subdomain_errors(prefix).into_iter().map(|text| format!("prefix part {text}")));
            name
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX {
        errors.push(format!("name part {}", too_long(LABEL_MAX)));
    }
    if !is_qualified_part(name) {
        let text = regex_error(QUALIFIED_MESSAGE, QUALIFIED_FORMAT, &examples);
        errors.push(format!("name part {text}"));
    }
    errors
}

/// What is wrong with `value` as a label value; empty if nothing (content.IsLabelValue).
pub fn label_value_errors(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > LABEL_MAX {
        errors.push(too_long(LABEL_MAX));
    }
    if !value.is_empty() && !is_qualified_part(value) {
        let message = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
                       '.', and must start and end with an alphanumeric character";
        errors.push(regex_error(
            message,
            &format!("({QUALIFIED_FORMAT})?"),
            &["MyValue", "my_value", "12345"],
        ));
    }
    errors
}

/// Control characters (C0, DEL, C1), line and paragraph separators, bidirectional controls and invisible characters:
/// what can move the cursor, recolour, reorder or hide text on a terminal.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// `text` with everything that could deceive a terminal's reader written as a Rust escape (`\n`, `\u{1b}`).
/// Text from manifests and scenarios goes through this before it is printed.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            _ if is_unsafe(character) => {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

/// A value as Go's `%v` prints it: `map[a:1 b:[x y]]`.
pub fn go_format(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(go_format).collect::<Vec<_>>().join(" ")),
        Value::Object(object) => {
            let fields = object.iter().map(|(key, value)| format!("{key}:{}", go_format(value)));
            format!("map[{}]", fields.collect::<Vec<_>>().join(" "))
        }
    }
}

/// A value as Go's `json.Marshal` writes it: sorted keys, no spaces, `<`, `>` and `&` escaped.
pub fn go_json(value: &Value) -> String {
    let mut text = value.to_string();
    let escapes = [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ];
    for (character, escape) in escapes {
        // These characters can only stand inside JSON strings.
        if text.contains(character) {
            text = text.replace(character, escape);
        }
    }
    text
}

/// Why a text is not a timestamp of this run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TimestampError {
    /// Not RFC 3339.
    #[error("not an RFC 3339 timestamp such as {EPOCH}: {0:?}")]
    Syntax(String),
    /// Before [`EPOCH`], or too far after it for nanoseconds in 64 bits.
    #[error("outside of the run, which begins at {EPOCH}: {0:?}")]
    Range(String),
}

/// A proleptic Gregorian date from days since 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Date, time of day and days since 1970 of a virtual time in nanoseconds.
fn broken_down(nanos: u64) -> ((i64, i64, i64), (u64, u64, u64), i64) {
    let seconds = nanos / SECOND;
    let in_day = seconds % DAY_SECONDS.unsigned_abs();
    let days = EPOCH_DAYS + i64::try_from(seconds / DAY_SECONDS.unsigned_abs()).unwrap_or(0);
    (civil_from_days(days), (in_day / 3600, in_day / 60 % 60, in_day % 60), days)
}

/// Virtual time (nanoseconds since the start of the run) as an API timestamp, cut to whole seconds.
pub fn timestamp(nanos: u64) -> String {
    let ((year, month, day), (hour, minute, second), _) = broken_down(nanos);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Virtual time as `kubectl describe` prints times: `Thu, 01 Jan 2026 00:00:00 +0000`.
pub fn timestamp_rfc1123(nanos: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let ((year, month, day), (hour, minute, second), days) = broken_down(nanos);
    let pick = |names: &[&'static str], index: i64| {
        usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
    };
    let weekday = pick(&DAYS, days.rem_euclid(7));
    let month = pick(&MONTHS, month - 1);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

/// Reads an RFC 3339 timestamp (fraction and offset allowed) back into nanoseconds since the start of the run.
pub fn parse_timestamp(text: &str) -> Result<u64, TimestampError> {
    let syntax = || TimestampError::Syntax(text.to_owned());
    let (seconds, nanos) = parse_rfc3339(text).ok_or_else(syntax)?;
    let since_start = i128::from(seconds - EPOCH_DAYS * DAY_SECONDS) * i128::from(SECOND) + i128::from(nanos);
    u64::try_from(since_start).map_err(|_| TimestampError::Range(text.to_owned()))
}

/// Seconds since 1970 and nanoseconds within the second.
fn parse_rfc3339(text: &str) -> Option<(i64, u64)> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    let punctuation =
        |at: usize, allowed: &[u8]| text.as_bytes().get(at).is_some_and(|b| allowed.contains(b));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let marks = [(4, b"-"), (7, b"-"), (10, b"T"), (13, b":"), (16, b":")];
    let days = days_from_civil(year, month, day);
    let valid = marks.iter().all(|(at, mark)| punctuation(*at, *mark))
        && civil_from_days(days) == (year, month, day)
        && (hour < 24 && minute < 60 && second < 60);
    if !valid {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut nanos = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let end = fraction.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(fraction.len());
        let digits = fraction.get(..end).filter(|digits| !digits.is_empty())?;
        nanos = format!("{digits:0<9}").get(..9)?.parse().ok()?;
        rest = fraction.get(end..)?;
    }
    let offset = match rest.as_bytes() {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let digits = [h1, h2, m1, m2];
            if !digits.iter().all(|digit| digit.is_ascii_digit()) {
                return None;
            }
            let [h1, h2, m1, m2] = digits.map(|digit| i64::from(digit - b'0'));
            let seconds = (h1 * 10 + h2) * 3600 + (m1 * 10 + m2) * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    Some((days * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset, nanos))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The texts are those a 1.36.2 API server answered with.
    #[test]
    fn dns_names() {
        let label = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
                     start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for \
                     validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
        assert_eq!(dns_label_errors("Web_1"), [label]);
        for name in ["web", "0", "a-b", &"a".repeat(63)] {
            assert!(dns_label_errors(name).is_empty(), "{name}");
        }
        for name in ["", "-a", "a-", "a.b", "A", "ä"] {
            assert_eq!(dns_label_errors(name), [label], "{name}");
        }
        assert_eq!(dns_label_errors(&"a".repeat(64)), ["must be no more than 63 bytes"]);
        assert!(dns_subdomain_errors("a.b-c.0").is_empty());
        for name in ["", "a..b", ".a", "a.", "a.-b", "A.b"] {
            assert_eq!(dns_subdomain_errors(name).len(), 1, "{name}");
        }
        assert_eq!(dns_subdomain_errors(&"a".repeat(254)), ["must be no more than 253 bytes"]);
        assert!(dns1035_label_errors("0a").iter().any(|text| text.contains("start with an alphabetic")));
        assert!(dns1035_label_errors("a0").is_empty());
    }

    #[test]
    fn label_keys_and_values() {
        for key in ["app", "a.b_c-D", "example.com/app", "0"] {
            assert!(label_key_errors(key).is_empty(), "{key}");
        }
        let name_part = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end \
                         with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used \
                         for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
        assert_eq!(label_key_errors("-a"), [name_part]);
        assert_eq!(label_key_errors("/a"), ["prefix part must be non-empty"]);
        assert_eq!(label_key_errors(""), ["name part must be non-empty", name_part]);
        assert_eq!(label_key_errors(&"a".repeat(64)), ["name part must be no more than 63 bytes"]);
        assert!(label_key_errors("a/b/c")[0].ends_with("prefix and '/' (e.g. 'example.com/MyName')"));
        assert!(label_key_errors("A/b")[0].starts_with("prefix part a lowercase RFC 1123 subdomain"));
        assert!(label_value_errors("").is_empty());
        assert!(label_value_errors("a_B.c").is_empty());
        assert_eq!(label_value_errors(&"a".repeat(64)), ["must be no more than 63 bytes"]);
        assert_eq!(
            label_value_errors("a b"),
            [
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
              start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
              for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            ]
        );
    }

    #[test]
    fn escaping() {
        let cases = [
            ("web-0 äöü 漢字 🙂", "web-0 äöü 漢字 🙂"),
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("a\nb\tc\r", "a\\nb\\tc\\r"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("x\u{202e}y\u{200b}z\u{2066}", "x\\u{202e}y\\u{200b}z\\u{2066}"),
            ("\u{7f}\u{0}", "\\u{7f}\\u{0}"),
        ];
        for (text, expected) in cases {
            assert_eq!(escape(text), expected);
        }
    }

    #[test]
    fn timestamps() {
        let cases = [
            (0, "2026-01-01T00:00:00Z", "Thu, 01 Jan 2026 00:00:00 +0000"),
            (59_999_999_999, "2026-01-01T00:00:59Z", "Thu, 01 Jan 2026 00:00:59 +0000"),
            (86_400 * 58 * SECOND, "2026-02-28T00:00:00Z", "Sat, 28 Feb 2026 00:00:00 +0000"),
            (86_400 * 59 * SECOND, "2026-03-01T00:00:00Z", "Sun, 01 Mar 2026 00:00:00 +0000"),
            (28_110_429 * SECOND, "2026-11-22T08:27:09Z", "Sun, 22 Nov 2026 08:27:09 +0000"),
            (86_400 * (365 + 365 + 59) * SECOND, "2028-02-29T00:00:00Z", "Tue, 29 Feb 2028 00:00:00 +0000"),
        ];
        for (nanos, rfc3339, rfc1123) in cases {
            assert_eq!(timestamp(nanos), rfc3339);
            assert_eq!(timestamp_rfc1123(nanos), rfc1123);
            assert_eq!(parse_timestamp(rfc3339), Ok(nanos / SECOND * SECOND));
        }
        assert_eq!(timestamp(0), EPOCH);
        assert_eq!(parse_timestamp("2026-01-01T02:00:00.25+01:00"), Ok(3_600_250_000_000));
        assert_eq!(parse_timestamp("2025-12-31T23:00:00-01:00"), Ok(0));
        for text in [
            "",
            "2026-01-01",
            "2026-02-30T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01 00:00:00Z",
            "2026-13-01T00:00:00Z",
            "+026-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_timestamp(text), Err(TimestampError::Syntax(text.to_owned())), "{text}");
        }
        let early = "2025-12-31T23:59:59Z";
        assert_eq!(parse_timestamp(early), Err(TimestampError::Range(early.to_owned())));
    }

    proptest! {
        #[test]
        fn timestamps_read_back(seconds in 0..u64::MAX / SECOND) {
            prop_assert_eq!(parse_timestamp(&timestamp(seconds * SECOND)), Ok(seconds * SECOND));
        }

        #[test]
        fn escaped_text_is_safe(text in any::<String>()) {
            prop_assert!(!escape(&text).contains(is_unsafe));
            let _ = parse_timestamp(&text);
        }
    }
}
