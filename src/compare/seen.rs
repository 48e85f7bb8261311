//! What is kept of a run for comparing: pods' lives, how many served, what was asked for and what was done.
use crate::api::kind::Kind;
use crate::api::names::Uid;
use crate::kernel::Time;
use crate::run::Ended;
use crate::workload::Facts;
use std::collections::BTreeSet;

/// The life of one pod: one uid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Life {
    /// Its name.
    pub name: String,
    /// Its incarnation.
    pub uid: Uid,
    /// Label of the template it was made of.
    pub revision: String,
    /// When it was created.
    pub created: Time,
    /// When it was first ready.
    pub ready: Option<Time>,
    /// When it was marked for deletion.
    pub deleting: Option<Time>,
    /// When it had failed or succeeded.
    pub over: Option<Time>,
    /// When its object was gone.
    pub gone: Option<Time>,
    /// Name of its node; empty if it never had one.
    pub node: String,
    /// Its address; empty if it never had one.
    pub ip: String,
    /// DNS names of its own: `postgres-0.postgres-headless`.
    pub dns: BTreeSet<String>,
    /// Claims it mounts, in the order of its volumes.
    pub claims: Vec<String>,
    /// The volumes that these were bound to when it ran; empty if it never did.
    pub volumes: Vec<String>,
    /// The last warning about it, if it was never ready.
    pub trouble: String,
}

impl Life {
    /// When it ceased to be one of the workload's living pods.
    pub fn left(&self) -> Option<Time> {
        [self.deleting, self.over, self.gone].into_iter().flatten().min()
    }
}

/// How many pods there were, from a moment on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Level {
    /// From when.
    pub time: Time,
    /// spec.replicas.
    pub wanted: usize,
    /// Living pods: neither terminal nor marked for deletion.
    pub living: usize,
    /// Pods that serve.
    pub serving: usize,
}

/// Which mark it is, so that the marks of two runs find each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum MarkKey {
    /// The manifests are applied.
    Start,
    /// A step, by its number in the original scenario.
    Step(usize),
    /// An entry of the lane, by its number, and the how manieth time.
    Fault(usize, u32),
}

/// Something is done to the cluster.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Which.
    pub key: MarkKey,
    /// When.
    pub time: Time,
    /// What, in one line, as the scenario of this run says it.
    pub title: String,
    /// What it hit: pods or nodes.
    pub hits: Vec<String>,
    /// The databases just before.
    pub facts: Vec<Facts>,
}

/// The template changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Replicas wanted: from, to.
    Scale(usize, usize),
    /// Another template.
    Template,
}

/// Everything kept of a run.
#[derive(Clone, Debug)]
pub struct Observed {
    /// `StatefulSet postgres`.
    pub title: String,
    /// Name of the workload.
    pub name: String,
    /// Pods in order of creation.
    pub lives: Vec<Life>,
    /// How many there were.
    pub levels: Vec<Level>,
    /// What was asked for.
    pub wishes: Vec<(Time, Wish)>,
    /// What was done to the cluster.
    pub marks: Vec<Mark>,
    /// Databases, at the end: name, and what came of it.
    pub databases: Vec<(String, Facts)>,
    /// The last moment.
    pub end: Time,
    /// Why it ended.
    pub ended: Ended,
    /// Steps that did not do what they should.
    pub failures: Vec<(Time, String)>,
    /// Expectations and what came of them: title, verdict, why.
    pub verdicts: Vec<(String, &'static str, String)>,
}

/// Which workload is looked at.
#[derive(Clone, Debug)]
pub struct Workload {
    /// StatefulSet or Deployment.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Runs made up for tests: pods with times in seconds.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// The life of a pod, told in seconds.
    #[derive(Clone, Debug)]
    pub(crate) struct Story(Life);

    impl Story {
        /// A pod that is created then, and ready at once.
        pub(crate) fn pod(name: &str, from: u64) -> Story {
            let time = Time::from_secs(from);
            Story(Life {
                name: name.to_owned(),
                uid: Uid(0),
                revision: String::new(),
                created: time,
                ready: Some(time),
                deleting: None,
                over: None,
                gone: None,
                node: String::new(),
                ip: String::new(),
                dns: BTreeSet::new(),
                claims: Vec::new(),
                volumes: Vec::new(),
                trouble: String::new(),
            })
        }

        /// Created then.
        pub(crate) fn from(mut self, from: u64) -> Story {
            self.0.created = Time::from_secs(from);
            self.ready(from)
        }

        /// Ready then.
        pub(crate) fn ready(mut self, ready: u64) -> Story {
            self.0.ready = Some(Time::from_secs(ready));
            self
        }

        /// Never ready.
        pub(crate) fn never(mut self) -> Story {
            self.0.ready = None;
            self
        }

        /// Marked for deletion, and gone.
        pub(crate) fn left(mut self, deleting: u64, gone: u64) -> Story {
            self.0.deleting = Some(Time::from_secs(deleting));
            self.0.gone = Some(Time::from_secs(gone));
            self
        }

        /// Mounts these claims, each bound to the volume of its name.
        pub(crate) fn claims(mut self, claims: &[&str]) -> Story {
            self.0.claims = claims.iter().map(|&claim| claim.to_owned()).collect();
            self.0.volumes = claims.iter().map(|claim| format!("vol-{claim}")).collect();
            self
        }

        /// Has this DNS name and address.
        pub(crate) fn dns(mut self, name: &str, ip: &str) -> Story {
            self.0.dns.insert(name.to_owned());
            ip.clone_into(&mut self.0.ip);
            self
        }

        /// Made of this template.
        pub(crate) fn revision(mut self, revision: &str) -> Story {
            revision.clone_into(&mut self.0.revision);
            self
        }
    }

    /// A run of 100 s of workload `web` with so many pods wanted, and one step: the manifests.
    pub(crate) fn run(wanted: usize, story: &[Story]) -> Observed {
        let mut lives: Vec<Life> = story.iter().map(|story| story.0.clone()).collect();
        lives.sort_by_key(|life| life.created);
        for (n, life) in (0..).zip(&mut lives) {
            life.uid = Uid(n);
        }
        let mut times: Vec<Time> = vec![Time::ZERO];
        times.extend(lives.iter().flat_map(|life| [Some(life.created), life.ready, life.left()]).flatten());
        times.sort();
        times.dedup();
        let count = |time: Time, test: &dyn Fn(&Life) -> bool| {
            let living = |life: &&Life| life.created <= time && life.left().is_none_or(|left| left > time);
            lives.iter().filter(living).filter(|life| test(life)).count()
        };
        let level = |time: Time| Level {
            time,
            wanted,
            living: count(time, &|_| true),
            serving: count(time, &|life| life.ready.is_some_and(|ready| ready <= time)),
        };
        let start = Mark {
            key: MarkKey::Start,
            time: Time::ZERO,
            title: "the manifests are applied".to_owned(),
            hits: Vec::new(),
            facts: Vec::new(),
        };
        Observed {
            title: "StatefulSet web".to_owned(),
            name: "web".to_owned(),
            levels: times.into_iter().map(level).collect(),
            lives,
            wishes: Vec::new(),
            marks: vec![start],
            databases: Vec::new(),
            end: Time::from_secs(100),
            ended: Ended::Settled,
            failures: Vec::new(),
            verdicts: Vec::new(),
        }
    }
}
