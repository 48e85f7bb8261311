//! The order in which pods come and go: one after another or at once, old or new first.
use super::{SHOWN, after, at, listed, number, plural, told};
use crate::compare::effects::{Replaced, Segment, segments, served};
use crate::compare::seen::{Life, Observed, Wish};
use crate::compare::{Cell, Moment};
use crate::kernel::{Duration, Time};
use std::collections::BTreeSet;

/// How several pods came or went: one after another, or not.
struct Course {
    sequential: bool,
    detail: String,
    shown: Vec<Moment>,
}

/// Spans in which the number of pods was changed, with what was asked for: the beginning is growth from nothing.
fn changes(run: &Observed) -> Vec<(Time, Time, usize, usize)> {
    let mut all: Vec<(Time, usize, usize)> = Vec::new();
    if let Some(first) = run.lives.first() {
        let level = run.levels.iter().rev().find(|level| level.time <= first.created);
        all.push((first.created, 0, level.map_or(0, |level| level.wanted)));
    }
    for (time, wish) in &run.wishes {
        if let Wish::Scale(from, to) = wish {
            all.push((*time, *from, *to));
        }
    }
    let mut spans = Vec::new();
    for (n, (from, before, after)) in all.iter().enumerate() {
        let marks = run.marks.iter().map(|mark| mark.time).filter(|time| time > from);
        let wishes = all.iter().skip(n + 1).map(|(time, ..)| *time);
        let to = marks.chain(wishes).min().unwrap_or(run.end + Duration::from_nanos(1));
        spans.push((*from, to, *before, *after));
    }
    spans
}

/// How pods came: was one created while another was not ready yet?
fn growth(run: &Observed) -> Option<Course> {
    let mut course: Option<Course> = None;
    for (from, to, before, after) in changes(run).into_iter().filter(|(_, _, before, after)| after > before) {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let new = run.lives.iter().filter(|life| life.created >= from && life.created < to);
        let new: Vec<&Life> = new.filter(|life| seen.insert(&life.name)).take(after - before).collect();
        for (n, life) in new.iter().enumerate().skip(1) {
            let waiting =
                new.iter().take(n).find(|other| other.ready.is_none_or(|ready| ready > life.created));
            let earlier = new.get(n - 1)?;
            let (sequential, detail, shown) = match waiting {
                Some(other) => {
                    let early = match other.ready {
                        Some(ready) => {
                            at(ready, format!("{} ready, {} later", other.name, told(ready - life.created)))
                        }
                        None => at(to.min(run.end), format!("{} still not ready", other.name)),
                    };
                    let made =
                        at(life.created, format!("{} created, {} not ready yet", life.name, other.name));
                    (false, "pods are created without waiting for one another", vec![made, early])
                }
                None => {
                    let ready = earlier.ready.map(|ready| at(ready, format!("{} ready", earlier.name)));
                    let made = at(life.created, format!("{} created", life.name));
                    let shown = ready.into_iter().chain([made]).collect();
                    (true, "each pod is created when the one before is ready", shown)
                }
            };
            // One pair that does not wait is enough.
            if course.as_ref().is_none_or(|course| course.sequential && !sequential) {
                course = Some(Course { sequential, detail: detail.to_owned(), shown });
            }
        }
        // One that never became ready, and nobody after it.
        if let Some(last) = new.last()
            && new.len() < after - before
            && last.ready.is_none_or(|ready| ready >= to)
            && last.left().is_none_or(|left| left >= to)
            && course.is_none()
        {
            let shown = vec![at(
                last.created,
                format!("{} created; it did not become ready, and no other was created", last.name),
            )];
            course = Some(Course {
                sequential: true,
                detail: "no pod is created before the one before is ready".into(),
                shown,
            });
        }
    }
    course
}

/// How pods went: was one told to go before another was gone?
fn shrinkage(run: &Observed) -> Option<Course> {
    let mut course: Option<Course> = None;
    for (from, to, ..) in changes(run).into_iter().filter(|(_, _, before, after)| after < before) {
        let mut going: Vec<(Time, &Life)> = run
            .lives
            .iter()
            .filter_map(|life| Some((life.deleting?, life)))
            .filter(|(time, _)| *time >= from && *time < to)
            .collect();
        going.sort_by_key(|(time, _)| *time);
        let order: Vec<&str> = going.iter().map(|(_, life)| life.name.as_str()).collect();
        for (n, (time, life)) in going.iter().enumerate().skip(1) {
            let present = going.iter().take(n).find(|(_, other)| other.gone.is_none_or(|gone| gone > *time));
            let (_, earlier) = going.get(n - 1)?;
            let (sequential, detail, shown) = match present {
                Some((_, other)) => {
                    let made = at(*time, format!("{} deleted, {} not gone yet", life.name, other.name));
                    (false, format!("{} go at once", listed(&order)), vec![made])
                }
                None => {
                    let gone = earlier.gone.map(|gone| at(gone, format!("{} gone", earlier.name)));
                    let made = at(*time, format!("{} deleted", life.name));
                    (
                        true,
                        format!("{} go one after another", listed(&order)),
                        gone.into_iter().chain([made]).collect(),
                    )
                }
            };
            if course.as_ref().is_none_or(|course| course.sequential && !sequential) {
                course = Some(Course { sequential, detail, shown });
            }
        }
    }
    course
}

