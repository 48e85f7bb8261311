//! The names of a workload and of its twin, and how what is said about one is said about the other.
//!
//! Pods of a StatefulSet are called by ordinal and pods of a Deployment by nothing that could be known before the run,
//! so `postgres-1` becomes `{{postgres#1}}`: the second oldest pod that lives when it is asked for. What cannot be
//! said about a Deployment is an error with the reason, never left as it was.
use crate::behavior::Glob;
use serde_json::Value;

/// Words for StatefulSets on a command line.
const SETS: [&str; 5] = ["sts", "statefulset", "statefulsets", "statefulset.apps", "statefulsets.apps"];
/// Words for pods.
const PODS: [&str; 3] = ["po", "pod", "pods"];
/// Words for claims.
const CLAIMS: [&str; 3] = ["pvc", "persistentvolumeclaim", "persistentvolumeclaims"];
/// Words for the stored templates of a StatefulSet.
const REVISIONS: [&str; 2] = ["controllerrevision", "controllerrevisions"];
/// Fields of a StatefulSet's spec that a Deployment has too.
const COMMON: [&str; 5] = ["replicas", "selector", "template", "minReadySeconds", "revisionHistoryLimit"];
/// Words in expressions and paths that only a StatefulSet can answer.
const ONLY_SETS: [&str; 7] = [
    "currentRevision",
    "updateRevision",
    "currentReplicas",
    "podManagementPolicy",
    "partition",
    "serviceName",
    "ordinal",
];

/// The StatefulSet and its twin, by name.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The StatefulSet.
    pub set: String,
    /// The Deployment.
    pub twin: String,
    /// The first ordinal.
    pub start: u32,
    /// Claim templates, each with the claim that all pods of the twin share, if they share one.
    pub claims: Vec<(String, Option<String>)>,
}

/// Something said about the twin, or why it cannot be said.
pub type Said = Result<String, String>;

impl Names {
    /// The index by age that stands for a name `<set>-<ordinal>`.
    fn index_of(&self, name: &str) -> Option<u32> {
        let ordinal = name.strip_prefix(&self.set)?.strip_prefix('-')?;
        let plain = !ordinal.is_empty() && ordinal.chars().all(|c| c.is_ascii_digit());
        ordinal.parse::<u32>().ok().filter(|_| plain)?.checked_sub(self.start)
    }

    /// The name of a pod of the set, as the twin has it. None: it is no pod of the set.
    fn pod(&self, name: &str) -> Option<String> {
        Some(format!("{{{{{}#{}}}}}", self.twin, self.index_of(name)?))
    }

    /// A pattern of pod names. Names are told apart by ordinal only.
    fn pods(&self, pattern: &str) -> Option<Said> {
        if let Some(pod) = self.pod(pattern) {
            return Some(Ok(pod));
        }
        let glob = Glob(pattern.to_owned());
        let hits =
            (self.start..self.start.saturating_add(10)).any(|n| glob.matches(&format!("{}-{n}", self.set)));
        let also = glob.matches(&format!("{}-5d78c9869d-x2x4z", self.twin));
        (hits && !also)
            .then(|| Err(format!("`{pattern}` names pods by ordinal, and a Deployment's have none")))
    }

    /// A claim, or a pattern of claims, as the twin has it. None: it is no claim of the set.
    fn claim(&self, pattern: &str) -> Option<Said> {
        let glob = Glob(pattern.to_owned());
        let owned = |template: &str| {
            let ordinals = self.start..self.start.saturating_add(10);
            self.index_of(
                pattern.strip_prefix(template).and_then(|rest| rest.strip_prefix('-')).unwrap_or(""),
            )
            .is_some()
                || ordinals.into_iter().any(|n| glob.matches(&format!("{template}-{}-{n}", self.set)))
        };
        let (_, shared) = self.claims.iter().find(|(template, _)| owned(template))?;
        Some(match shared {
            Some(claim) if glob.matches(claim) => Ok(pattern.to_owned()),
            Some(claim) => Ok(claim.clone()),
            None => Err(format!("`{pattern}` is a claim, and the pods of the twin have none")),
        })
    }

