//! What containers and volumes do, since none really run: the rules of a scenario's `behavior` list.
//!
//! The first matching rule wins, rules of pods and of volumes apart; all matchers that are given must match.
use crate::kernel::Latency;

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
}

/// What a matching pod does. What is not given is the cluster's default.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PodRule {
    /// Image of one of its containers: exact or glob.
    pub image: Option<Glob>,
    /// Name of the pod.
    pub pod: Option<Glob>,
    /// Name of its node.
    pub node: Option<Glob>,
    /// From bound (volumes there, image pulled) to running.
    pub start: Option<Latency>,
    /// From running to ready.
    pub ready: Option<Latency>,
    /// From SIGTERM to exit.
    pub stop: Option<Latency>,
    /// The container exits by itself.
    pub exit: Option<Exit>,
    /// Image pulls fail.
    pub pull_fails: bool,
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
    /// The first rule for a pod with this name, node and images.
    pub fn pod<'a>(&self, pod: &str, node: &str, images: impl Fn() -> Vec<&'a str>) -> Option<&PodRule> {
        self.pods.iter().find(|rule| {
            rule.pod.as_ref().is_none_or(|glob| glob.matches(pod))
                && rule.node.as_ref().is_none_or(|glob| glob.matches(node))
                && rule.image.as_ref().is_none_or(|glob| images().iter().any(|image| glob.matches(image)))
        })
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
}
