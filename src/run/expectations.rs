//! What is expected in the course of a run: it begins, it is looked at, it is judged.
use super::{Ended, Outcome, Play, Watch};
use crate::expect::form::Form;
use crate::expect::verdict::{Judged, Verdict};
use crate::invariants::{BREAKABLE, Breach};
use crate::kernel::{Duration, Time};
use crate::scenario::Expectation;

impl Outcome {
    /// True if some verdict is of this kind.
    pub fn any(&self, is: impl Fn(&Verdict) -> bool) -> bool {
        self.verdicts.iter().any(|judged| is(&judged.verdict))
    }
}

impl Play<'_> {
    /// Expectations begin: those of the run, or of a step.
    pub(super) fn expect(&mut self, step: Option<usize>, expectations: &[Expectation]) {
        self.monitors.look(&self.cluster);
        if let Some(step) = step {
            self.monitors.close_steps_before(step, &self.cluster);
        }
        for (index, expectation) in expectations.iter().enumerate() {
            self.monitors.begin(step, index, &expectation.form, &self.cluster);
        }
    }

    /// Something may have changed: shows it to who watches.
    pub(super) fn changed(&mut self, watch: &mut dyn Watch) {
        self.monitors.look(&self.cluster);
        watch.happened(&self.cluster);
        watch.moment(self);
    }

    /// Nothing happens before `next`, but time passes: that alone may decide what is expected.
    pub(super) fn let_pass(&mut self, next: Time) {
        while let Some(look) = self.monitors.next_look().filter(|look| *look < next) {
            self.monitors.passed(look, &self.cluster);
            self.cluster.world.pass(look);
            self.monitors.look(&self.cluster);
        }
        self.monitors.passed(next, &self.cluster);
    }

    /// The cluster has settled, but periodic work may still bring what is waited for: goes on until it has come or
    /// every deadline has passed.
    pub(super) fn await_deadlines(&mut self, watch: &mut dyn Watch) -> Result<(), Ended> {
        self.monitors.settle(&self.cluster);
        while let Some(deadline) = self.monitors.deadline() {
            self.run_to(deadline, watch)?;
            self.monitors.passed(deadline + Duration::from_nanos(1), &self.cluster);
            self.settle(watch)?;
        }
        Ok(())
    }

    /// The verdicts of a run that has ended so.
    pub(super) fn verdicts(&mut self, ended: Ended) -> Vec<Judged> {
        let until = ended == Ended::Until && self.scenario.until.is_some();
        let over = ended == Ended::Settled || until && self.steps_done;
        if over {
            self.monitors.close(&self.cluster);
        }
        let mut verdicts = self.monitors.verdicts(&self.cluster);
        // A step that was waited for in vain, or that the run did not come to.
        for (n, step) in self.scenario.steps.iter().enumerate() {
            let begun = verdicts.iter().any(|judged| judged.step == Some(n));
            let open = step.expect.iter().enumerate().filter(|_| !begun);
            verdicts.extend(open.map(|(index, _)| {
                let verdict = Verdict::Undecided("its step did not begin".to_owned());
                Judged { step: Some(n), index, verdict }
            }));
        }
        verdicts
    }

    /// The breaches that the scenario does not speak of.
    pub(super) fn breaches(&self) -> Vec<Breach> {
        let meant = |breach: &Breach| {
            self.scenario.expect.iter().any(|expectation| {
                matches!(&expectation.form, Form::Violates(known) if known.invariant == breach.invariant)
            })
        };
        let fails = |breach: &Breach| {
            BREAKABLE.iter().any(|known| known.invariant == breach.invariant && known.fails)
        };
        let all = self.cluster.checker.breaches().iter();
        all.filter(|breach| fails(breach) && !meant(breach)).cloned().collect()
    }
}
