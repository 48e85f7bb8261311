//! The timeline as a recording of a terminal: asciicast, version 2, as asciinema plays it.
//!
//! Virtual time passes as it does in the run, but no wait is longer than [`LONGEST`].
use crate::kernel::Time;
use serde_json::json;

/// The longest wait, milliseconds.
const LONGEST: u64 = 1000;
const WIDTH: u32 = 140;
const HEIGHT: u32 = 36;

/// A recording of lines, each printed at its time.
pub fn recording(title: &str, lines: &[(Time, String)]) -> String {
    let header = json!({"version": 2, "width": WIDTH, "height": HEIGHT, "title": title, "env": {"TERM": "xterm-256color"}});
    let mut out = format!("{header}\n");
    let (mut shown, mut last) = (0, 0);
    for (time, line) in lines {
        let now = time.as_nanos() / 1_000_000;
        shown += now.saturating_sub(last).min(LONGEST);
        last = last.max(now);
        let text = json!(format!("{}\r\n", line.replace('\n', "\r\n")));
        out += &format!("[{}.{:03}, \"o\", {text}]\n", shown / 1000, shown % 1000);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_cut() {
        let at = |millis: u64| Time::from_nanos(millis * 1_000_000);
        let lines = [(at(0), "a".to_owned()), (at(250), "b\nc".to_owned()), (at(90_000), "d".to_owned())];
        let text = recording("t", &lines);
        let events: Vec<serde_json::Value> =
            text.lines().skip(1).map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(events[0], json!([0.0, "o", "a\r\n"]));
        assert_eq!(events[1], json!([0.25, "o", "b\r\nc\r\n"]));
        assert_eq!(events[2], json!([1.25, "o", "d\r\n"]));
    }
}
