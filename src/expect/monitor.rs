//! What one expectation has seen so far: a small state machine over moments and truths that knows nothing of clusters.
//!
//! Time is dense and truths are constant from one change to the next, so what is shown at every change is all there is
//! to see. A deadline counts as kept if what it waits for comes at that very instant; it has passed when something
//! happens later ([`Monitor::passed`]).
//!
//! | form | holds when |
//! | --- | --- |
//! | always P, never P | P has that value at every change, from the first at which it can be evaluated |
//! | finally P | P is true at the end |
//! | that P within D | P is true at some moment up to the deadline |
//! | whenever P then Q within D | after every moment at which P is true, Q is true within D (MTL: G(P -> F<=D Q)) |
//! | sometimes P | P is true at some moment |
//! | order | the moments come in this order |
//! | violates | the violation comes |
use crate::kernel::{Duration, Time};

/// What a condition says at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Truth {
    /// It is true.
    True,
    /// It is false.
    False,
    /// It cannot be evaluated: something it names is not there, a division by zero.
    Unknown,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Truth {
        if value { Truth::True } else { Truth::False }
    }
}

/// What has been seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Monitor {
    /// Waits for the first moment at which the condition has another value.
    Constant {
        /// The value it must keep.
        value: bool,
        /// It could be evaluated at some moment.
        begun: bool,
    },
    /// Looks at the last moment.
    Last {
        /// What the condition says now.
        now: Truth,
    },
    /// Waits for the condition, up to and including a moment.
    Until {
        /// That moment.
        deadline: Time,
    },
    /// Waits for an answer each time.
    Response {
        /// How long the answer may take; None: until the end.
        within: Option<Duration>,
        /// The condition was true at some moment.
        met: bool,
        /// Since when an answer has been owed.
        since: Option<Time>,
        /// The condition counts no more; only what is owed is waited for.
        closed: bool,
    },
    /// Waits for the condition.
    Once,
    /// Waits for one moment after the other.
    Sequence {
        /// How many have come.
        come: usize,
        /// How many there are.
        of: usize,
    },
}

/// What a monitor has decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ruling {
    /// It held.
    Pass,
    /// The condition had the wrong value.
    Broken,
    /// The condition cannot be evaluated any more.
    Lost,
    /// It was not true at the end.
    NotAtEnd,
    /// It did not come by this moment.
    TooLate(Time),
    /// What was owed since this moment never came.
    Owed(Time),
    /// This moment of the sequence came although the one waited for had not.
    Early(usize),
    /// The sequence stopped before this moment.
    Missing(usize),
    /// The condition was never met, or could never be evaluated.
    Vacuous,
}

impl Monitor {
    /// Sees a moment: what the condition says, and, if it is asked for, what the answer says.
    pub fn see(&mut self, time: Time, first: Truth, then: impl FnOnce() -> Truth) -> Option<Ruling> {
        match self {
            Monitor::Constant { value, begun } => match first {
                Truth::Unknown => begun.then_some(Ruling::Lost),
                known => {
                    *begun = true;
                    (known != Truth::from(*value)).then_some(Ruling::Broken)
                }
            },
            Monitor::Last { now } => {
                *now = first;
                None
            }
            Monitor::Until { .. } | Monitor::Once => (first == Truth::True).then_some(Ruling::Pass),
            Monitor::Response { met, since, closed, .. } => {
                let asks = first == Truth::True && !*closed;
                *met |= asks;
                if !asks && since.is_none() {
                    return None;
                }
                if then() == Truth::True {
                    *since = None;
                    return closed.then_some(Ruling::Pass);
                }
                since.get_or_insert(time);
                None
            }
            Monitor::Sequence { .. } => None,
        }
    }

    /// Sees one of the moments a sequence is made of; `is` says which ones it is.
    pub fn moment(&mut self, is: impl Fn(usize) -> bool) -> Option<Ruling> {
        let Monitor::Sequence { come, of } = self else { return None };
        if is(*come) {
            *come += 1;
            return (come == of).then_some(Ruling::Pass);
        }
        // What has come before may come again.
        let again = (0..*come).any(&is);
        (*come + 1..*of).find(|later| is(*later)).filter(|_| !again).map(Ruling::Early)
    }

