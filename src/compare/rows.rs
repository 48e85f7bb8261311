//! The rows of the table, each read off what was observed, with the moments that show it.
//!
//! Every function here takes one run and knows not which of the two it is.
use crate::compare::effects::{Replaced, Segment, costs, segments, served};
use crate::compare::observe::{Life, Observed, Wish};
use crate::compare::{Cell, Moment, Row};
use crate::kernel::{Duration, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Moments shown for one cell, at most.
const SHOWN: usize = 4;

/// All rows that say something about at least one of the runs.
pub fn rows(set: &Observed, twin: &Observed) -> Vec<Row> {
    let all: [(&'static str, fn(&Observed) -> Option<Cell>); 8] = [
        ("Pod names", names),
        ("Scaling", scaling),
        ("Storage", storage),
        ("Network identity", network),
        ("Replacement", replacement),
        ("Rolling update", rollout),
        ("Data", data),
        ("Use case", use_case),
    ];
    let unseen = || Cell { word: "not seen".into(), ..Cell::default() };
    all.into_iter()
        .filter_map(|(feature, look)| match (look(set), look(twin)) {
            (None, None) => None,
            (set, twin) => {
                Some(Row { feature, set: set.unwrap_or_else(unseen), twin: twin.unwrap_or_else(unseen) })
            }
        })
        .collect()
}

fn at(time: Time, what: String) -> Moment {
    Moment { time, what }
}

/// `a, b and c`, the rest counted.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] if names.len() <= 4 => format!("{} and {last}", first.join(", ")),
        [a, b, c, rest @ ..] => format!("{a}, {b}, {c} and {} more", rest.len()),
        _ => names.join(" and "),
    }
}