pub(super) fn scaling(run: &Observed) -> Option<Cell> {
    let word = |course: &Course| if course.sequential { "sequential" } else { "parallel" };
    let (up, down) = (growth(run), shrinkage(run));
    let together = match (&up, &down) {
        (None, None) => {
            let detail = "no more than one pod came or went at a time".to_owned();
            let word = "nothing to order".to_owned();
            return (!run.lives.is_empty()).then_some(Cell { word, detail, shown: Vec::new() });
        }
        (Some(up), Some(down)) if word(up) != word(down) => format!("up {}, down {}", word(up), word(down)),
        (Some(one), _) | (None, Some(one)) => word(one).to_owned(),
    };
    let both = || up.iter().chain(&down);
    let details: Vec<&str> = both().map(|course| course.detail.as_str()).collect();
    let shown = both().flat_map(|course| course.shown.iter().cloned()).take(SHOWN);
    Some(Cell { word: together, detail: details.join("; "), shown: shown.collect() })
}

// ---- Rolling updates -----------------------------------------------------------------------------------------------

/// In which order pods are replaced when the template changes, and how many serve meanwhile.
pub(super) fn rollout(run: &Observed) -> Option<Cell> {
    let all = segments(run);
    let rollouts = || all.iter().filter(|segment| segment.rolls.is_some());
    let segment = rollouts().find(|segment| !segment.pairs.is_empty()).or_else(|| rollouts().next())?;
    let pairs: Vec<Replaced> = segment.pairs.iter().filter_map(|pair| Replaced::of(run, *pair)).collect();
    let before = pairs.iter().filter(|pair| pair.left.is_none_or(|left| pair.created < left)).count();
    let counted = served(run, segment.from, segment.to);
    let within = run.levels.iter().filter(|level| level.time >= segment.from && level.time < segment.to);
    let most = within.map(|level| level.living).max().unwrap_or(0);
    let lives = segment.pairs.iter().filter_map(|pair| run.lives.get(pair.before));
    let mut leaving: Vec<&Life> = lives.collect();
    leaving.sort_by_key(|life| life.left());
    let numbers: Option<Vec<u32>> = leaving.iter().map(|life| number(life, run)).collect();
    let falling = numbers.is_some_and(|numbers| numbers.len() > 1 && numbers.is_sorted_by(|a, b| a > b));
    let begins = |pair: &Replaced| pair.left.map_or(pair.created, |left| left.min(pair.created));
    let ready = |pair: &Replaced| {
        let life = run.lives.iter().find(|life| life.name == pair.names.1 && life.created == pair.created);
        life.and_then(|life| life.ready)
    };
    let one_by_one = pairs.windows(2).all(|two| match two {
        [a, b] => ready(a).is_some_and(|ready| ready <= begins(b)),
        _ => true,
    });
    let order = match (falling, one_by_one && pairs.len() > 1) {
        (true, true) => ", one by one, highest first",
        (true, false) => ", highest first",
        (false, true) => ", one by one",
        (false, false) => "",
    };
    let stuck = old_ones(run, segment);
    let word = match before {
        _ if pairs.is_empty() => "no pod replaced".to_owned(),
        0 => format!("old pod first{order}"),
        n if n == pairs.len() => format!("new pod first{order}"),
        n => format!("{n} of {} new pods first{order}", pairs.len()),
    };
    let word = if stuck > 0 { format!("{word}; not finished") } else { word };
    let names: Vec<&str> = leaving.iter().map(|life| life.name.as_str()).collect();
    let went = match (names.is_empty(), stuck) {
        (true, _) => format!("{} of the old version left", plural(stuck, "pod")),
        (false, 0) => format!("{} go", listed(&names)),
        (false, _) => format!("{} go, {} of the old version left", listed(&names), plural(stuck, "pod")),
    };
    let detail = format!(
        "{went}; at least {} of {} serve, at most {} at once",
        counted.least,
        counted.wanted,
        plural(most, "pod")
    );
    let new = segment.added.iter().filter_map(|n| run.lives.get(*n));
    let new = new.map(|life| {
        let so = life.ready.map_or_else(
            || "never ready".to_owned(),
            |ready| format!("ready {} later", told(ready - life.created)),
        );
        at(life.created, format!("{} created; {so}", life.name))
    });
    let shown = pairs.iter().take(SHOWN).map(|pair| {
        let old = match pair.left {
            Some(left) if left <= pair.created => {
                format!("{} {} left", after(pair.created - left), pair.names.0)
            }
            Some(left) => format!("{} left {} later", pair.names.0, told(left - pair.created)),
            None => format!("{} never left", pair.names.0),
        };
        at(pair.created, format!("{} created, {old}", pair.names.1))
    });
    Some(Cell { word, detail, shown: shown.chain(new).take(SHOWN).collect() })
}

