//! One kubectl command line, typed.
//!
//! Follows the flags and checks of `k8s.io/kubectl/pkg/cmd` 1.32 to 1.36 for the verbs the simulator plays. What
//! kubectl refuses before it asks the server is refused here in its words ([`Reason::Refused`]); what kubectl can do
//! and the simulator cannot is an error that says so ([`Reason::Unsupported`]): nothing is ever ignored.
//! Left out: the verbs and flags of [`verbs`], plugins, `-k`, `-R`.
mod convert;
mod flags;
mod objects;
mod pairs;
#[cfg(test)]
mod tests;
mod verbs;

use std::fmt;

use super::jsonpath::{Path, Template};
use super::resource::{FieldSelector, ResourceKind};
use super::words;
use crate::api::patch::PatchType;
use crate::api::selector::Selector;
use crate::kernel::time::Duration;

/// A command and the namespace given with `-n`, if any.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// `-n`, `--namespace`; the caller's default otherwise.
    pub namespace: Option<String>,
    /// What to do.
    pub command: Command,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Create or change objects to match manifests.
    Apply {
        /// `-f`.
        files: Vec<Source>,
    },
    /// Create objects from manifests.
    Create {
        /// `-f`.
        files: Vec<Source>,
        /// Remember the manifest as `apply` does.
        save_config: bool,
    },
    /// `create --raw /api/v1/namespaces/NAMESPACE/pods/NAME/eviction`: ask for the eviction of a pod.
    Evict {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        pod: String,
        /// The body, an Eviction.
        body: Source,
    },
    /// Replace objects by manifests.
    Replace {
        /// `-f`.
        files: Vec<Source>,
    },
    /// Delete objects.
    Delete(Delete),
    /// Set a number of replicas.
    Scale(Scale),
    /// Change fields.
    Patch {
        /// What to patch, by name.
        objects: Objects,
        /// `-p`, as typed.
        patch: String,
        /// `--type`.
        patch_type: PatchType,
        /// `--subresource`.
        subresource: Option<String>,
    },
    /// Change images of containers.
    SetImage {
        /// Whose images.
        objects: Objects,
        /// Container name (`*` for all) and image, in the order typed.
        images: Vec<(String, String)>,
    },
    /// Look at or steer a rollout.
    Rollout(Objects, Rollout),
    /// Print objects.
    Get(Get),
    /// Print all there is to say about objects.
    Describe {
        /// What.
        objects: Objects,
        /// `-A`.
        all_namespaces: bool,
        /// `--show-events`.
        show_events: bool,
    },
    /// Print events, oldest first.
    Events {
        /// `--for`: only those about this object.
        about: Option<ObjectName>,
        /// `--types`: only these types.
        types: Vec<String>,
        /// `-A`.
        all_namespaces: bool,
        /// Print the header line.
        headers: bool,
    },
    /// Wait until something is the case.
    Wait(Wait),
    /// Let no new pods onto nodes.
    Cordon(Nodes),
    /// Let new pods onto nodes again.
    Uncordon(Nodes),
    /// Cordon nodes and evict their pods.
    Drain(Drain),
    /// Add and remove taints of nodes.
    Taint {
        /// Which nodes.
        nodes: Objects,
        /// Taints to add, in the order typed.
        add: Vec<Taint>,
        /// Taints to remove, by key and, if given, effect. The value is empty.
        remove: Vec<Taint>,
        /// Replace the value of a taint with the same key and effect.
        overwrite: bool,
    },
    /// Change labels.
    Label(Edit),
    /// Change annotations.
    Annotate(Edit),
}

/// Where a manifest comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `-f -`.
    Stdin,
    /// `-f PATH`.
    File(String),
}

/// An object by type and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// Its type.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectName {
    /// `statefulset.apps/web`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// The objects a command is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Objects {
    /// Named ones, in the order typed.
    Named(Vec<ObjectName>),
    /// All of some kinds that match the selectors.
    Selected {
        /// The kinds, in the order typed.
        kinds: Vec<ResourceKind>,
        /// `-l`; empty: all.
        labels: Selector,
        /// `--field-selector`; empty: all.
        fields: FieldSelector,
    },
    /// Those of manifests.
    Files(Vec<Source>),
}

