//! Steps that wait for a condition: they start at the first instant at the end of which it is true.
//!
//! What the condition reads is watched through its stamp, so it is evaluated only when something of that has changed,
//! and once per instant. Without `timeout:` waiting ends when the cluster has settled, since only background work could
//! make it true then.
use super::{Ended, Play, Watch};
use crate::expect::Condition;
use crate::kernel::{Duration, Time};

impl Play<'_> {
    /// Lets time pass until a condition is true. False: it did not become true, which is a failure of step `n`.
    pub(super) fn wait_until(
        &mut self,
        n: usize,
        condition: &Condition,
        timeout: Option<Duration>,
        watch: &mut dyn Watch,
    ) -> Result<bool, Ended> {
        let mut condition = condition.clone();
        let begun = self.cluster.world.now();
        let give_up = timeout.map(|timeout| begun + timeout);
        if let Some(time) = give_up {
            self.look_at(time);
        }
        let (mut stamp, mut looks_at) = (None, None);
        loop {
            let now = self.cluster.world.now();
            if self.cluster.world.next_time() != Some(now) {
                condition.learn(&self.cluster);
                let next = Some(condition.reads().stamp(&self.cluster));
                if stamp != next && condition.holds(&self.cluster) == Ok(true) {
                    return Ok(true);
                }
                stamp = next;
                let wake = condition.next_look(now);
                if let Some(late) = self.too_late(give_up, wake) {
                    let why = condition.explain(&self.cluster);
                    self.fail(n, format!("`{}` did not become true {late}: {why}", condition.text()), false);
                    return Ok(false);
                }
                self.look_once(wake, &mut looks_at);
            }
            if let Err(ended) = self.step(watch) {
                if ended == Ended::Until {
                    let why = condition.explain(&self.cluster);
                    let late = "before the end of the run";
                    self.fail(n, format!("`{}` did not become true {late}: {why}", condition.text()), false);
                }
                return Err(ended);
            }
        }
    }

    /// Why waiting is over, if it is.
    fn too_late(&mut self, give_up: Option<Time>, wake: Option<Time>) -> Option<String> {
        let world = &mut self.cluster.world;
        match give_up {
            Some(time) if world.now() >= time => Some(format!("by {time}")),
            Some(_) => None,
            None if wake.is_some() => None,
            None => {
                let settled = world.is_settled() && self.background.is_empty() || world.next_time().is_none();
                settled.then(|| "and the cluster has settled".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::run::{Blind, Play};
    use crate::scenario::read;
    use crate::trace::record::Recorder;

    /// What goes wrong in a run with one step on an empty cluster of one node.
    fn failures(step: &str) -> Vec<String> {
        let text = format!(
            "apiVersion: stsim/v1alpha1\nkind: Scenario\nspec:\n  until: 1h\n  cluster: {{nodes: [{{name: node-a}}]}}\n  \
             steps:\n  - {step}\n"
        );
        let scenario = read::read("f", text.as_bytes(), &mut read::NoFiles).expect("a scenario");
        let mut play = Play::new(&scenario, 0, Recorder::off()).expect("a cluster");
        let outcome = play.play(&mut Blind);
        outcome.failures.into_iter().map(|failure| format!("{}: {}", failure.time, failure.message)).collect()
    }

    #[test]
    fn what_never_becomes_true_is_explained() {
        for (when, expected) in [
            ("when: 'now >= duration(\"5m\")'", None),
            ("when: '!node(\"node-a\").ready || now > duration(\"20m\")', timeout: 30m", None),
            (
                "when: 'pod(\"web-0\").exists'",
                Some(
                    "`pod(\"web-0\").exists` did not become true and the cluster has settled: \
                      pod(\"web-0\").exists == false",
                ),
            ),
            (
                "when: 'size(nodes()) == 2', timeout: 90s",
                Some("`size(nodes()) == 2` did not become true by 1m30s: size(nodes()) == 1 (node-a)"),
            ),
            (
                "when: 'now > duration(\"2h\")'",
                Some("`now > duration(\"2h\")` did not become true before the end of the run: now == "),
            ),
        ] {
            let found = failures(&format!("{{{when}, kubectl: get nodes}}"));
            let expected: Vec<&str> = expected.into_iter().collect();
            assert_eq!(found.len(), expected.len(), "{when}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.contains(expected), "{found}");
            }
        }
    }
}
