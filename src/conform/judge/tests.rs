//! The judge must not be lenient: an altered trace has to fail.
use super::*;
use crate::conform::observe::Event;
use serde_json::json;

fn agreed() -> AgreedSegment {
    let events = ["pod/web-0 created", "pod/web-0 ready", "pod/web-1 created"];
    AgreedSegment {
        events: events.iter().map(|event| ((*event).to_owned(), 1)).collect(),
        sometimes: [("pod/web-1 created".to_owned(), 1)].into(),
        order: vec![("pod/web-0 ready".into(), "pod/web-1 created".into())],
        settled: json!({"pods": {"web-0": {"phase": "Running", "ready": true}}}),
        commands: vec![AgreedCommand { exit: Some(0), stdout: Some("scaled\n".into()), stderr: None }],
        reasons: [("Pod/web-0".to_owned(), vec!["Scheduled".to_owned()])].into(),
        ..AgreedSegment::default()
    }
}

fn ours() -> Segment {
    let event = |n, text: &str| Event { text: text.into(), revision: Revision(n), derived: false };
    Segment {
        events: vec![
            event(1, "pod/web-0 created"),
            event(2, "pod/web-0 ready"),
            event(3, "pod/web-1 created"),
        ],
        outputs: vec![Output { stdout: "scaled\n".into(), ..Output::default() }],
        settled: json!({"pods": {"web-0": {"phase": "Running", "ready": true, "node": "node-a"}}}),
        reasons: [("Pod/web-0".to_owned(), vec!["Scheduled".to_owned()])].into(),
    }
}

fn judged(expected: &AgreedSegment, ours: &Segment) -> Result<(), Found> {
    compare_segment(expected, ours, Timing::Recorded)
}

#[test]
fn drawn_timings_are_no_excuse_but_for_what_is_derived() {
    let (mut expected, mut segment) = (agreed(), ours());
    expected.order.push(("pod/web-1 created".into(), "endpoints/web [web-0:RS]".into()));
    let endpoints = Event { text: "endpoints/web [web-0:RS]".into(), revision: Revision(0), derived: true };
    segment.events.insert(2, endpoints);
    assert!(compare_segment(&expected, &segment, Timing::Recorded).is_err());
    compare_segment(&expected, &segment, Timing::Drawn).unwrap();
    segment.events.swap(1, 3);
    let (found, _) = compare_segment(&expected, &segment, Timing::Drawn).unwrap_err();
    assert!(found.contains("`pod/web-1 created` came before `pod/web-0 ready`"), "{found}");
}

#[test]
fn a_run_that_agrees_passes() {
    judged(&agreed(), &ours()).unwrap();
}

#[test]
fn sometimes_widens_the_bound() {
    let mut segment = ours();
    segment.events.push(segment.events[2].clone());
    judged(&agreed(), &segment).unwrap();
    segment.events.push(segment.events[2].clone());
    assert!(judged(&agreed(), &segment).unwrap_err().0.contains("happened 3 times"));
}

#[test]
fn every_alteration_fails() {
    type Alteration = (&'static str, fn(&mut Segment), &'static str);
    let alterations: [Alteration; 8] = [
        ("an event dropped", |s| drop(s.events.remove(1)), "at least 1"),
        ("two swapped", |s| s.events.swap(1, 2), "came before"),
        ("an extra event", |s| s.events[0].text = "pod/web-9 created".into(), "recorded never"),
        ("a field changed", |s| s.settled["pods"]["web-0"]["ready"] = json!(false), "has ready = false"),
        ("an extra pod", |s| s.settled["pods"]["web-9"] = json!({}), "was not recorded"),
        ("a pod missing", |s| s.settled = json!({}), "there is no pods/web-0"),
        ("another exit status", |s| s.outputs[0].exit = 1, "exited with 1"),
        ("a reason missing", |s| s.reasons.clear(), "no Event Scheduled"),
    ];
    for (name, alter, message) in alterations {
        let mut segment = ours();
        alter(&mut segment);
        let (found, _) = judged(&agreed(), &segment).expect_err(name);
        assert!(found.contains(message), "{name}: {found}");
    }
}

#[test]
fn pods_of_replica_sets_are_counted_together_where_runs_chose_different_ones() {
    let mut expected = AgreedSegment::default();
    expected.events.insert("pod/web-rs-1-* created".into(), 2);
    let event = |text: &str| Event { text: text.into(), revision: Revision(1), derived: false };
    let mut segment = Segment { settled: json!({}), ..Segment::default() };
    segment.events = vec![event("pod/web-rs-1-#1 created"), event("pod/web-rs-1-#2 created")];
    judged(&expected, &segment).unwrap();
    segment.events.pop();
    assert!(judged(&expected, &segment).is_err());
}

#[test]
fn ages_in_outputs_may_be_any() {
    let same = |recorded: &str, ours: &str| same_text(recorded, ours);
    assert!(same("pod \"a\" deleted\n", "pod \"a\" deleted from default namespace\n"));
    assert!(same("reached: <age>\npod/a", "reached: 3s\npod/a\n"));
    assert!(!same("reached: <age>\npod/a", "reached: \npod/a\n"));
    assert!(!same("reached: <age>\npod/a", "reached: 3s\npod/b\n"));
    assert!(!same("reached: <age>", "reached: 3s more"));
}

#[test]
fn under_drawn_timings_steps_of_a_replica_set_may_be_taken_together_but_not_left_out() {
    let mut expected = AgreedSegment::default();
    for step in ["rs/web-rs-1 scaled 3->2", "rs/web-rs-1 scaled 2->1"] {
        expected.events.insert(step.into(), 1);
    }
    let segment = |texts: &[&str]| Segment {
        events: texts
            .iter()
            .map(|text| Event { text: (*text).into(), revision: Revision(1), derived: false })
            .collect(),
        settled: json!({}),
        ..Segment::default()
    };
    let together = segment(&["rs/web-rs-1 scaled 3->1"]);
    compare_segment(&expected, &together, Timing::Drawn).unwrap();
    assert!(compare_segment(&expected, &together, Timing::Recorded).is_err());
    for wrong in
        [&["rs/web-rs-1 scaled 3->2"][..], &["rs/web-rs-1 scaled 3->0"], &["rs/web-rs-1 scaled 1->3"]]
    {
        assert!(compare_segment(&expected, &segment(wrong), Timing::Drawn).is_err(), "{wrong:?}");
    }
}

#[test]
fn under_drawn_timings_only_a_repeated_attempt_of_the_scheduler_may_go_unseen() {
    let mut expected = agreed();
    expected.reasons = [("Pod/web-0".to_owned(), vec!["FailedScheduling".to_owned()])].into();
    assert!(judged(&expected, &ours()).is_err());
    compare_segment(&expected, &ours(), Timing::Drawn).unwrap();
    expected.events.insert("pod/web-0 unschedulable".into(), 1);
    let mut segment = ours();
    segment
        .events
        .insert(0, Event { text: "pod/web-0 unschedulable".into(), revision: Revision(0), derived: false });
    assert!(compare_segment(&expected, &segment, Timing::Drawn).is_err());
}
