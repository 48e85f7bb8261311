//! Containers that look around (behaviour `readyWhen` and `exitWhen`): their conditions are evaluated here, because the
//! kubelet knows no expressions, at the end of each instant in which something they read has changed. What cannot be
//! told (an object is not there) counts as not true.
use super::Play;
use crate::expect::{Condition, Constant, Here, Reads, Scope};
use crate::kubelet::Asking;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Exit code of a container whose `exitWhen` is true.
const EXIT_CODE: u8 = 1;

/// What is known of the containers that look around.
#[derive(Clone, Debug, Default)]
pub(super) struct Containers {
    /// State of the kubelets as of which `watched` is up to date.
    changes: u64,
    watched: Vec<Watched>,
    /// Conditions by their texts.
    conditions: BTreeMap<Arc<str>, Condition>,
}

#[derive(Clone, Debug)]
struct Watched {
    asking: Asking,
    reads: Reads,
    /// Of what it reads, as of the last evaluation.
    stamp: Option<u64>,
    /// It answers its readiness probes.
    answers: bool,
}

impl Play<'_> {
    /// Evaluates what may have changed, and tells the kubelets.
    pub(super) fn look_around(&mut self) {
        if !self.cluster.kubelets.has_asking() {
            return;
        }
        if self.cluster.world.next_time() == Some(self.cluster.world.now()) {
            return;
        }
        let changes = self.cluster.kubelets.changes();
        if changes != self.containers.changes {
            self.containers.changes = changes;
            let asking = self.cluster.kubelets.asking();
            self.containers.watch(asking, &self.scenario.params);
        }
        let mut containers = std::mem::take(&mut self.containers);
        for watched in &mut containers.watched {
            let stamp = Some(watched.reads.stamp(&self.cluster));
            if watched.stamp != stamp {
                watched.stamp = stamp;
                self.decide(watched, &mut containers.conditions);
            }
        }
        self.containers = containers;
    }

    fn decide(&mut self, watched: &mut Watched, conditions: &mut BTreeMap<Arc<str>, Condition>) {
        let asking = &watched.asking;
        let (pod, uid, _) = asking.container;
        let here = Here { pod, uid, node: asking.node, fresh: asking.fresh };
        let cluster = &mut self.cluster;
        let mut holds = |text: &Arc<str>| {
            let condition = conditions.get_mut(text)?;
            condition.learn(cluster);
            Some(condition.holds_in(cluster, here) == Ok(true))
        };
        let ends = asking.exit_when.as_ref().and_then(&mut holds) == Some(true);
        let answers = asking.ready_when.as_ref().and_then(&mut holds).unwrap_or(true);
        cluster.world.actor = crate::world::Actor::Kubelet;
        if ends {
            cluster.kubelets.end_container(asking.container, EXIT_CODE, &mut cluster.world);
        } else if answers != watched.answers {
            watched.answers = answers;
            cluster.kubelets.answers_probes(asking.container, answers, &mut cluster.world);
        }
    }
}

impl Containers {
    /// These run now. What is known of those that ran before stays known.
    fn watch(&mut self, asking: Vec<Asking>, params: &[(String, Constant)]) {
        let mut before: BTreeMap<_, Watched> =
            std::mem::take(&mut self.watched).into_iter().map(|w| (w.asking.container, w)).collect();
        for asking in asking {
            match before.remove(&asking.container).filter(|known| known.asking == asking) {
                Some(known) => self.watched.push(known),
                None => {
                    let texts = [&asking.ready_when, &asking.exit_when];
                    let mut reads = Reads::NOTHING;
                    for text in texts.into_iter().flatten() {
                        reads = reads.and(self.condition(text, params));
                    }
                    let answers = asking.ready_when.is_none();
                    self.watched.push(Watched { asking, reads, stamp: None, answers });
                }
            }
        }
    }

