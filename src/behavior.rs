//! What containers and volumes do, since none really run: the rules of a scenario's `behavior` list.
//!
//! The first matching rule wins, for each container and each volume; all matchers that are given must match. A rule that
//! names neither an image nor a container speaks of regular containers only: an init container is not meant to crash
//! because its pod is.
use crate::kernel::Latency;
use std::sync::Arc;

/// A pattern with `*` for any run of characters and `?` for one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Glob(pub String);

impl Glob {
    /// True if the whole text matches. Linear time: at most one point of return.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut p, mut t) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while t < text.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p, t));
                    p += 1;
                }
                Some(&c) if c == b'?' || c == text[t] => {
                    p += 1;
                    t += 1;
                }
                _ => match star {
                    Some((at, from)) => {
                        star = Some((at, from + 1));
                        p = at + 1;
                        t = from + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|&c| c == b'*')
    }
}

/// Exits of a container.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Exit {
    /// How long after each start.
    pub after: Latency,
    /// Exit code.
    pub code: u8,
    /// How many times; None: every time.
    pub times: Option<u32>,
    /// The kernel killed it for want of memory: reason `OOMKilled`.
    pub oom: bool,
}

/// What a matching container does. What is not given is the cluster's default.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PodRule {
    /// Its image: exact or glob.
    pub image: Option<Glob>,
    /// Its name.
    pub container: Option<Glob>,
    /// Name of its pod.
    pub pod: Option<Glob>,
    /// Name of its node.
    pub node: Option<Glob>,
    /// From bound (volumes there, image pulled) to running.
    pub start: Option<Latency>,
    /// From running until it answers its startup and liveness probes. Not given: until it would be ready, or at once if
    /// that is never.
    pub up: Option<Latency>,
    /// From running until it answers its readiness probe.
    pub ready: Option<Latency>,
    /// From SIGTERM to exit.
    pub stop: Option<Latency>,
    /// It exits by itself. An init container always does: with 0, after the same time, once it has failed often enough,
    /// and at once if nothing is said.
    pub exit: Option<Exit>,
    /// How long a postStart hook takes that is no `sleep`.
    pub post_start: Option<Latency>,
    /// How long a preStop hook takes that is no `sleep`.
    pub pre_stop: Option<Latency>,
    /// It is ready only while this condition (CEL, over what it can see) is true.
    pub ready_when: Option<Arc<str>>,
    /// It ends with exit code 1 as soon as this condition is true.
    pub exit_when: Option<Arc<str>>,
    /// Image pulls fail.
    pub pull_fails: bool,
}

/// The container a rule is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// Name of the pod.
    pub pod: &'a str,
    /// Name of its node.
    pub node: &'a str,
    /// Name of the container.
    pub container: &'a str,
    /// Its image.
    pub image: &'a str,
    /// It is an init container or a sidecar.
    pub init: bool,
}

impl PodRule {
    /// True if it speaks of this container.
    pub fn matches(&self, who: Who<'_>) -> bool {
        let fits = |glob: &Option<Glob>, text| glob.as_ref().is_none_or(|glob| glob.matches(text));
        fits(&self.pod, who.pod)
            && fits(&self.node, who.node)
            && fits(&self.container, who.container)
            && fits(&self.image, who.image)
            && (!who.init || self.container.is_some() || self.image.is_some())
    }
}

/// What a matching volume does.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct VolumeRule {
    /// Name of the claim.
    pub volume: Option<Glob>,
    /// AttachVolume.
    pub attach: Option<Latency>,
    /// DetachVolume.
    pub detach: Option<Latency>,
    /// CreateVolume.
    pub provision: Option<Latency>,
}

/// All rules of a run, in order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Behavior {
    /// Rules of pods.
    pub pods: Vec<PodRule>,
    /// Rules of volumes.
    pub volumes: Vec<VolumeRule>,
}

impl Behavior {
    /// The first rule for a container.
    pub fn of_container(&self, who: Who<'_>) -> Option<&PodRule> {
        self.pods.iter().find(|rule| rule.matches(who))
    }

    /// The first rule for the volume of a claim of this name.
    pub fn volume(&self, claim: &str) -> Option<&VolumeRule> {
        self.volumes.iter().find(|rule| rule.volume.as_ref().is_none_or(|glob| glob.matches(claim)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("web-*", "web-0", true),
            ("web-*", "db-0", false),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("web-?", "web-10", false),
            ("web:broken", "web:broken", true),
        ] {
            assert_eq!(Glob(pattern.into()).matches(text), expected, "{pattern} {text}");
        }
    }
    #[test]
    fn rules_speak_of_containers() {
        let glob = |text: &str| Some(Glob(text.into()));
        let regular = Who { pod: "db-0", node: "node-a", container: "main", image: "db:v1", init: false };
        let init = Who { container: "setup", image: "setup:v1", init: true, ..regular };
        let pod = PodRule { pod: glob("db-*"), ..PodRule::default() };
        let image = PodRule { image: glob("setup:*"), ..pod.clone() };
        let container = PodRule { container: glob("main"), ..PodRule::default() };
        for (rule, of_regular, of_init) in
            [(&pod, true, false), (&image, false, true), (&container, true, false)]
        {
            assert_eq!((rule.matches(regular), rule.matches(init)), (of_regular, of_init), "{rule:?}");
        }
        let rules = Behavior { pods: vec![image.clone(), pod.clone()], volumes: Vec::new() };
        assert_eq!(rules.of_container(regular), Some(&pod));
        assert_eq!(rules.of_container(init), Some(&image));
    }
}