    /// A target of a fault: `pod/web-1`, `node-of(pod/web-1)`, `volume/data-web-0`.
    pub fn target(&self, text: &str) -> Said {
        for role in ["node-of", "zone-of"] {
            let inner = text.strip_prefix(role).and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'));
            if let Some(inner) = inner {
                return Ok(format!("{role}({})", self.target(inner)?));
            }
        }
        let Some((kind, name)) = text.split_once('/') else { return Ok(text.to_owned()) };
        let said = match kind {
            "pod" | "pods" => self.pods(name),
            "volume" | "attach" | "detach" | "unmount" | "provision" => self.claim(name),
            _ => None,
        };
        Ok(format!("{kind}/{}", said.unwrap_or_else(|| Ok(name.to_owned()))?))
    }

    /// A kubectl command line in words.
    pub fn command(&self, words: &[String]) -> Result<Vec<String>, String> {
        let mut said = Vec::with_capacity(words.len());
        let (mut of_set, mut patch, mut literal) = (false, false, false);
        for (n, word) in words.iter().enumerate() {
            if literal {
                said.push(word.clone());
                continue;
            }
            literal = word == "--";
            if patch && of_set {
                self.patch(word)?;
            }
            let is_patch = std::mem::take(&mut patch);
            patch = word == "-p" || word == "--patch";
            if let Some(text) = word.strip_prefix("--patch=").filter(|_| of_set) {
                self.patch(text)?;
            }
            if word.starts_with('-') || is_patch || n == 0 {
                self.flag(word)?;
                said.push(word.clone());
                continue;
            }
            let (new, is_set) = self.word(word, of_set)?;
            of_set |= is_set;
            said.push(new);
        }
        Ok(said)
    }

    fn flag(&self, word: &str) -> Result<(), String> {
        if word.contains("statefulset.kubernetes.io/pod-name")
            || word.contains("apps.kubernetes.io/pod-index")
        {
            return Err("it selects a pod by a label that only pods of a StatefulSet have".into());
        }
        match ONLY_SETS.iter().find(|only| word.starts_with("--for") && word.contains(**only)) {
            Some(only) => Err(format!("a Deployment has no {only}")),
            None => Ok(()),
        }
    }

    /// One word of a command line, and whether it speaks of the set or of StatefulSets.
    fn word(&self, word: &str, of_set: bool) -> Result<(String, bool), String> {
        self.flag(word)?;
        if let Some((kind, name)) = word.split_once('/') {
            if SETS.contains(&kind) && name == self.set {
                return Ok((format!("deploy/{}", self.twin), true));
            }
            let said = match kind {
                _ if PODS.contains(&kind) => self.pods(name),
                _ if CLAIMS.contains(&kind) => self.claim(name),
                _ if SETS.contains(&kind) || REVISIONS.contains(&kind) => None,
                _ => return Ok((word.to_owned(), false)),
            };
            return Ok((format!("{kind}/{}", said.unwrap_or_else(|| Ok(name.to_owned()))?), false));
        }
        let kinds: Vec<&str> = word.split(',').collect();
        if kinds.iter().any(|kind| SETS.contains(kind) || REVISIONS.contains(kind)) {
            let sets = kinds.iter().any(|kind| SETS.contains(kind));
            let new = kinds.into_iter().map(|kind| match kind {
                _ if SETS.contains(&kind) => "deploy",
                _ if REVISIONS.contains(&kind) => "rs",
                other => other,
            });
            return Ok((new.collect::<Vec<_>>().join(","), sets));
        }
        if of_set && word == self.set {
            return Ok((self.twin.clone(), true));
        }
        let said = self.pod(word).map(Ok).or_else(|| self.claim(word));
        Ok((said.unwrap_or_else(|| Ok(word.to_owned()))?, false))
    }