    /// The last moment at which what is waited for would be in time.
    pub fn deadline(&self) -> Option<Time> {
        match self {
            Monitor::Until { deadline } => Some(*deadline),
            Monitor::Response { within: Some(within), since: Some(since), .. } => Some(*since + *within),
            _ => None,
        }
    }

    /// Everything before `time` has been seen: true if a deadline has passed.
    pub fn passed(&self, time: Time) -> Option<Ruling> {
        self.deadline().filter(|deadline| *deadline < time).map(Ruling::TooLate)
    }

    /// What it speaks of is over. None: a deadline is still to come.
    pub fn close(&mut self) -> Option<Ruling> {
        match self {
            Monitor::Constant { begun: true, .. } => Some(Ruling::Pass),
            Monitor::Constant { begun: false, .. } | Monitor::Once => Some(Ruling::Vacuous),
            Monitor::Last { now: Truth::True } => Some(Ruling::Pass),
            Monitor::Last { .. } => Some(Ruling::NotAtEnd),
            Monitor::Until { .. } => None,
            Monitor::Response { within, met, since, closed } => {
                *closed = true;
                match (*since, within) {
                    (Some(_), Some(_)) => None,
                    (Some(since), None) => Some(Ruling::Owed(since)),
                    (None, _) => Some(if *met { Ruling::Pass } else { Ruling::Vacuous }),
                }
            }
            Monitor::Sequence { come, .. } => Some(Ruling::Missing(*come)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Truth::{False as F, True as T, Unknown as U};
    use proptest::prelude::*;

    fn at(seconds: u64) -> Time {
        Time::from_secs(seconds)
    }

    /// Shows moments (second, condition, answer) to a monitor, up to the end. None: cut off, with a deadline to come.
    fn judged(mut monitor: Monitor, moments: &[(u64, Truth, Truth)], end: u64) -> Option<(u64, Ruling)> {
        for (second, first, then) in moments {
            if let Some(ruling) = monitor.passed(at(*second)) {
                return Some((*second, ruling));
            }
            if let Some(ruling) = monitor.see(at(*second), *first, || *then) {
                return Some((*second, ruling));
            }
        }
        let closed = monitor.close().or_else(|| monitor.passed(at(end + 1)));
        closed.map(|ruling| (end, ruling))
    }

    fn always() -> Monitor {
        Monitor::Constant { value: true, begun: false }
    }
    fn never() -> Monitor {
        Monitor::Constant { value: false, begun: false }
    }
    fn response(within: Option<u64>) -> Monitor {
        Monitor::Response { within: within.map(Duration::from_secs), met: false, since: None, closed: false }
    }

    #[test]
    fn conditions_over_time() {
        let until = |second| Monitor::Until { deadline: at(second) };
        let last = || Monitor::Last { now: U };
        type Case = (&'static str, Monitor, &'static [(u64, Truth, Truth)], Option<(u64, Ruling)>);
        let cases: [Case; 30] = [
            ("always holds", always(), &[(0, T, U), (5, T, U)], Some((9, Ruling::Pass))),
            ("always breaks at once", always(), &[(0, F, U)], Some((0, Ruling::Broken))),
            (
                "always breaks first at 5",
                always(),
                &[(0, T, U), (5, F, U), (6, F, U)],
                Some((5, Ruling::Broken)),
            ),
            (
                "a dip within one instant counts",
                always(),
                &[(5, T, U), (5, F, U), (5, T, U)],
                Some((5, Ruling::Broken)),
            ),
            (
                "always begins when it can be evaluated",
                always(),
                &[(0, U, U), (3, T, U)],
                Some((9, Ruling::Pass)),
            ),
            ("always ends when it no longer can", always(), &[(0, T, U), (3, U, U)], Some((3, Ruling::Lost))),
            ("always of nothing", always(), &[(0, U, U)], Some((9, Ruling::Vacuous))),
            ("never holds", never(), &[(0, F, U), (5, F, U)], Some((9, Ruling::Pass))),
            ("never breaks", never(), &[(0, F, U), (5, T, U)], Some((5, Ruling::Broken))),
            ("finally true", last(), &[(0, F, U), (5, T, U)], Some((9, Ruling::Pass))),
            ("finally false", last(), &[(0, T, U), (5, F, U)], Some((9, Ruling::NotAtEnd))),
            ("finally unknown", last(), &[(0, T, U), (5, U, U)], Some((9, Ruling::NotAtEnd))),
            ("in time", until(8), &[(0, F, U), (7, T, U)], Some((7, Ruling::Pass))),
            ("in the last instant", until(8), &[(0, F, U), (8, T, U)], Some((8, Ruling::Pass))),
            (
                "last of several in the last instant",
                until(8),
                &[(8, F, U), (8, T, U)],
                Some((8, Ruling::Pass)),
            ),
            ("a moment too late", until(8), &[(0, F, U), (9, T, U)], Some((9, Ruling::TooLate(at(8))))),
            ("not at all", until(8), &[(0, F, U)], Some((9, Ruling::TooLate(at(8))))),
            ("true once is enough", until(8), &[(0, T, U), (1, F, U)], Some((0, Ruling::Pass))),
            ("the end comes first", until(20), &[(0, F, U)], None),
            (
                "answered in time",
                response(Some(3)),
                &[(0, F, F), (1, T, F), (4, T, T)],
                Some((9, Ruling::Pass)),
            ),
            (
                "answered too late",
                response(Some(3)),
                &[(1, T, F), (5, T, T)],
                Some((5, Ruling::TooLate(at(4)))),
            ),
            (
                "the condition goes, the debt stays",
                response(Some(3)),
                &[(1, T, F), (2, F, F)],
                Some((9, Ruling::TooLate(at(4)))),
            ),
            (
                "lost again and not regained",
                response(Some(3)),
                &[(1, T, T), (3, T, F)],
                Some((9, Ruling::TooLate(at(6)))),
            ),
            (
                "at once, last in the instant",
                response(Some(0)),
                &[(1, T, F), (1, T, T)],
                Some((9, Ruling::Pass)),
            ),
            (
                "at once, but later",
                response(Some(0)),
                &[(1, T, F), (2, T, T)],
                Some((2, Ruling::TooLate(at(1)))),
            ),
            ("owed at the end, deadline to come", response(Some(5)), &[(8, T, F)], None),
            ("owed at the end, no deadline", response(None), &[(8, T, F)], Some((9, Ruling::Owed(at(8))))),
            ("never asked", response(Some(3)), &[(0, F, F), (5, U, F)], Some((9, Ruling::Vacuous))),
            ("sometimes", Monitor::Once, &[(0, F, U), (5, T, U)], Some((5, Ruling::Pass))),
            ("not even once", Monitor::Once, &[(0, F, U)], Some((9, Ruling::Vacuous))),
        ];
        for (name, monitor, moments, expected) in cases {
            assert_eq!(judged(monitor, moments, 9), expected, "{name}");
        }
    }

    #[test]
    fn what_is_owed_when_a_step_is_over_is_still_waited_for() {
        let mut monitor = response(Some(3));
        assert_eq!(monitor.see(at(1), T, || F), None);
        assert_eq!(monitor.close(), None);
        assert_eq!(monitor.deadline(), Some(at(4)));
        assert_eq!(monitor.clone().see(at(4), F, || T), Some(Ruling::Pass));
        assert_eq!(monitor.passed(at(4)), None);
        assert_eq!(monitor.passed(at(5)), Some(Ruling::TooLate(at(4))));
        let mut asked_again = monitor.clone();
        assert_eq!(asked_again.see(at(2), T, || F), None);
        assert_eq!(asked_again.deadline(), Some(at(4)));
    }

    #[test]
    fn sequences() {
        type Case = (&'static str, &'static [&'static str], &'static [&'static str], Ruling);
        let cases: [Case; 8] = [
            ("in order", &["a", "b", "c"], &["a", "b", "c"], Ruling::Pass),
            ("others between", &["a", "b"], &["x", "a", "y", "b"], Ruling::Pass),
            ("swapped", &["a", "b"], &["b", "a"], Ruling::Early(1)),
            ("the last before the second", &["a", "b", "c"], &["a", "c", "b"], Ruling::Early(2)),
            ("repeated", &["a", "b"], &["a", "a", "b", "a"], Ruling::Pass),
            ("asked for twice", &["a", "b", "a"], &["a", "a", "b", "a"], Ruling::Pass),
            ("the end is missing", &["a", "b"], &["a"], Ruling::Missing(1)),
            ("nothing came", &["a", "b"], &[], Ruling::Missing(0)),
        ];
        for (name, wanted, seen, expected) in cases {
            let mut monitor = Monitor::Sequence { come: 0, of: wanted.len() };
            let mut ruling = seen.iter().find_map(|one| monitor.moment(|n| wanted.get(n) == Some(one)));
            ruling = ruling.or_else(|| monitor.close());
            assert_eq!(ruling, Some(expected), "{name}");
        }
    }

    fn truth() -> impl Strategy<Value = Truth> {
        prop_oneof![4 => Just(T), 4 => Just(F), 1 => Just(U)]
    }

    fn not(truth: Truth) -> Truth {
        match truth {
            T => F,
            F => T,
            U => U,
        }
    }

    proptest! {
        #[test]
        fn laws(seen in proptest::collection::vec((0u64..4, truth(), truth()), 0..12), within in 0u64..6) {
            let mut now = 0;
            let moments: Vec<_> = seen.into_iter().map(|(gap, p, q)| { now += gap; (now, p, q) }).collect();
            let map = |f: fn(Truth, Truth) -> (Truth, Truth)| -> Vec<_> {
                moments.iter().map(|(t, p, q)| { let (p, q) = f(*p, *q); (*t, p, q) }).collect()
            };
            // always P is never !P.
            let negated = map(|p, q| (not(p), q));
            prop_assert_eq!(judged(always(), &moments, 99), judged(never(), &negated, 99));
            // finally P is P at the last moment.
            let last = moments.last().map_or(U, |(_, p, _)| *p);
            let expected = if last == T { Ruling::Pass } else { Ruling::NotAtEnd };
            prop_assert_eq!(judged(Monitor::Last { now: U }, &moments, 99), Some((99, expected)));
            // sometimes P fails to be seen exactly where never P holds, if P can always be evaluated.
            let known = map(|p, q| (if p == U { F } else { p }, q));
            let sometimes = judged(Monitor::Once, &known, 99).map(|(_, ruling)| ruling == Ruling::Pass);
            let never = judged(never(), &known, 99).map(|(_, ruling)| ruling == Ruling::Broken);
            prop_assert_eq!(sometimes, never);
            // P by the deadline is whenever (from the start) then P within.
            if let Some((start, ..)) = moments.first() {
                let until = Monitor::Until { deadline: at(start + within) };
                let once = known.iter().any(|(t, p, _)| *p == T && *t <= start + within);
                let ruling = judged(until, &known, 99).map(|(_, ruling)| ruling);
                prop_assert_eq!(ruling == Some(Ruling::Pass), once);
            }
            // whenever P then Q within D, by its definition: for each moment of P a moment of Q within D.
            let answered = moments.iter().enumerate().all(|(n, (t, p, _))| {
                *p != T || moments[n..].iter().any(|(u, _, q)| *q == T && *u <= t + within)
            });
            let ruling = judged(response(Some(within)), &moments, 99).map(|(_, ruling)| ruling);
            let asked = moments.iter().any(|(_, p, _)| *p == T);
            let expected = match (answered, asked) {
                (_, false) => ruling == Some(Ruling::Vacuous),
                (true, true) => ruling == Some(Ruling::Pass),
                (false, true) => matches!(ruling, Some(Ruling::TooLate(_))),
            };
            prop_assert!(expected, "{:?}", ruling);
        }
    }
}
