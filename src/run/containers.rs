//! Containers that look around (behaviour `readyWhen` and `exitWhen`): their conditions are evaluated here, because the
//! kubelet knows no expressions, at the end of each instant in which something they read has changed. What cannot be
//! told (an object is not there) counts as not true.
//!
//! Names are asked for by the network of the cluster, whose caches may keep an old answer (DNS-13). A container looks
//! again when the answer it got may be another one; only if it will be, that keeps the cluster from being settled.
use super::{LOOK, Play};
use crate::event::Event;
use crate::expect::{Answers, Condition, Constant, Here, News, Reads, Scope};
use crate::kernel::Timer;
use crate::kubelet::Asking;
use crate::network::{Asker, Network};
use crate::world::World;
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
    /// What it has been told of names.
    names: Answers,
    /// When one of them may get another answer.
    news: Option<News>,
    /// That it will get another one keeps the cluster from being settled.
    timer: Option<Timer>,
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
            let gone = self.containers.watch(asking, &self.scenario.params);
            for mut watched in gone {
                watched.call_off(&mut self.cluster.world);
            }
        }
        let mut containers = std::mem::take(&mut self.containers);
        for watched in &mut containers.watched {
            let stamp = Some(watched.reads.stamp(&self.cluster));
            let now = self.cluster.world.now();
            if watched.stamp != stamp || watched.news.is_some_and(|news| news.at <= now) {
                self.decide(watched, &mut containers.conditions);
                watched.stamp = stamp;
            }
        }
        self.containers = containers;
    }

    fn decide(&mut self, watched: &mut Watched, conditions: &mut BTreeMap<Arc<str>, Condition>) {
        let asking = &watched.asking;
        let (pod, uid, _) = asking.container;
        let here = Here { pod, uid, node: asking.node, fresh: asking.fresh };
        let cluster = &mut self.cluster;
        // The network is beside the cluster while the container asks it.
        let nobody = Network::new(&cluster.world.config);
        let mut network = std::mem::replace(&mut cluster.network, nobody);
        if watched.stamp.is_none() {
            network.restart_client(Asker::Pod(pod, uid));
        }
        watched.names.begin();
        let mut holds = |text: &Arc<str>| {
            let condition = conditions.get_mut(text)?;
            condition.learn(cluster);
            Some(condition.holds_in(cluster, here, &mut network, &mut watched.names) == Ok(true))
        };
        let ends = asking.exit_when.as_ref().and_then(&mut holds) == Some(true);
        let answers = asking.ready_when.as_ref().and_then(&mut holds).unwrap_or(true);
        let container = asking.container;
        cluster.network = network;
        watched.wake_at(watched.names.news(), &mut cluster.world);
        cluster.world.actor = crate::world::Actor::Kubelet;
        if ends {
            cluster.kubelets.end_container(container, EXIT_CODE, &mut cluster.world);
        } else if answers != watched.answers {
            watched.answers = answers;
            cluster.kubelets.answers_probes(container, answers, &mut cluster.world);
        }
    }
}

impl Watched {
    /// It looks again when a name may get another answer, and no earlier for that.
    fn wake_at(&mut self, news: Option<News>, world: &mut World) {
        if self.news == news {
            return;
        }
        self.call_off(world);
        self.news = news;
        match news {
            Some(news) if news.at.is_never() => {}
            Some(News { at, differs: true }) => self.timer = Some(world.timer(at, Event::Runner(LOOK))),
            Some(News { at, differs: false }) => {
                let delay = at - world.now();
                world.background(delay, Event::Runner(LOOK));
            }
            None => {}
        }
    }

    fn call_off(&mut self, world: &mut World) {
        if let Some(timer) = self.timer.take() {
            world.cancel(timer);
        }
    }
}

impl Containers {
    /// These run now. What is known of those that ran before stays known.
    /// Those that do not run any more are returned, and those that run again.
    fn watch(&mut self, asking: Vec<Asking>, params: &[(String, Constant)]) -> Vec<Watched> {
        let mut before: BTreeMap<_, Watched> =
            std::mem::take(&mut self.watched).into_iter().map(|w| (w.asking.container, w)).collect();
        for asking in asking {
            if before.get(&asking.container).is_some_and(|known| known.asking == asking) {
                self.watched.extend(before.remove(&asking.container));
                continue;
            }
            let texts = [&asking.ready_when, &asking.exit_when];
            let mut reads = Reads::NOTHING;
            for text in texts.into_iter().flatten() {
                reads = reads.and(self.condition(text, params));
            }
            let answers = asking.ready_when.is_none();
            let (names, news, timer) = (Answers::default(), None, None);
            self.watched.push(Watched { asking, reads, stamp: None, answers, names, news, timer });
        }
        before.into_values().collect()
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
        ends_with("kubeadm", rule, probe, steps, condition);
    }

    /// The same with this preset of DNS.
    fn ends_with(dns: &str, rule: &str, probe: &str, steps: &str, condition: &str) {
        let text = format!(
            r#"
apiVersion: stsim/v1alpha1
kind: Scenario
spec:
  cluster: {{dns: {dns}, nodes: [{{name: node-a, zone: z}}, {{name: node-b, zone: z}}, {{name: node-c, zone: z}}]}}
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

    /// What a name that comes late costs members that ask for it at once: nothing but the answer of each cache on the
    /// way (DNS-12, DNS-13). Seconds from the publication to readiness.
    #[test]
    fn old_answers_live_on_in_caches() {
        let slow = "readyWhen: 'dns.resolves(\"db\")'";
        let publish =
            "{at: 1m, kubectl: [patch, service, db, -p, '{\"spec\": {\"publishNotReadyAddresses\": true}}']}";
        for (dns, least, most) in [("kubeadm", 0, 1), ("nodelocal", 0, 6), ("eks", 0, 6), ("cache30", 2, 32)]
        {
            let until = |second: u64| format!("now < duration('{}s')", 60 + second);
            ends_with(dns, slow, "", publish, "sts('db').ready == 2");
            let ready = format!("{publish}, {{when: 'sts(\"db\").ready > 0', timeout: 1m, sleep: 0s}}");
            let ready = |condition: &str| ends_with(dns, slow, "", &ready, condition);
            ready(&until(most));
            ready(&format!("!({})", until(least)));
        }
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