impl Objects {
    /// Whether kubectl prints `pod/web-0` instead of `web-0` in tables: more than one kind was asked for.
    pub fn of_several_kinds(&self) -> bool {
        match self {
            Self::Named(names) => names.iter().any(|name| Some(name.kind) != names.first().map(|n| n.kind)),
            Self::Selected { kinds, .. } => kinds.len() > 1,
            Self::Files(_) => false,
        }
    }
}

/// `--cascade`: what happens to dependents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cascade {
    /// Deleted afterwards.
    #[default]
    Background,
    /// Deleted first.
    Foreground,
    /// Left alone.
    Orphan,
}

/// `kubectl delete`.
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    /// What.
    pub objects: Objects,
    /// `-A`.
    pub all_namespaces: bool,
    /// Seconds, after kubectl's own rules (`--now` is 1, `--force` is 0, 0 without force is 1); none: the object's own.
    pub grace_period: Option<u64>,
    /// `--force`: do not wait for confirmation; print the warning.
    pub force: bool,
    /// `--cascade`.
    pub cascade: Cascade,
    /// Wait until the objects are gone.
    pub wait: bool,
    /// How long to wait; none: without end.
    pub timeout: Option<Duration>,
    /// No error if there is no such object.
    pub ignore_not_found: bool,
}

/// `kubectl scale`.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// What.
    pub objects: Objects,
    /// The number wanted.
    pub replicas: i32,
    /// Do it only if the present number is this.
    pub current_replicas: Option<i32>,
    /// Do it only at this resource version.
    pub resource_version: Option<String>,
    /// Wait this long until it is so; none: do not wait.
    pub timeout: Option<Duration>,
}

/// `kubectl rollout`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollout {
    /// Watch it until it is done.
    Status {
        /// Give up after this; none: never.
        timeout: Option<Duration>,
        /// Watch, or look once.
        watch: bool,
        /// Give up if the revision is no longer this one; 0: any.
        revision: i64,
    },
    /// List revisions.
    History {
        /// Show this one in detail; 0: list all.
        revision: i64,
    },
    /// Go back.
    Undo {
        /// To this revision; 0: to the last one.
        to_revision: i64,
    },
    /// Replace all pods.
    Restart,
    /// Stop rolling (Deployments only).
    Pause,
    /// Go on rolling (Deployments only).
    Resume,
}

/// `kubectl get`.
#[derive(Debug, Clone, PartialEq)]
pub struct Get {
    /// What.
    pub objects: Objects,
    /// `-A`.
    pub all_namespaces: bool,
    /// `-o`.
    pub output: Output,
    /// Print the header line.
    pub headers: bool,
    /// A LABELS column.
    pub show_labels: bool,
    /// `pod/web-0` instead of `web-0`.
    pub show_kind: bool,
    /// `--sort-by`.
    pub sort_by: Option<Path>,
    /// No error if there is no such object.
    pub ignore_not_found: bool,
    /// `--subresource`: `status` or `scale`.
    pub subresource: Option<String>,
}

/// `-o`.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// The default.
    Table,
    /// `-o wide`.
    Wide,
    /// `-o yaml`.
    Yaml,
    /// `-o json`.
    Json,
    /// `-o name`.
    Name,
    /// `-o jsonpath=TEMPLATE`.
    JsonPath(Template),
    /// `-o custom-columns=HEADER:PATH,...`.
    CustomColumns(Vec<(String, Path)>),
}

/// `--for`.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The status condition of this type has this value (compared without case).
    Condition {
        /// The condition's type.
        name: String,
        /// `true` unless given.
        value: String,
    },
    /// The object is gone.
    Delete,
    /// The object exists.
    Create,
    /// The path leads to exactly one value and it is this; with none: it leads to a value.
    JsonPath {
        /// The path.
        path: Path,
        /// The value's text.
        value: Option<String>,
    },
}

/// `kubectl wait`.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    /// What.
    pub objects: Objects,
    /// `-A`.
    pub all_namespaces: bool,
    /// Until when.
    pub condition: Condition,
    /// How long at the most; zero: look once; [`Duration::NEVER`]: without end.
    pub timeout: Duration,
}

/// `--dry-run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DryRun {
    /// Do it.
    #[default]
    None,
    /// Print what would be sent.
    Client,
    /// Ask the server and change nothing.
    Server,
}

/// Nodes to cordon, uncordon or drain.
#[derive(Debug, Clone, PartialEq)]
pub struct Nodes {
    /// Names, or a selection.
    pub objects: Objects,
    /// `--dry-run`.
    pub dry_run: DryRun,
}

