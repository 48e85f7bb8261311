//! The monitors of a run side by side: what they are shown, and when.
//!
//! Every change counts: after each event, step or command that wrote something, each open expectation that reads what
//! was written is looked at, so that a state that lasts for less than an instant is seen too. What one event writes is
//! one change. Nothing is looked at while nothing changes, and a run without expectations costs one branch per event.
//!
//! An expectation of a step begins when the step does and is over when the next one begins, except for what is to come
//! within a time: that is waited for. Expectations never change a run; only its end waits until every deadline has
//! passed.
use crate::api::objects::Revision;
use crate::cluster::Cluster;
use crate::expect::Reads;
use crate::expect::form::{Form, Statement};
use crate::expect::moment;
use crate::expect::monitor::{Monitor, Ruling, Truth};
use crate::expect::verdict::{Failed, Judged, Verdict};
use crate::invariants::Checks;
use crate::kernel::Time;

/// All expectations of a run, begun and decided.
#[derive(Clone, Debug, Default)]
pub struct Monitors {
    all: Vec<Running>,
    /// How many are not decided.
    open: usize,
    /// Log position up to which changes have been seen.
    position: u64,
}

/// One expectation under way.
#[derive(Clone, Debug)]
struct Running {
    step: Option<usize>,
    index: usize,
    form: Form,
    monitor: Monitor,
    /// What its statement, and the answer to it, said at the last look.
    said: [Truth; 2],
    /// What they read, as of the last look ([`Reads::stamp`]).
    stamps: [Option<u64>; 2],
    /// When they have to be looked at though nothing may happen.
    next_look: Option<Time>,
    /// The write that made it what it is: the last that altered what is said.
    cause: Option<Revision>,
    verdict: Option<Verdict>,
}

impl Monitors {
    /// An expectation begins.
    pub fn begin(&mut self, step: Option<usize>, index: usize, form: &Form, cluster: &Cluster) {
        if self.open == 0 {
            self.position = cluster.world.store.log_end();
        }
        let mut running = Running {
            step,
            index,
            form: form.clone(),
            monitor: form.monitor(cluster.world.now()),
            said: [Truth::Unknown; 2],
            stamps: [None; 2],
            next_look: None,
            cause: None,
            verdict: None,
        };
        running.look(cluster, 0..0, true);
        self.open += usize::from(running.verdict.is_none());
        self.all.push(running);
    }

    /// Something may have changed.
    pub fn look(&mut self, cluster: &Cluster) {
        if self.open == 0 {
            return;
        }
        let end = cluster.world.store.log_end();
        let changes = std::mem::replace(&mut self.position, end)..end;
        self.each(|running| running.look(cluster, changes.clone(), false));
    }

    /// Nothing more happens before `next`: deadlines that lie before it have passed.
    pub fn passed(&mut self, next: Time, cluster: &Cluster) {
        if self.open == 0 {
            return;
        }
        self.each(|running| {
            if let Some(ruling) = running.monitor.passed(next) {
                running.rule(ruling, cluster);
            }
        });
    }

    /// The first instant after the present at which the clock alone may alter something.
    pub fn next_look(&self) -> Option<Time> {
        if self.open == 0 {
            return None;
        }
        let open = self.all.iter().filter(|running| running.verdict.is_none());
        open.filter_map(|running| running.next_look).min()
    }

    /// The steps before this one are over.
    pub fn close_steps_before(&mut self, step: usize, cluster: &Cluster) {
        self.each(|running| {
            if running.step.is_some_and(|of| of < step) {
                running.close(cluster);
            }
        });
    }

    /// All steps are done and the cluster has settled: nothing new is asked, what is owed may still come.
    pub fn settle(&mut self, cluster: &Cluster) {
        self.each(|running| {
            if matches!(running.monitor, Monitor::Response { .. }) {
                running.close(cluster);
            }
        });
    }

    /// The latest deadline that something still waits for.
    pub fn deadline(&self) -> Option<Time> {
        let open = self.all.iter().filter(|running| running.verdict.is_none());
        open.filter_map(|running| running.monitor.deadline()).max()
    }

    /// The run is over.
    pub fn close(&mut self, cluster: &Cluster) {
        self.each(|running| running.close(cluster));
    }

    /// The run was cut off, or ended before a deadline: what is open stays so. Returns all verdicts.
    pub fn verdicts(&mut self, cluster: &Cluster) -> Vec<Judged> {
        self.open = 0;
        let end = cluster.world.now();
        let undecided = || Verdict::Undecided(format!("the run ended at {end}, before an answer"));
        let judged = |running: Running| Judged {
            step: running.step,
            index: running.index,
            verdict: running.verdict.unwrap_or_else(undecided),
        };
        std::mem::take(&mut self.all).into_iter().map(judged).collect()
    }

    fn each(&mut self, mut act: impl FnMut(&mut Running)) {
        if self.open == 0 {
            return;
        }
        for running in self.all.iter_mut().filter(|running| running.verdict.is_none()) {
            act(running);
            self.open -= usize::from(running.verdict.is_some());
        }
    }
}

impl Running {
    /// Looks at the cluster after these changes of the log.
    fn look(&mut self, cluster: &Cluster, changes: std::ops::Range<u64>, first: bool) {
        match &self.form {
            Form::Order(_) => self.follow(cluster, changes),
            Form::Violates(breakable) => {
                let breaches = cluster.checker.breaches();
                if let Some(breach) = breaches.iter().find(|b| b.invariant == breakable.invariant) {
                    self.cause = Some(breach.revision);
                    self.rule(Ruling::Pass, cluster);
                }
            }
            _ => self.evaluate(cluster, changes, first),
        }
    }