    /// What a patch of the set changes must be something that a Deployment has.
    fn patch(&self, text: &str) -> Result<(), String> {
        let documents = crate::scenario::yaml::documents(text).unwrap_or_default();
        for document in &documents {
            let fields: Vec<String> = match document {
                Value::Array(operations) => operations
                    .iter()
                    .filter_map(|operation| operation.get("path")?.as_str()?.strip_prefix("/spec/"))
                    .map(|path| path.split('/').next().unwrap_or_default().to_owned())
                    .collect(),
                other => {
                    let spec = other.get("spec").and_then(Value::as_object);
                    spec.map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
                }
            };
            if let Some(field) = fields.iter().find(|field| !COMMON.contains(&field.as_str())) {
                return Err(format!("it patches {field}, and a Deployment has none"));
            }
        }
        Ok(())
    }

    /// A condition.
    pub fn expression(&self, text: &str) -> Said {
        let mut said = text.to_owned();
        for quote in ['"', '\''] {
            for function in ["sts", "statefulset"] {
                let call = format!("{function}({quote}{}{quote})", self.set);
                said = said.replace(&call, &format!("deployment({quote}{}{quote})", self.twin));
            }
            said = self.readiness(&said, quote);
        }
        for quote in ['"', '\''] {
            for literal in said.split(quote).skip(1).step_by(2) {
                let label = literal.split(['.', '/', '@']).find(|part| self.is_named(part));
                if let Some(name) = label {
                    return Err(format!("it speaks of `{name}`, and the twin has nothing of that name"));
                }
            }
        }
        if said.contains("statefulsets(") || said.contains("sts(") || said.contains("statefulset(") {
            return Err("it speaks of a StatefulSet".into());
        }
        match ONLY_SETS.iter().find(|only| said.contains(&format!(".{only}"))) {
            Some(only) => Err(format!("it asks for {only}, which only a StatefulSet and its pods have")),
            None => Ok(said),
        }
    }

    /// Pod n is ready: of pods that come one after another, n + 1 are. Pods of a Deployment can only be counted.
    fn readiness(&self, text: &str, quote: char) -> String {
        let head = format!("pod({quote}{}-", self.set);
        let tail = format!("{quote}).ready");
        let mut said = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(&head) {
            let (before, found) = rest.split_at(at);
            let after = found.get(head.len()..).unwrap_or_default();
            let digits = after.chars().take_while(char::is_ascii_digit).count();
            let (ordinal, end) = after.split_at(digits);
            let index = ordinal.parse::<u32>().ok().and_then(|ordinal| ordinal.checked_sub(self.start));
            match (index, end.strip_prefix(&tail)) {
                (Some(index), Some(end)) if !before.ends_with('!') => {
                    said.push_str(before);
                    said.push_str(&format!("(deployment({quote}{}{quote}).ready > {index})", self.twin));
                    rest = end;
                }
                _ => {
                    said.push_str(before);
                    said.push_str(&head);
                    rest = after;
                }
            }
        }
        said + rest
    }

    /// It is the name of a pod or claim of the set.
    pub fn is_named(&self, name: &str) -> bool {
        let of_claim = |(template, _): &(String, Option<String>)| {
            name.strip_prefix(template.as_str())
                .and_then(|rest| rest.strip_prefix('-'))
                .is_some_and(|rest| self.index_of(rest).is_some())
        };
        self.index_of(name).is_some() || self.claims.iter().any(of_claim)
    }

