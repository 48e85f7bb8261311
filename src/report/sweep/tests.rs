use super::*;
use crate::sweep::part;
use crate::sweep::part::Header;
use crate::sweep::{Ending, Sample, Tally};

/// A hundred runs that take n milliseconds each; the last one fails.
fn played(name: &str) -> Part {
    let measures = vec![("downtime".to_owned(), Unit::Time), ("same".to_owned(), Unit::Count)];
    let header = Header {
        version: "0.1.0".into(),
        scenario: name.into(),
        file: "a b.yaml".into(),
        input: "00".into(),
        seed: 7,
        runs: 100,
        options: vec!["--set".into(), "x=1".into()],
        measures,
        sometimes: vec![1],
    };
    let mut tally =
        Tally::new(vec!["always up".into(), "gets there".into()], vec!["downtime".into(), "same".into()]);
    for run in 0..100_i64 {
        let fails = run == 99;
        tally.add(
            run.unsigned_abs(),
            &Sample {
                ending: if fails { Ending::Failed } else { Ending::Held },
                events: 10,
                failures: fails.then_some(0).into_iter().collect(),
                shown: Vec::new(),
                values: vec![Some(run * 1_000_000), Some(4)],
            },
        );
    }
    let mut part = Part::new(
        header,
        0..100,
        Tally::new(vec!["always up".into(), "gets there".into()], vec!["downtime".into(), "same".into()]),
    );
    part.take(0..100, &tally).expect("nothing twice");
    part::merge(&[part], false).expect("complete").expect("a part")
}

#[test]
fn the_text_says_how_often_and_how_to_see_it() {
    let part = played("drill");
    let limit = Threshold::read("downtime p99 <= 50ms", &part.header.measures).expect("a threshold");
    let text = text(&part, &[limit]);
    for told in [
        "drill: 100 runs, seed 7",
        "held       99.00 % (94.55 % to 99.82 %)",
        "FAIL always up: in 1.00 %",
        &format!("run 99: stsim run 'a b.yaml' --set 'x=1' --seed {}", seed_of(7, 99)),
        "FAIL gets there: in no run, and one would be enough",
        "FAIL  downtime p99 <= 50ms   is 98ms",
        "downtime 99ms in run 99: stsim run",
    ] {
        assert!(text.contains(told), "{told} is not in\n{text}");
    }
    assert!(!text.contains("same 4 in run"), "where all are the same none is the worst");
}

#[test]
fn what_is_printed_is_read_again() {
    let part = played("drill");
    let json = json(&part, &[]);
    assert_eq!(json["measures"][0]["quantiles"]["p99"]["value"], 98_000_000);
    assert_eq!(json["checks"][0]["first"][0]["run"], 99);
    let lines: Vec<Value> =
        jsonl(&part).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.iter().map(|line| line["runs"].as_u64().unwrap_or(0)).sum::<u64>(), 200);
    assert_eq!(csv(&part).lines().count(), 1 + lines.len());
    assert_eq!(cell("=1+\"x\"\n"), "\"'=1+\"\"x\"\"\\n\"");
}

#[test]
fn a_page_has_no_markup_of_others() {
    let page = html(&played("<script>alert(1)</script>\u{202e}"), &[]);
    assert!(!page.contains("<script") && !page.contains('\u{202e}'), "{page}");
    assert!(page.contains("&#60;script&#62;") && page.matches("<svg").count() == 1);
    assert!(page.contains("4 in all 100 runs"));
}
