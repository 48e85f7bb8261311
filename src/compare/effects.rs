//! What each step or fault did to both workloads: which pods came, went and came back as whom, how many served
//! meanwhile, and what it cost the databases on top.
//!
//! A step's consequences last until the next step that changes something begins. A pod that is created takes the place of
//! an earlier pod of the same name; else, in a rollout, of one that leaves in it; else of one that has left before and has
//! nobody in its place. What comes without anybody having left is new.
use crate::compare::Effect;
use crate::compare::seen::{Life, Mark, MarkKey, Observed, Wish};
use crate::kernel::{Duration, Time};

/// A pod that took the place of another one: indexes of lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pair {
    /// Who left.
    pub before: usize,
    /// Who came.
    pub after: usize,
}

/// What happened from one mark to the next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Index of the mark.
    pub mark: usize,
    /// When it began.
    pub from: Time,
    /// When the next one began, or the run ended.
    pub to: Time,
    /// Who took whose place.
    pub pairs: Vec<Pair>,
    /// Who came in nobody's place.
    pub added: Vec<usize>,
    /// Who left for good, because fewer were wanted.
    pub removed: Vec<usize>,
    /// Who left and had nobody in his place when it ended.
    pub missing: Vec<usize>,
    /// Since when it was a rollout, if it was one.
    pub rolls: Option<Time>,
}

/// The segments of a run, in order.
pub fn segments(run: &Observed) -> Vec<Segment> {
    let mut departed: Vec<usize> = Vec::new();
    let mut taken = vec![false; run.lives.len()];
    let mut all = Vec::with_capacity(run.marks.len());
    for (mark, begun) in run.marks.iter().enumerate() {
        let from = begun.time;
        let next = run.marks.get(mark + 1).map(|next| next.time);
        let within = |time: Time| time >= from && next.is_none_or(|next| time < next);
        let wishes: Vec<(Time, Wish)> =
            run.wishes.iter().copied().filter(|(time, _)| within(*time)).collect();
        let rolls = wishes.iter().find(|(_, wish)| *wish == Wish::Template).map(|(time, _)| *time);
        let shrinks = wishes.iter().any(|(_, wish)| matches!(wish, Wish::Scale(from, to) if to < from));
        let leaving = |n: &usize| run.lives.get(*n).and_then(Life::left).is_some_and(within);
        let mut left: Vec<usize> = (0..run.lives.len()).filter(leaving).collect();
        left.sort_by_key(|n| run.lives.get(*n).and_then(Life::left));
        departed.extend(&left);
        let mut segment = Segment {
            mark,
            from,
            to: next.unwrap_or(run.end),
            pairs: Vec::new(),
            added: Vec::new(),
            removed: Vec::new(),
            missing: Vec::new(),
            rolls,
        };
        for (after, life) in run.lives.iter().enumerate().filter(|(_, life)| within(life.created)) {
            let namesake =
                (0..after).rev().find(|n| run.lives.get(*n).is_some_and(|old| old.name == life.name));
            let before = namesake.or_else(|| {
                departed.iter().copied().find(|n| {
                    let gone = run.lives.get(*n).and_then(Life::left);
                    !taken.get(*n).copied().unwrap_or(true)
                        && (rolls.is_some_and(|time| life.created >= time) && left.contains(n) && *n < after
                            || gone.is_some_and(|gone| gone <= life.created))
                })
            });
            match before {
                Some(before) => {
                    if let Some(taken) = taken.get_mut(before) {
                        *taken = true;
                    }
                    segment.pairs.push(Pair { before, after });
                }
                None => segment.added.push(after),
            }
        }
        departed.retain(|n| !taken.get(*n).copied().unwrap_or(true));
        if shrinks {
            segment.removed = left.into_iter().filter(|n| departed.contains(n)).collect();
            departed.retain(|n| !segment.removed.contains(n));
        } else {
            segment.missing = left.into_iter().filter(|n| departed.contains(n)).collect();
        }
        all.push(segment);
    }
    all
}

/// A pod and the one in its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replaced {
    /// Who left, and who came.
    pub names: (String, String),
    /// Their addresses.
    pub ips: (String, String),
    /// Their nodes.
    pub nodes: (String, String),
    /// When the first one was marked for deletion or over.
    pub left: Option<Time>,
    /// When the other one was created.
    pub created: Time,
    /// It was created before the object of the first one was gone.
    pub beside: bool,
    /// It has the DNS names of the first one.
    pub same_dns: bool,
    /// It has the volumes of the first one; None: the first one had none.
    pub same_volumes: Option<bool>,
}

impl Replaced {
    /// From a pair of lives.
    pub fn of(run: &Observed, pair: Pair) -> Option<Replaced> {
        let (before, after) = (run.lives.get(pair.before)?, run.lives.get(pair.after)?);
        let had = !before.volumes.is_empty();
        Some(Replaced {
            names: (before.name.clone(), after.name.clone()),
            ips: (before.ip.clone(), after.ip.clone()),
            nodes: (before.node.clone(), after.node.clone()),
            left: before.left(),
            created: after.created,
            beside: before.gone.is_none_or(|gone| after.created < gone),
            same_dns: !before.dns.is_empty() && before.dns == after.dns,
            same_volumes: had.then(|| {
                before.claims == after.claims && (after.volumes.is_empty() || before.volumes == after.volumes)
            }),
        })
    }

