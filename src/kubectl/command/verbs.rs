//! The verbs of kubectl with their flags: those that are played, and the names of those that are not.

/// How a flag is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `--flag` or `--flag=false`; holds the default.
    Switch(bool),
    /// `--flag VALUE` or `--flag=VALUE`.
    Value,
    /// `--flag` or `--flag=VALUE`, never `--flag VALUE`; holds what the bare flag means.
    Optional(&'static str),
}

/// A flag that is played.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    /// The long name.
    pub(super) long: &'static str,
    /// The short name.
    pub(super) short: Option<char>,
    /// How it is written.
    pub(super) shape: Shape,
}

const fn value(long: &'static str) -> Flag {
    Flag { long, short: None, shape: Shape::Value }
}

const fn switch(long: &'static str) -> Flag {
    Flag { long, short: None, shape: Shape::Switch(false) }
}

const fn switch_on(long: &'static str) -> Flag {
    Flag { long, short: None, shape: Shape::Switch(true) }
}

const FILES: Flag = Flag { long: "filename", short: Some('f'), shape: Shape::Value };
const SELECTOR: Flag = Flag { long: "selector", short: Some('l'), shape: Shape::Value };
const EVERYWHERE: Flag = Flag { long: "all-namespaces", short: Some('A'), shape: Shape::Switch(false) };
const OUTPUT: Flag = Flag { long: "output", short: Some('o'), shape: Shape::Value };
const DRY_RUN: Flag = Flag { long: "dry-run", short: None, shape: Shape::Optional("unchanged") };
const FIELDS: Flag = value("field-selector");
const ALL: Flag = switch("all");
const TIMEOUT: Flag = value("timeout");
const NO_HEADERS: Flag = switch("no-headers");

/// The flag that every verb has.
pub(super) const NAMESPACE: Flag = Flag { long: "namespace", short: Some('n'), shape: Shape::Value };

/// A verb that is played.
#[derive(Debug)]
pub(super) struct Verb {
    /// `get`, `rollout status`.
    pub(super) name: &'static str,
    /// Its flags.
    pub(super) flags: &'static [Flag],
    /// Flags that kubectl has for it besides, by long name.
    pub(super) unplayed: &'static [&'static str],
}

const fn verb(name: &'static str, flags: &'static [Flag], unplayed: &'static [&'static str]) -> Verb {
    Verb { name, flags, unplayed }
}

/// Every verb that is played, with its subcommand.
#[rustfmt::skip]
pub(super) static VERBS: &[Verb] = &[
    verb("apply", &[FILES], &[
        "all", "cascade", "dry-run", "field-manager", "force", "force-conflicts", "grace-period", "openapi-patch",
        "overwrite", "prune", "prune-allowlist", "selector", "server-side", "subresource", "timeout", "validate", "wait",
    ]),
    verb("create", &[FILES, switch("save-config"), value("raw")], &[
        "dry-run", "edit", "field-manager", "selector", "validate", "windows-line-endings",
    ]),
    verb("replace", &[FILES], &[
        "cascade", "dry-run", "field-manager", "force", "grace-period", "raw", "save-config", "subresource", "timeout",
        "validate", "wait",
    ]),
    verb("delete", &[
        FILES, SELECTOR, FIELDS, ALL, EVERYWHERE, TIMEOUT, value("grace-period"), switch("force"), switch("now"),
        Flag { long: "cascade", short: None, shape: Shape::Optional("background") }, switch_on("wait"),
        switch("ignore-not-found"),
    ], &["dry-run", "interactive", "raw"]),
    verb("scale", &[
        FILES, SELECTOR, ALL, TIMEOUT, value("replicas"), value("current-replicas"), value("resource-version"),
    ], &["dry-run"]),
    verb("patch", &[
        FILES, Flag { long: "patch", short: Some('p'), shape: Shape::Value }, value("type"), value("subresource"),
    ], &["dry-run", "field-manager", "local", "patch-file"]),
    verb("set image", &[FILES, SELECTOR, ALL], &["dry-run", "field-manager", "local"]),
    verb("rollout status", &[
        SELECTOR, TIMEOUT, value("revision"), Flag { long: "watch", short: Some('w'), shape: Shape::Switch(true) },
    ], &["filename"]),
    verb("rollout history", &[SELECTOR, value("revision")], &["filename"]),
    verb("rollout undo", &[SELECTOR, value("to-revision")], &["dry-run", "filename"]),
    verb("rollout restart", &[SELECTOR], &["field-manager", "filename"]),
    verb("rollout pause", &[SELECTOR], &["field-manager", "filename"]),
    verb("rollout resume", &[SELECTOR], &["field-manager", "filename"]),
    verb("get", &[
        FILES, SELECTOR, FIELDS, EVERYWHERE, OUTPUT, NO_HEADERS, switch("show-labels"), switch("show-kind"),
        value("sort-by"), switch("ignore-not-found"), value("subresource"),
    ], &["chunk-size", "label-columns", "output-watch-events", "raw", "server-print", "watch", "watch-only"]),
    verb("describe", &[FILES, SELECTOR, EVERYWHERE, switch_on("show-events")], &["chunk-size"]),
    verb("events", &[EVERYWHERE, NO_HEADERS, value("for"), value("types")], &["chunk-size", "watch"]),
    verb("wait", &[FILES, SELECTOR, FIELDS, ALL, EVERYWHERE, TIMEOUT, value("for")], &["local"]),
    verb("cordon", &[SELECTOR, DRY_RUN], &[]),
    verb("uncordon", &[SELECTOR, DRY_RUN], &[]),
    verb("drain", &[
        SELECTOR, DRY_RUN, TIMEOUT, value("pod-selector"), switch("ignore-daemonsets"), switch("delete-emptydir-data"),
        switch("force"), value("grace-period"), switch("disable-eviction"), value("skip-wait-for-delete-timeout"),
    ], &["chunk-size"]),
    verb("taint", &[SELECTOR, ALL, switch("overwrite")], &["dry-run", "field-manager", "validate"]),
    verb("label", &[
        FILES, SELECTOR, FIELDS, ALL, EVERYWHERE, switch("overwrite"), value("resource-version"),
    ], &["dry-run", "field-manager", "list", "local"]),
    verb("annotate", &[
        FILES, SELECTOR, FIELDS, ALL, EVERYWHERE, switch("overwrite"), value("resource-version"),
    ], &["dry-run", "field-manager", "list", "local"]),
];