    fn follow(&mut self, cluster: &Cluster, changes: std::ops::Range<u64>) {
        let Form::Order(moments) = &self.form else { return };
        let store = &cluster.world.store;
        let mut found = None;
        for change in changes.filter_map(|position| store.log_entry(position)) {
            for happened in moment::happened(change, store) {
                let is = |n: usize| moments.get(n).is_some_and(|moment| moment.is(&happened, store));
                if found.is_none()
                    && let Some(ruling) = self.monitor.moment(is)
                {
                    found = Some((ruling, change.revision));
                }
            }
        }
        if let Some((ruling, revision)) = found {
            self.cause = Some(revision);
            self.rule(ruling, cluster);
        }
    }

    fn evaluate(&mut self, cluster: &Cluster, changes: std::ops::Range<u64>, first: bool) {
        let (mut touched, before) = (false, self.said);
        for n in 0..2 {
            let stamp = self.form.statements()[n].map(|statement| statement.reads().stamp(cluster));
            if first && stamp.is_some() || stamp != self.stamps[n] {
                self.stamps[n] = stamp;
                self.form.learn(cluster);
                let truth = self.form.statements()[n].map(|statement| statement.truth(cluster));
                self.said[n] = truth.unwrap_or(Truth::Unknown);
                touched = true;
            }
        }
        if !touched {
            return;
        }
        let now = cluster.world.now();
        let looks = self.form.statements().into_iter().flatten();
        self.next_look = looks.filter_map(|statement| statement.next_look(now)).min();
        if !first && before != self.said {
            // What has never been true has no cause for not being so.
            let awaited = matches!(self.monitor, Monitor::Until { .. } | Monitor::Last { .. });
            let lost = !awaited || before[0] == Truth::True;
            self.cause = if lost { self.last_write(cluster, changes) } else { None };
        }
        let [said, answer] = self.said;
        if let Some(ruling) = self.monitor.see(now, said, || answer) {
            self.rule(ruling, cluster);
        }
    }

    /// The last of these writes that the statements read; if none does, what is written nowhere (a process, a disk)
    /// changed because of the write that led here.
    fn last_write(&self, cluster: &Cluster, changes: std::ops::Range<u64>) -> Option<Revision> {
        let store = &cluster.world.store;
        let statements = self.form.statements();
        let reads = |kind| statements.into_iter().flatten().any(|s| s.reads().has(Reads::kind(kind)));
        let mut writes = changes.rev().filter_map(|position| store.log_entry(position));
        let read = writes.find(|change| reads(change.kind)).map(|change| change.revision);
        // What the clock alone alters has no cause.
        let timed = statements.into_iter().flatten().any(|s| s.reads().has(Reads::TIME));
        read.or_else(|| Some(cluster.world.write_behind()).filter(|cause| cause.0 > 0 && !timed))
    }

    fn close(&mut self, cluster: &Cluster) {
        if let Some(ruling) = self.monitor.close() {
            self.rule(ruling, cluster);
        }
    }

    /// The monitor has decided: in words.
    fn rule(&mut self, ruling: Ruling, cluster: &Cluster) {
        let now = cluster.world.now();
        let [statement, answer] = self.form.statements();
        let explain =
            |statement: Option<&Statement>| statement.map_or_else(String::new, |s| s.explain(cluster));
        let moment = |n: usize| match &self.form {
            Form::Order(moments) => moments.get(n).map_or("", |moment| moment.text.as_str()),
            _ => "",
        };
        let come = match &self.monitor {
            Monitor::Sequence { come, .. } => *come,
            _ => 0,
        };
        let (time, why) = match (ruling, &self.form) {
            (Ruling::Pass, _) => {
                self.verdict = Some(Verdict::Pass);
                return;
            }
            (Ruling::Vacuous, Form::Violates(breakable)) => {
                let (name, number) = (breakable.name, breakable.invariant);
                if !cluster.checker.judged_all() {
                    let why = match cluster.checker.checks() {
                        Checks::All => "clusters with so many pods are not judged",
                        Checks::Decision | Checks::Off => "it is not judged (--checks)",
                    };
                    let why = why.to_owned();
                    self.verdict = Some(Verdict::Undecided(why));
                    return;
                }
                (now, format!("nothing violated {name} (INV-{number})"))
            }
            (Ruling::Vacuous, form) => {
                let why = match form {
                    Form::Whenever(..) => "its condition was never met".to_owned(),
                    Form::Sometimes(_) => "not in this run".to_owned(),
                    _ => format!("it could never be told: {}", explain(statement)),
                };
                self.verdict = Some(Verdict::Vacuous(why));
                return;
            }
            (Ruling::Broken, _) => (now, explain(statement)),
            (Ruling::Lost, _) => (now, format!("it cannot be told any more: {}", explain(statement))),
            (Ruling::NotAtEnd, _) => (now, explain(statement)),
            (Ruling::TooLate(deadline), _) => (deadline, explain(answer.or(statement))),
            (Ruling::Owed(since), _) => (now, format!("owed since {since}: {}", explain(answer))),
            (Ruling::Early(n), _) => (now, format!("`{}` came before `{}`", moment(n), moment(come))),
            (Ruling::Missing(n), _) => (now, format!("`{}` did not come", moment(n))),
        };
        self.verdict = Some(Verdict::Fail(Failed { time, why, cause: self.cause }));
    }
}