/// Pods made of an older template than the newest that live when a rollout ends.
fn old_ones(run: &Observed, segment: &Segment) -> usize {
    let since = segment.rolls.unwrap_or(segment.from);
    let made = run.lives.iter().filter(|life| life.created >= since && life.created < segment.to);
    let new: BTreeSet<&str> = made.map(|life| life.revision.as_str()).collect();
    let living = run
        .lives
        .iter()
        .filter(|life| life.created < segment.to && life.left().is_none_or(|left| left >= segment.to));
    living.filter(|life| !new.contains(life.revision.as_str())).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::seen::testing::{Story, run};

    fn word(look: fn(&Observed) -> Option<Cell>, run: &Observed) -> String {
        look(run).map_or_else(|| "nothing".to_owned(), |cell| cell.word)
    }

    #[test]
    fn one_pod_that_does_not_wait_makes_it_parallel() {
        let pod = |name, from, ready| Story::pod(name, from).ready(ready);
        for (story, expected) in [
            (vec![pod("web-0", 0, 5), pod("web-1", 5, 9), pod("web-2", 10, 14)], "sequential"),
            (vec![pod("web-0", 0, 5), pod("web-1", 0, 6), pod("web-2", 0, 4)], "parallel"),
            (vec![pod("web-0", 0, 5), pod("web-1", 5, 9), pod("web-2", 8, 14)], "parallel"),
            (vec![Story::pod("web-0", 0).never()], "sequential"),
            (vec![Story::pod("web-0", 0).never(), pod("web-1", 1, 5)], "parallel"),
            (vec![], "nothing"),
        ] {
            assert_eq!(word(scaling, &run(3, &story)), expected);
        }
        assert_eq!(word(scaling, &run(1, &[pod("web-0", 0, 5)])), "nothing to order");
    }

    #[test]
    fn going_has_an_order_too() {
        let up = |name, from| Story::pod(name, from).ready(from + 1);
        let pods = |first: (u64, u64), second: (u64, u64)| {
            [up("web-0", 0), up("web-1", 2).left(second.0, second.1), up("web-2", 4).left(first.0, first.1)]
        };
        let scaled = |pods: &[Story]| {
            let mut run = run(3, pods);
            run.wishes.push((Time::from_secs(20), Wish::Scale(3, 1)));
            word(scaling, &run)
        };
        assert_eq!(scaled(&pods((20, 22), (22, 24))), "sequential");
        assert_eq!(scaled(&pods((20, 22), (20, 22))), "up sequential, down parallel");
    }

    #[test]
    fn a_rollout_is_told_by_who_goes_first() {
        let old = |name, left, gone| Story::pod(name, 0).revision("1").left(left, gone);
        let new = |name, from| Story::pod(name, from).ready(from + 2).revision("2");
        let rolled = |story: &[Story]| {
            let mut run = run(2, story);
            run.wishes.push((Time::from_secs(30), Wish::Template));
            word(rollout, &run)
        };
        let set = [old("web-0", 36, 37), old("web-1", 30, 31), new("web-1", 32), new("web-0", 38)];
        assert_eq!(rolled(&set), "old pod first, one by one, highest first");
        let rising = [old("web-0", 30, 31), old("web-1", 36, 37), new("web-0", 32), new("web-1", 38)];
        assert_eq!(rolled(&rising), "old pod first, one by one");
        let surge = [old("a", 33, 34), old("b", 33, 34), new("c", 30), new("d", 30)];
        assert_eq!(rolled(&surge), "new pod first");
        let stuck =
            [Story::pod("a", 0).revision("1"), Story::pod("b", 0).revision("1"), new("c", 30).never()];
        assert_eq!(rolled(&stuck), "no pod replaced; not finished");
        let half = [old("web-1", 30, 31), Story::pod("web-0", 0).revision("1"), new("web-1", 32)];
        assert_eq!(rolled(&half), "old pod first; not finished");
    }
}