/// Flags that kubectl has for many or all verbs and that nothing here plays.
pub(super) const UNPLAYED_EVERYWHERE: &[&str] = &[
    "allow-missing-template-keys",
    "as",
    "as-group",
    "as-uid",
    "cache-dir",
    "certificate-authority",
    "client-certificate",
    "client-key",
    "cluster",
    "context",
    "disable-compression",
    "help",
    "insecure-skip-tls-verify",
    "kubeconfig",
    "kustomize",
    "log-flush-frequency",
    "match-server-version",
    "output",
    "password",
    "profile",
    "profile-output",
    "recursive",
    "request-timeout",
    "server",
    "show-managed-fields",
    "template",
    "tls-server-name",
    "token",
    "user",
    "username",
    "v",
    "vmodule",
    "warnings-as-errors",
];

/// The short names among [`UNPLAYED_EVERYWHERE`] and the verbs' own.
pub(super) const UNPLAYED_SHORT: &[(char, &str)] = &[
    ('h', "help"),
    ('i', "interactive"),
    ('k', "kustomize"),
    ('L', "label-columns"),
    ('o', "output"),
    ('R', "recursive"),
    ('s', "server"),
    ('v', "v"),
    ('w', "watch"),
];

/// Verbs that kubectl has and nothing here plays.
pub(super) const UNPLAYED_VERBS: &[&str] = &[
    "alpha",
    "api-resources",
    "api-versions",
    "attach",
    "auth",
    "autoscale",
    "certificate",
    "cluster-info",
    "completion",
    "config",
    "cp",
    "debug",
    "diff",
    "edit",
    "exec",
    "explain",
    "expose",
    "help",
    "kuberc",
    "kustomize",
    "logs",
    "options",
    "plugin",
    "port-forward",
    "proxy",
    "run",
    "top",
    "version",
];

/// Subcommands that kubectl has and nothing here plays.
pub(super) const UNPLAYED_SUBCOMMANDS: &[(&str, &[&str])] =
    &[("set", &["env", "resources", "selector", "serviceaccount", "subject"]), ("rollout", &[])];

/// The first words of all verbs that are played.
pub(super) fn first_words() -> Vec<&'static str> {
    let mut words: Vec<&str> = VERBS.iter().filter_map(|verb| verb.name.split(' ').next()).collect();
    words.dedup();
    words
}

/// The second words of verbs that begin with `first`; empty if it stands alone.
pub(super) fn second_words(first: &str) -> Vec<&'static str> {
    let second = |verb: &Verb| verb.name.strip_prefix(first)?.strip_prefix(' ');
    VERBS.iter().filter_map(second).collect()
}