    /// It has the name of the first one.
    pub fn same_name(&self) -> bool {
        self.names.0 == self.names.1
    }
}

/// How many pods served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Served {
    /// The fewest at any time.
    pub least: usize,
    /// How many were wanted at the end.
    pub wanted: usize,
    /// How long fewer served than were wanted.
    pub short: Duration,
    /// How long none did although some were wanted.
    pub none: Duration,
    /// After how long as many served as were wanted, and went on to; None: not when it ended. Zero: all the time.
    pub whole: Option<Duration>,
}

/// What it cost a database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Its name.
    pub database: String,
    /// Acknowledged writes that are lost.
    pub lost: u64,
    /// Writes that failed.
    pub failed: u64,
    /// How long no writer got through.
    pub down: Duration,
    /// How long two instances accepted writes.
    pub two: Duration,
}

/// What came of a step in one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consequence {
    /// When it began.
    pub time: Time,
    /// What was done, as the scenario of this run says it.
    pub title: String,
    /// Pods or nodes it was aimed at.
    pub hits: Vec<String>,
    /// Who came in whose place.
    pub replaced: Vec<Replaced>,
    /// Names of pods that came in nobody's place.
    pub added: Vec<String>,
    /// Names of pods that were removed for good.
    pub removed: Vec<String>,
    /// Names of pods that left with nobody in their place.
    pub missing: Vec<String>,
    /// Pods that were there and not ready when it ended: name, and the last warning about it, if there was any.
    pub unready: Vec<(String, String)>,
    /// How many served.
    pub served: Served,
    /// What it cost.
    pub costs: Vec<Cost>,
}

impl Consequence {
    /// Nothing came of it.
    fn is_nothing(&self) -> bool {
        let still = self.served.short == Duration::ZERO && self.served.whole.is_some();
        let free = |cost: &Cost| cost.lost == 0 && cost.failed == 0 && cost.two == Duration::ZERO;
        self.replaced.is_empty()
            && self.added.is_empty()
            && self.removed.is_empty()
            && self.missing.is_empty()
            && still
            && self.costs.iter().all(free)
    }
}

/// How many served from one moment to another.
pub fn served(run: &Observed, from: Time, to: Time) -> Served {
    let begin = run.levels.partition_point(|level| level.time <= from).saturating_sub(1);
    let mut served = Served {
        least: usize::MAX,
        wanted: 0,
        short: Duration::ZERO,
        none: Duration::ZERO,
        whole: Some(Duration::ZERO),
    };
    for (n, level) in
        run.levels.iter().enumerate().skip(begin).take_while(|(n, level)| *n == begin || level.time < to)
    {
        let start = level.time.max(from);
        let end = run.levels.get(n + 1).map_or(to, |next| next.time.min(to)).max(start);
        served.least = served.least.min(level.serving);
        served.wanted = level.wanted;
        if level.serving >= level.wanted {
            served.whole = served.whole.or(Some(start - from));
            continue;
        }
        served.whole = None;
        served.short = served.short + (end - start);
        if level.serving == 0 {
            served.none = served.none + (end - start);
        }
    }
    if served.least == usize::MAX {
        served.least = 0;
    }
    served
}

/// What the time from one mark to the next, or to the end, cost each database.
pub fn costs(run: &Observed, mark: &Mark, next: Option<&Mark>) -> Vec<Cost> {
    let mut costs = Vec::new();
    for (n, (name, end)) in run.databases.iter().enumerate() {
        let Some(before) = mark.facts.get(n) else { continue };
        let after = next.and_then(|next| next.facts.get(n)).unwrap_or(end);
        let more = |a: Duration, b: Duration| Duration::from_nanos(a.as_nanos().saturating_sub(b.as_nanos()));
        costs.push(Cost {
            database: name.clone(),
            lost: after.lost_writes.saturating_sub(before.lost_writes),
            failed: after.failed_writes.saturating_sub(before.failed_writes),
            down: more(after.downtime, before.downtime),
            two: more(after.split_brain, before.split_brain),
        });
    }
    costs
}

fn consequence(run: &Observed, segment: &Segment) -> Option<Consequence> {
    let mark = run.marks.get(segment.mark)?;
    let names = |lives: &[usize]| {
        lives.iter().filter_map(|n| run.lives.get(*n)).map(|life| life.name.clone()).collect()
    };
    Some(Consequence {
        time: mark.time,
        title: mark.title.clone(),
        hits: mark.hits.clone(),
        replaced: segment.pairs.iter().filter_map(|pair| Replaced::of(run, *pair)).collect(),
        added: names(&segment.added),
        removed: names(&segment.removed),
        missing: names(&segment.missing),
        unready: unready(run, segment),
        served: served(run, segment.from, segment.to),
        costs: costs(run, mark, run.marks.get(segment.mark + 1)),
    })
}