fn plural(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

/// The number that a name adds to the workload's, as a StatefulSet would.
fn number(life: &Life, run: &Observed) -> Option<u32> {
    let suffix = life.name.strip_prefix(run.name.as_str())?.strip_prefix('-')?;
    suffix.parse::<u32>().ok().filter(|number| number.to_string() == suffix)
}

/// All pairs of a run.
fn replaced(run: &Observed) -> Vec<(Replaced, bool)> {
    let all = segments(run);
    let pairs = all.iter().flat_map(|segment| segment.pairs.iter().map(move |pair| (*pair, segment.rollout)));
    pairs.filter_map(|(pair, rollout)| Some((Replaced::of(run, pair)?, rollout))).collect()
}

// ---- Names -------------------------------------------------------------------------------------------------------------

/// Whether the names of pods form a sequence.
fn names(run: &Observed) -> Option<Cell> {
    let mut distinct: Vec<&str> = Vec::new();
    for life in &run.lives {
        if !distinct.contains(&life.name.as_str()) {
            distinct.push(&life.name);
        }
    }
    if distinct.is_empty() {
        return None;
    }
    let numbers: Option<BTreeSet<u32>> = run.lives.iter().map(|life| number(life, run)).collect();
    let word = match &numbers {
        None => "random".to_owned(),
        Some(numbers) => {
            let (first, last) = (numbers.first().copied()?, numbers.last().copied()?);
            let gaps = numbers.len() as u64 != u64::from(last - first) + 1;
            let from = if first == 0 { String::new() } else { format!(", from {first}") };
            format!("{}{from}", if gaps { "numbered, with gaps" } else { "ordered" })
        }
    };
    let shown = run.lives.iter().take(SHOWN).map(|life| at(life.created, format!("{} created", life.name)));
    Some(Cell { word, detail: listed(&distinct), shown: shown.collect() })
}

// ---- Scaling -----------------------------------------------------------------------------------------------------------

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

fn scaling(run: &Observed) -> Option<Cell> {
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

// ---- Storage -----------------------------------------------------------------------------------------------------------

/// Whether pods have claims of their own.
fn storage(run: &Observed) -> Option<Cell> {
    let pods: BTreeSet<&str> = run.lives.iter().map(|life| life.name.as_str()).collect();
    if pods.is_empty() {
        return None;
    }
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for life in &run.lives {
        for claim in &life.claims {
            users.entry(claim).or_default().insert(&life.name);
        }
    }
    let volumes: BTreeSet<&str> =
        run.lives.iter().flat_map(|life| &life.volumes).map(String::as_str).collect();
    let own = users.values().filter(|pods| pods.len() == 1).count();
    let word = match (own, users.len() - own) {
        (0, 0) => "none",
        (_, 0) if pods.len() == 1 => "one claim",
        (_, 0) => "per-pod claim",
        (0, _) => "shared claim",
        _ => "per-pod and shared claims",
    };
    let detail = match users.is_empty() {
        true => "what a pod has written is gone with it".to_owned(),
        false => {
            format!(
                "{}, {}, {}",
                plural(pods.len(), "pod"),
                plural(users.len(), "claim"),
                plural(volumes.len(), "volume")
            ) + &without(run)
        }
    };
    let mut told: BTreeSet<&str> = BTreeSet::new();
    let first = run.lives.iter().filter(|life| !life.claims.is_empty() && told.insert(&life.name));
    let shown = first.take(SHOWN).map(|life| {
        let claims = life.claims.join(", ");
        match (life.ready, life.volumes.is_empty()) {
            (Some(ready), false) => {
                at(ready, format!("{} has {claims} on {}", life.name, life.volumes.join(", ")))
            }
            _ => at(life.created, format!("{} created; it never mounted {claims}", life.name)),
        }
    });
    let mut shown: Vec<Moment> = shown.collect();
    shown.sort_by_key(|moment| moment.time);
    Some(Cell { word: word.to_owned(), detail, shown })
}

/// Pods that never had their volumes.
fn without(run: &Observed) -> String {
    let without = run.lives.iter().filter(|life| !life.claims.is_empty() && life.volumes.is_empty()).count();
    if without == 0 { String::new() } else { format!("; {} never mounted it", plural(without, "pod")) }
}

// ---- Network -----------------------------------------------------------------------------------------------------------

/// Whether DNS names outlive pods.
fn network(run: &Observed) -> Option<Cell> {
    let dns: BTreeSet<&str> = run.lives.iter().flat_map(|life| &life.dns).map(String::as_str).collect();
    let first = *dns.first()?;
    let pairs: Vec<Replaced> =
        replaced(run).into_iter().map(|(pair, _)| pair).filter(|pair| !pair.ips.1.is_empty()).collect();
    let kept = pairs.iter().filter(|pair| pair.same_dns).count();
    if pairs.is_empty() {
        let by_name = run
            .lives
            .iter()
            .all(|life| life.dns.iter().all(|name| name.split('.').next() == Some(&life.name)));
        let word = if by_name { "DNS by pod name" } else { "DNS by address" };
        return Some(Cell {
            word: word.into(),
            detail: format!("{first}; no pod was replaced"),
            shown: Vec::new(),
        });
    }
    let same_ip = pairs.iter().filter(|pair| pair.ips.0 == pair.ips.1).count();
    let word = match kept {
        0 => "random",
        n if n == pairs.len() => "stable DNS",
        _ => "partly stable DNS",
    };
    let addresses = match same_ip {
        0 => "the address is new each time".to_owned(),
        n => format!("{n} kept the address"),
    };
    let detail = format!("{kept} of {} replaced pods kept the DNS name; {addresses}", pairs.len());
    let shown = pairs.iter().take(SHOWN).map(|pair| {
        let life = run.lives.iter().find(|life| life.name == pair.names.1 && life.created == pair.created);
        let name = life.and_then(|life| life.dns.first()).map_or("no DNS name", String::as_str);
        let ready = life.and_then(|life| life.ready).unwrap_or(pair.created);
        let kept = if pair.same_dns { "again" } else { "for the first time" };
        at(ready, format!("{name} {kept}: {} was {}", pair.ips.1, pair.ips.0))
    });
    let mut shown: Vec<Moment> = shown.collect();
    shown.sort_by_key(|moment| moment.time);
    Some(Cell { word: word.into(), detail, shown })
}

// ---- Replacement -------------------------------------------------------------------------------------------------------

/// A lost pod comes back as whom, and when.
fn replacement(run: &Observed) -> Option<Cell> {
    let all = segments(run);
    let pairs: Vec<Replaced> =
        replaced(run).into_iter().filter(|(_, rollout)| !rollout).map(|(pair, _)| pair).collect();
    let missing: Vec<&Life> = all
        .last()
        .into_iter()
        .flat_map(|segment| &segment.missing)
        .filter_map(|n| run.lives.get(*n))
        .collect();
    if pairs.is_empty() {
        let life = missing.first()?;
        let detail = format!("{} left, and nobody came", listed(&[&life.name]));
        let shown = life.left().map(|time| at(time, format!("{} left", life.name)));
        return Some(Cell { word: "none".into(), detail, shown: shown.into_iter().collect() });
    }
    let same = pairs.iter().filter(|pair| pair.same_name()).count();
    let beside = pairs.iter().filter(|pair| pair.beside).count();
    let as_whom = match same {
        0 => "another name",
        n if n == pairs.len() => "same name",
        _ => "same or other name",
    };
    let when = match beside {
        0 => "when the old pod is gone",
        n if n == pairs.len() => "at once",
        _ => "mostly at once",
    };
    let longest = pairs.iter().filter_map(|pair| Some(pair.created - pair.left?)).max();
    let waits = longest.map_or_else(String::new, |longest| format!(", {} at most", after_it(longest)));
    let detail = format!(
        "{same} of {} with the old name, {beside} while the old pod was still there{waits}",
        pairs.len()
    );
    let shown = pairs.iter().take(SHOWN).map(|pair| {
        let wait = pair.left.map_or_else(String::new, |left| format!(", {}", after(pair.created - left)));
        at(pair.created, format!("{} created{wait} {} left", pair.names.1, pair.names.0))
    });
    Some(Cell { word: format!("{as_whom}, {when}"), detail, shown: shown.collect() })
}

// ---- Rolling updates ---------------------------------------------------------------------------------------------------

/// In which order pods are replaced when the template changes, and how many serve meanwhile.
fn rollout(run: &Observed) -> Option<Cell> {
    let all = segments(run);
    let rollouts = || all.iter().filter(|segment| segment.rollout);
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
    let one_by_one = pairs.windows(2).all(|two| match two {
        [a, b] => run
            .lives
            .iter()
            .find(|life| life.name == a.names.1 && life.created == a.created)
            .is_some_and(|life| life.ready.is_some_and(|ready| b.left.is_some_and(|left| ready <= left))),
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
    let new: BTreeSet<&str> = segment
        .pairs
        .iter()
        .map(|pair| pair.after)
        .chain(segment.added.iter().copied())
        .filter_map(|n| run.lives.get(n))
        .map(|life| life.revision.as_str())
        .collect();
    let living = run
        .lives
        .iter()
        .filter(|life| life.created < segment.to && life.left().is_none_or(|left| left >= segment.to));
    living.filter(|life| !new.contains(life.revision.as_str())).count()
}

// ---- Data --------------------------------------------------------------------------------------------------------------

/// What came of databases; without one, of volumes.
fn data(run: &Observed) -> Option<Cell> {
    if run.databases.is_empty() {
        return None;
    }
    let lost: u64 = run.databases.iter().map(|(_, facts)| facts.lost_writes).sum();
    let acknowledged: u64 = run.databases.iter().map(|(_, facts)| facts.acknowledged).sum();
    let down = run.databases.iter().map(|(_, facts)| facts.downtime).max().unwrap_or(Duration::ZERO);
    let word = match (lost, acknowledged) {
        (0, 0) => "nothing was written".to_owned(),
        (0, _) => "nothing lost".to_owned(),
        (lost, all) if lost == all => "all lost".to_owned(),
        (lost, _) => format!("{lost} writes lost"),
    };
    let detail =
        format!("{lost} of {acknowledged} acknowledged writes are lost; no writes for {}", told(down));
    let costs = run.marks.iter().enumerate().filter_map(|(n, mark)| {
        let costs = costs(run, mark, run.marks.get(n + 1));
        let lost: u64 = costs.iter().map(|cost| cost.lost).sum();
        let down = costs.iter().map(|cost| cost.down).max().unwrap_or(Duration::ZERO);
        let worth = lost > 0 || down > Duration::ZERO;
        worth.then(|| {
            at(mark.time, format!("{}: {lost} writes lost, none possible for {}", mark.title, told(down)))
        })
    });
    Some(Cell { word, detail, shown: costs.take(SHOWN).collect() })
}

// ---- What it is good for -----------------------------------------------------------------------------------------------

/// What kind of application this behaviour suits, judged by what replaced pods had kept.
fn use_case(run: &Observed) -> Option<Cell> {
    if run.lives.is_empty() {
        return None;
    }
    let pairs: Vec<Replaced> = replaced(run).into_iter().map(|(pair, _)| pair).collect();
    if pairs.is_empty() {
        let detail = "no pod was replaced in this run".to_owned();
        return Some(Cell { word: "cannot be told".into(), detail, shown: Vec::new() });
    }
    let all = pairs.len();
    let named = pairs.iter().filter(|pair| pair.same_name()).count();
    let kept = pairs.iter().filter(|pair| pair.same_volumes == Some(true)).count();
    let lost: u64 = run.databases.iter().map(|(_, facts)| facts.lost_writes).sum();
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for life in &run.lives {
        for volume in &life.volumes {
            users.entry(volume).or_default().insert(&life.name);
        }
    }
    let own = !users.is_empty() && users.values().all(|pods| pods.len() == 1);
    let word = match (named == all, kept == all, own) {
        (true, true, true) => "databases, queues",
        (true, true, false) => "members with names and shared data",
        (true, false, _) => "members with names, data elsewhere",
        (false, true, _) => "stateless apps over a shared volume",
        (false, false, _) => "stateless apps",
    };
    let spoilt = if lost > 0 { format!("; but {lost} acknowledged writes were lost") } else { String::new() };
    let detail =
        format!("{} replaced: {named} kept the name, {kept} kept the data{spoilt}", plural(all, "pod"));
    Some(Cell { word: word.into(), detail, shown: Vec::new() })
}

/// So long after the old one left.
fn after_it(span: Duration) -> String {
    if span < Duration::from_millis(100) {
        "at once".to_owned()
    } else {
        format!("{} after it left", told(span))
    }
}

/// So long after something.
pub fn after(span: Duration) -> String {
    if span < Duration::from_millis(100) { "as soon as".to_owned() } else { format!("{} after", told(span)) }
}

/// A span in words.
pub fn told(span: Duration) -> String {
    let millis = span.as_nanos() / 1_000_000;
    let (minutes, millis) = (millis / 60_000, millis % 60_000);
    let seconds = format!("{}.{}s", millis / 1000, millis % 1000 / 100);
    match minutes {
        0 => seconds,
        _ => format!("{minutes}m{:02}s", millis / 1000),
    }
}