    /// What a condition reads; it is compiled when it is met first. The reader of the scenario has found it right.
    fn condition(&mut self, text: &Arc<str>, params: &[(String, Constant)]) -> Reads {
        if let Some(known) = self.conditions.get(text) {
            return known.reads();
        }
        match Condition::read(text, Scope::container(params)) {
            Ok(condition) => {
                let reads = condition.reads();
                self.conditions.insert(text.clone(), condition);
                reads
            }
            Err(_) => Reads::NOTHING,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::expect::{Condition, Scope};
    use crate::run::{Blind, Play};
    use crate::scenario::read;
    use crate::trace::record::Recorder;

    /// Plays a scenario with a set `db` of two pods that start in parallel, and says whether a condition holds at its end.
    fn ends(rule: &str, probe: &str, steps: &str, condition: &str) {
        let text = format!(
            r#"
apiVersion: stsim/v1alpha1
kind: Scenario
spec:
  cluster: {{nodes: [{{name: node-a, zone: z}}, {{name: node-b, zone: z}}, {{name: node-c, zone: z}}]}}
  behavior: [{{pod: "db-*", {rule}}}]
  steps: [{steps}]
---
apiVersion: v1
kind: Service
metadata: {{name: db}}
spec: {{clusterIP: None, selector: {{app: db}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  serviceName: db
  replicas: 2
  podManagementPolicy: Parallel
  selector: {{matchLabels: {{app: db}}}}
  template:
    metadata: {{labels: {{app: db}}}}
    spec:
      containers: [{{name: db, image: "db:v1"{probe}}}]
  volumeClaimTemplates:
  - metadata: {{name: data}}
    spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
"#
        );
        let scenario =
            read::read("f", text.as_bytes(), &mut read::NoFiles).unwrap_or_else(|e| panic!("{}", e.render()));
        let mut play = Play::new(&scenario, 0, Recorder::off()).expect("a cluster");
        let outcome = play.play(&mut Blind);
        assert_eq!(outcome.failures, [], "{rule}");
        let condition = Condition::read(condition, Scope::default()).expect("a condition");
        assert_eq!(condition.holds(&play.cluster), Ok(true), "{rule}: {}", condition.explain(&play.cluster));
    }

    const PROBE: &str = ", readinessProbe: {tcpSocket: {port: 5432}, periodSeconds: 10}";

    #[test]
    fn readiness_follows_what_is_seen() {
        for probe in ["", PROBE] {
            let ends = |rule: &str, steps: &str, condition: &str| ends(rule, probe, steps, condition);
            ends("readyWhen: 'peers.running == 1 && peers.total == 1'", "", "sts('db').ready == 2");
            ends(
                "readyWhen: 'peers.ready == 1'",
                "",
                "sts('db').ready == 0 && pods('app=db').all(p, p.phase == 'Running')",
            );
            // A member whose last peer dies gets unready, and ready again when that is back.
            let unready = "{crash: pod/db-1}, {when: '!pod(\"db-0\").ready', timeout: 1m, sleep: 0s}";
            ends("start: 30s, readyWhen: 'peers.running == 1'", unready, "sts('db').ready == 2");
            // Cut off from one another, each believes to be alone.
            let cut = "{partition: node-of(pod/db-0), from: [peers]}, {when: 'sts(\"db\").ready == 0', timeout: 2m, sleep: 0s}";
            ends("readyWhen: 'peers.running == 1'", cut, "sts('db').ready == 0 && size(processes()) == 2");
        }
    }

    #[test]
    fn volumes_are_fresh_once() {
        ends("readyWhen: volume.fresh", "", "", "sts('db').ready == 2");
        ends(
            "readyWhen: volume.fresh",
            "",
            "{kubectl: delete pod/db-0}",
            "!pod('db-0').ready && pod('db-1').ready",
        );
        ends("readyWhen: volume.fresh", "", "{crash: pod/db-1}", "pod('db-0').ready && !pod('db-1').ready");
    }

    #[test]
    fn containers_end_by_what_they_see() {
        let restarts = "size(pods()) == 2 && pods().all(p, p.restarts >= 2 && p.ready)";
        ends(
            "exitWhen: 'pod.restarts < 2'",
            "",
            "{when: \"RESTARTS\", timeout: 5m, sleep: 0s}".replace("RESTARTS", restarts).as_str(),
            restarts,
        );
        ends(
            "exitWhen: 'pod.ordinal == 1'",
            "",
            "",
            "pod('db-0').restarts == 0 && pod('db-1').status.containerStatuses.all(c, c.exitCode == 1 && !c.running)",
        );
    }
}