/// Pods that live at the end of a segment and have never been ready until then.
fn unready(run: &Observed, segment: &Segment) -> Vec<(String, String)> {
    let present =
        |life: &&Life| life.created < segment.to && life.left().is_none_or(|left| left >= segment.to);
    let waiting = |life: &&Life| life.ready.is_none_or(|ready| ready >= segment.to);
    let lives = run.lives.iter().filter(present).filter(waiting);
    lives.map(|life| (life.name.clone(), life.trouble.clone())).collect()
}

/// What each step did to both.
pub fn effects(set: &Observed, twin: &Observed) -> Vec<Effect> {
    let of = |run: &Observed| -> Vec<(MarkKey, Consequence)> {
        let all = segments(run);
        all.iter().filter_map(|s| Some((run.marks.get(s.mark)?.key, consequence(run, s)?))).collect()
    };
    let (ours, theirs) = (of(set), of(twin));
    let mut keys: Vec<MarkKey> = ours.iter().map(|(key, _)| *key).collect();
    keys.extend(theirs.iter().map(|(key, _)| *key).filter(|key| !ours.iter().any(|(known, _)| known == key)));
    let mut effects = Vec::new();
    for key in keys {
        let find = |all: &[(MarkKey, Consequence)]| {
            all.iter().find(|(known, _)| *known == key).map(|(_, consequence)| consequence.clone())
        };
        let (set, twin) = (find(&ours), find(&theirs));
        if set.iter().chain(&twin).all(Consequence::is_nothing) {
            continue;
        }
        let title = set.as_ref().or(twin.as_ref()).map(|one| one.title.clone()).unwrap_or_default();
        effects.push(Effect { title, set, twin });
    }
    effects
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::seen::testing::{Story, run};

    /// Who came for whom, who was new, and who left with nobody in his place, by name.
    fn told(run: &Observed) -> Vec<String> {
        let name = |n: &usize| run.lives[*n].name.clone();
        segments(run)
            .iter()
            .map(|segment| {
                let pairs =
                    segment.pairs.iter().map(|p| format!("{} for {}", name(&p.after), name(&p.before)));
                let added = segment.added.iter().map(|n| format!("+{}", name(n)));
                let removed = segment.removed.iter().map(|n| format!("-{}", name(n)));
                let missing = segment.missing.iter().map(|n| format!("?{}", name(n)));
                pairs.chain(added).chain(removed).chain(missing).collect::<Vec<_>>().join(" ")
            })
            .collect()
    }

    #[test]
    fn a_pod_takes_the_place_of_its_namesake_or_of_one_that_left() {
        let mut two =
            run(2, &[Story::pod("web-0", 0), Story::pod("web-1", 1).left(20, 30), Story::pod("web-1", 40)]);
        assert_eq!(told(&two), ["web-1 for web-1 +web-0 +web-1"]);
        // The same, but somebody did something between: it left in one step, and came back in the next.
        let later = Mark { key: MarkKey::Step(0), time: Time::from_secs(35), ..two.marks[0].clone() };
        two.marks.push(later);
        assert_eq!(told(&two), ["+web-0 +web-1 ?web-1", "web-1 for web-1"]);
        let random = run(2, &[Story::pod("a", 0).left(20, 50), Story::pod("b", 0), Story::pod("c", 20)]);
        assert_eq!(told(&random), ["c for a +a +b"]);
        let scaled = {
            let mut run = run(1, &[Story::pod("a", 0), Story::pod("b", 0).left(20, 21), Story::pod("c", 60)]);
            run.wishes.push((Time::from_secs(20), Wish::Scale(2, 1)));
            let start = run.marks[0].clone();
            run.marks.push(Mark { key: MarkKey::Step(0), time: Time::from_secs(20), ..start.clone() });
            run.marks.push(Mark { key: MarkKey::Step(1), time: Time::from_secs(60), ..start });
            run
        };
        assert_eq!(told(&scaled), ["+a +b", "-b", "+c"], "who is not wanted has no successor");
    }

    #[test]
    fn who_served_for_how_long() {
        let seconds = Duration::from_secs;
        let run = run(
            2,
            &[
                Story::pod("a", 0).ready(5),
                Story::pod("b", 0).ready(8).left(20, 21),
                Story::pod("c", 20).ready(30),
            ],
        );
        let whole = served(&run, Time::ZERO, run.end);
        let expected =
            Served { least: 0, wanted: 2, short: seconds(18), none: seconds(5), whole: Some(seconds(30)) };
        assert_eq!(whole, expected);
        let quiet = served(&run, Time::from_secs(40), run.end);
        assert_eq!((quiet.least, quiet.short, quiet.whole), (2, Duration::ZERO, Some(Duration::ZERO)));
        let cut = served(&run, Time::from_secs(10), Time::from_secs(25));
        assert_eq!((cut.least, cut.short, cut.whole), (1, seconds(5), None));
    }
}