    /// The DNS name that clients of the twin use: a pod of the set by its own name becomes the service.
    pub fn via(&self, name: &str) -> Option<String> {
        let (pod, service) = name.split_once('.')?;
        self.index_of(pod).map(|_| service.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(shared: bool) -> Names {
        Names {
            set: "web".into(),
            twin: "web".into(),
            start: 0,
            claims: vec![("data".into(), shared.then(|| "data-web".into()))],
        }
    }

    fn words(line: &str) -> Vec<String> {
        shlex::split(line).unwrap()
    }

    #[test]
    fn command_lines() {
        for (line, expected) in [
            ("scale sts/web --replicas=5", Ok("scale deploy/web --replicas=5")),
            ("scale statefulset web --replicas 5", Ok("scale deploy web --replicas 5")),
            ("delete pod web-1 web-2", Ok("delete pod {{web#1}} {{web#2}}")),
            ("wait pod/web-0 --for=condition=Ready", Ok("wait pod/{{web#0}} --for=condition=Ready")),
            ("get pods,sts,pvc -o wide", Ok("get pods,deploy,pvc -o wide")),
            ("get controllerrevisions", Ok("get rs")),
            ("delete pvc data-web-0", Ok("delete pvc data-web")),
            ("exec web-0 -- psql web-0", Ok("exec {{web#0}} -- psql web-0")),
            ("set image sts/web web=web:v2", Ok("set image deploy/web web=web:v2")),
            (
                "patch sts web -p '{\"spec\":{\"replicas\":2}}'",
                Ok("patch deploy web -p '{\"spec\":{\"replicas\":2}}'"),
            ),
            ("delete pod other-1", Ok("delete pod other-1")),
            (
                "patch sts web -p '{\"spec\":{\"updateStrategy\":{\"rollingUpdate\":{\"partition\":2}}}}'",
                Err("it patches updateStrategy, and a Deployment has none"),
            ),
            (
                "patch sts web --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/ordinals/start\",\"value\":1}]'",
                Err("it patches ordinals, and a Deployment has none"),
            ),
            (
                "get pods -l statefulset.kubernetes.io/pod-name=web-0",
                Err("it selects a pod by a label that only pods of a StatefulSet have"),
            ),
        ] {
            let said = names(true).command(&words(line));
            assert_eq!(said, expected.map(words).map_err(str::to_owned), "{line}");
        }
        assert!(names(false).command(&words("delete pvc data-web-0")).is_err(), "there is no claim");
    }

    #[test]
    fn targets() {
        for (target, expected) in [
            ("pod/web-1", Some("pod/{{web#1}}")),
            ("node-of(pod/web-1)", Some("node-of(pod/{{web#1}})")),
            ("zone-of(primary-of(pg))", Some("zone-of(primary-of(pg))")),
            ("pod/web-*", Some("pod/web-*")),
            ("pod/web-?", None),
            ("node/web-1", Some("node/web-1")),
            ("volume/data-web-0", Some("volume/data-web")),
            ("attach/data-web-*", Some("attach/data-web")),
            ("attach/data-*", Some("attach/data-*")),
            ("volume/other-web-0", Some("volume/other-web-0")),
        ] {
            assert_eq!(names(true).target(target).ok().as_deref(), expected, "{target}");
        }
        assert!(names(false).target("volume/data-web-0").is_err());
        let later = Names { start: 5, ..names(true) };
        assert_eq!(later.target("pod/web-6").unwrap(), "pod/{{web#1}}");
        assert_eq!(later.target("pod/web-4").unwrap(), "pod/web-4", "the set has no such pod");
    }

    #[test]
    fn expressions() {
        for (text, expected) in [
            ("sts(\"web\").status.readyReplicas == 3", Some("deployment(\"web\").status.readyReplicas == 3")),
            (
                "pod('web-1').ready && now > duration('5m')",
                Some("(deployment('web').ready > 1) && now > duration('5m')"),
            ),
            ("pod(\"web-1\").ip == \"\"", None),
            ("!pod(\"web-1\").ready", None),
            ("dns(\"web-0.web\") == []", None),
            ("pvc(\"data-web-0\").phase == \"Bound\"", None),
            ("sts(\"web\").status.currentRevision == \"x\"", None),
            ("pods(\"app=web\").all(p, p.ready)", Some("pods(\"app=web\").all(p, p.ready)")),
        ] {
            assert_eq!(names(true).expression(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn names_that_clients_use() {
        assert_eq!(names(true).via("web-0.headless.prod").as_deref(), Some("headless.prod"));
        assert_eq!(names(true).via("headless"), None);
        assert_eq!(names(true).via("other-0.headless"), None);
    }
}