/// `kubectl drain`.
#[derive(Debug, Clone, PartialEq)]
pub struct Drain {
    /// Which nodes.
    pub nodes: Nodes,
    /// Only pods that match; empty: all.
    pub pod_selector: Selector,
    /// Leave pods of DaemonSets where they are instead of failing.
    pub ignore_daemonsets: bool,
    /// Go on although emptyDir data is lost.
    pub delete_emptydir_data: bool,
    /// Go on although there are pods without controller.
    pub force: bool,
    /// Seconds; none: the pods' own.
    pub grace_period: Option<u64>,
    /// Give up after this; none: never.
    pub timeout: Option<Duration>,
    /// Delete instead of evicting: budgets are not asked.
    pub disable_eviction: bool,
    /// Do not wait for pods whose deletion is older than this many seconds; 0: wait for all.
    pub skip_wait_for_delete_timeout: u64,
}

/// A taint as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value; may be empty.
    pub value: String,
    /// Its effect; none only in removals: all effects.
    pub effect: Option<TaintEffect>,
}

/// What a taint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaintEffect {
    /// Keeps new pods away.
    NoSchedule,
    /// Keeps new pods away if possible.
    PreferNoSchedule,
    /// Keeps new pods away and drives pods out.
    NoExecute,
}

impl fmt::Display for TaintEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        })
    }
}

/// `kubectl label` and `kubectl annotate`.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// What.
    pub objects: Objects,
    /// `-A`.
    pub all_namespaces: bool,
    /// Keys and values to set, in the order typed.
    pub set: Vec<(String, String)>,
    /// Keys to remove, in the order typed.
    pub remove: Vec<String>,
    /// Change values that are there already.
    pub overwrite: bool,
    /// Do it only at this resource version.
    pub resource_version: Option<String>,
}

/// What kind of mistake a line holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// kubectl has it, the simulator does not.
    Unsupported,
    /// Nobody has it: a typo.
    Unknown,
    /// kubectl understands it and refuses it without asking the server (or the server would at once).
    Refused,
}

/// Why a line is no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    /// What kind of mistake.
    pub reason: Reason,
    /// One sentence, without `error: `.
    pub message: String,
    /// What would have been valid.
    pub help: Option<String>,
    /// What kubectl prints on stderr, without the last newline, before it exits with 1; none if kubectl would do it.
    pub stderr: Option<String>,
    /// The index of the word that is wrong, among the words given to [`parse`].
    pub word: Option<usize>,
    /// Where that word stands in the line given to [`parse_line`], in bytes.
    pub span: Option<(usize, usize)>,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CommandError {}

impl CommandError {
    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), help: None, stderr: None, word: None, span: None }
    }

    /// kubectl prints `error: MESSAGE`.
    fn refused(message: impl Into<String>) -> Self {
        let message = message.into();
        let stderr = Some(format!("error: {message}"));
        Self { stderr, ..Self::new(Reason::Refused, message) }
    }

    fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    fn with_stderr(self, stderr: impl Into<String>) -> Self {
        Self { stderr: Some(stderr.into()), ..self }
    }

    /// Points at the first word that is or begins with `text`.
    fn at(self, words: &[String], text: &str) -> Self {
        let exact = words.iter().position(|word| word == text);
        let word = exact.or_else(|| words.iter().position(|word| word.starts_with(text)));
        Self { word, ..self }
    }
}

/// Reads a command from words, with or without a leading `kubectl`.
pub fn parse(words: &[String]) -> Result<Invocation, CommandError> {
    let skipped = usize::from(words.first().is_some_and(|word| word == "kubectl"));
    let words = words.get(skipped..).unwrap_or_default();
    let result = flags::read(words).and_then(|flags| convert::invocation(&flags));
    result.map_err(|error| CommandError { word: error.word.map(|word| word + skipped), ..error })
}

/// Splits a line as a shell does and reads the command; errors know where in the line they are.
pub fn parse_line(line: &str) -> Result<Invocation, CommandError> {
    let words = words::split(line).map_err(|error| {
        let span = Some((error.at, line.len()));
        CommandError { span, ..CommandError::new(Reason::Unknown, error.to_string()) }
    })?;
    let texts: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
    parse(&texts).map_err(|error| {
        let word = error.word.and_then(|index| words.get(index));
        CommandError { span: word.map(|word| (word.start, word.end)), ..error }
    })
}
