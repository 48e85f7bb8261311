//! Resource types as they are typed: `po`, `pods`, `statefulset.apps`, `deployments.v1.apps`, `all`; and the field
//! selectors each of them knows.
//!
//! Follows the discovery document of a 1.36 API server for the kinds the simulator has, and
//! `k8s.io/cli-runtime/pkg/resource/builder.go` for how names are resolved. One word more than the server knows: `va`
//! for volumeattachments.
use std::fmt;

use crate::api::kind::Kind;

/// A type of object that a command can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the kind of that name")]
pub enum ResourceKind {
    Pod,
    Service,
    Deployment,
    ReplicaSet,
    StatefulSet,
    ControllerRevision,
    Node,
    Namespace,
    PersistentVolumeClaim,
    PersistentVolume,
    StorageClass,
    VolumeAttachment,
    CsiNode,
    CsiDriver,
    PodDisruptionBudget,
    PriorityClass,
    Endpoints,
    EndpointSlice,
    Event,
    ConfigMap,
    Secret,
    ServiceAccount,
}

/// What the API server's discovery says about a resource.
struct Info {
    kind: &'static str,
    singular: &'static str,
    plural: &'static str,
    group: &'static str,
    namespaced: bool,
    short: &'static [&'static str],
}

const fn info(
    kind: &'static str,
    singular: &'static str,
    plural: &'static str,
    group: &'static str,
    namespaced: bool,
    short: &'static [&'static str],
) -> Info {
    Info { kind, singular, plural, group, namespaced, short }
}

/// What `all` stands for, in the order in which `kubectl get all` prints it.
pub const ALL: [ResourceKind; 5] = [
    ResourceKind::Pod,
    ResourceKind::Service,
    ResourceKind::Deployment,
    ResourceKind::ReplicaSet,
    ResourceKind::StatefulSet,
];

impl ResourceKind {
    /// Every kind.
    pub const EVERY: [Self; 22] = [
        Self::Pod,
        Self::Service,
        Self::Deployment,
        Self::ReplicaSet,
        Self::StatefulSet,
        Self::ControllerRevision,
        Self::Node,
        Self::Namespace,
        Self::PersistentVolumeClaim,
        Self::PersistentVolume,
        Self::StorageClass,
        Self::VolumeAttachment,
        Self::CsiNode,
        Self::CsiDriver,
        Self::PodDisruptionBudget,
        Self::PriorityClass,
        Self::Endpoints,
        Self::EndpointSlice,
        Self::Event,
        Self::ConfigMap,
        Self::Secret,
        Self::ServiceAccount,
    ];

    #[rustfmt::skip]
    const fn info(self) -> Info {
        match self {
            Self::Pod => info("Pod", "pod", "pods", "", true, &["po"]),
            Self::Service => info("Service", "service", "services", "", true, &["svc"]),
            Self::Deployment => info("Deployment", "deployment", "deployments", "apps", true, &["deploy"]),
            Self::ReplicaSet => info("ReplicaSet", "replicaset", "replicasets", "apps", true, &["rs"]),
            Self::StatefulSet => info("StatefulSet", "statefulset", "statefulsets", "apps", true, &["sts"]),
            Self::ControllerRevision =>
                info("ControllerRevision", "controllerrevision", "controllerrevisions", "apps", true, &[]),
            Self::Node => info("Node", "node", "nodes", "", false, &["no"]),
            Self::Namespace => info("Namespace", "namespace", "namespaces", "", false, &["ns"]),
            Self::PersistentVolumeClaim =>
                info("PersistentVolumeClaim", "persistentvolumeclaim", "persistentvolumeclaims", "", true, &["pvc"]),
            Self::PersistentVolume =>
                info("PersistentVolume", "persistentvolume", "persistentvolumes", "", false, &["pv"]),
            Self::StorageClass =>
                info("StorageClass", "storageclass", "storageclasses", "storage.k8s.io", false, &["sc"]),
            Self::VolumeAttachment =>
                info("VolumeAttachment", "volumeattachment", "volumeattachments", "storage.k8s.io", false, &["va"]),
            Self::CsiNode => info("CSINode", "csinode", "csinodes", "storage.k8s.io", false, &[]),
            Self::CsiDriver => info("CSIDriver", "csidriver", "csidrivers", "storage.k8s.io", false, &[]),
            Self::PodDisruptionBudget =>
                info("PodDisruptionBudget", "poddisruptionbudget", "poddisruptionbudgets", "policy", true, &["pdb"]),
            Self::PriorityClass =>
                info("PriorityClass", "priorityclass", "priorityclasses", "scheduling.k8s.io", false, &["pc"]),
            Self::Endpoints => info("Endpoints", "endpoints", "endpoints", "", true, &["ep"]),
            Self::EndpointSlice =>
                info("EndpointSlice", "endpointslice", "endpointslices", "discovery.k8s.io", true, &[]),
            Self::Event => info("Event", "event", "events", "", true, &["ev"]),
            Self::ConfigMap => info("ConfigMap", "configmap", "configmaps", "", true, &["cm"]),
            Self::Secret => info("Secret", "secret", "secrets", "", true, &[]),
            Self::ServiceAccount => info("ServiceAccount", "serviceaccount", "serviceaccounts", "", true, &["sa"]),
        }
    }

    /// The `kind` field of its manifests.
    pub const fn kind(self) -> &'static str {
        self.info().kind
    }

    /// `statefulset`.
    pub const fn singular(self) -> &'static str {
        self.info().singular
    }

    /// `statefulsets`.
    pub const fn plural(self) -> &'static str {
        self.info().plural
    }

    /// `apps`; empty for the core group.
    pub const fn group(self) -> &'static str {
        self.info().group
    }

    /// Whether its objects live in a namespace.
    pub const fn namespaced(self) -> bool {
        self.info().namespaced
    }

    /// `sts`.
    pub const fn short_names(self) -> &'static [&'static str] {
        self.info().short
    }

    /// The version in which it is served. Everything is `v1` in its group.
    pub const fn version(self) -> &'static str {
        "v1"
    }

    /// `statefulset.apps`, `pod`: how kubectl begins its answers.
    pub fn qualified(self) -> String {
        join_group(self.singular(), self.group())
    }

    /// `statefulsets.apps`, `pods`: how error texts name it.
    pub fn qualified_plural(self) -> String {
        join_group(self.plural(), self.group())
    }

    /// The kind under which the store keeps such objects; `None` for what the store makes up (events, CSI objects,
    /// endpoints).
    pub const fn stored(self) -> Option<Kind> {
        match self {
            Self::Pod => Some(Kind::Pod),
            Self::Service => Some(Kind::Service),
            Self::Deployment => Some(Kind::Deployment),
            Self::ReplicaSet => Some(Kind::ReplicaSet),
            Self::StatefulSet => Some(Kind::StatefulSet),
            Self::ControllerRevision => Some(Kind::Revision),
            Self::Node => Some(Kind::Node),
            Self::Namespace => Some(Kind::Namespace),
            Self::PersistentVolumeClaim => Some(Kind::Claim),
            Self::PersistentVolume => Some(Kind::Volume),
            Self::StorageClass => Some(Kind::StorageClass),
            Self::VolumeAttachment => Some(Kind::Attachment),
            Self::PodDisruptionBudget => Some(Kind::Budget),
            Self::PriorityClass => Some(Kind::PriorityClass),
            Self::EndpointSlice => Some(Kind::EndpointSlice),
            Self::ConfigMap | Self::Secret | Self::ServiceAccount => Some(Kind::Inert),
            Self::CsiNode | Self::CsiDriver | Self::Endpoints | Self::Event => None,
        }
    }

    /// The kind that a word names: singular, plural or short name, in any case, with or without group and version.
    pub fn parse(word: &str) -> Option<Self> {
        let lower = word.to_lowercase();
        let (name, rest) = lower.split_once('.').unwrap_or((&lower, ""));
        Self::EVERY.into_iter().find(|kind| {
            let info = kind.info();
            let named = name == info.singular || name == info.plural || info.short.contains(&name);
            let group = rest.strip_prefix("v1.").unwrap_or(rest);
            named && (rest.is_empty() || group == info.group || (info.group.is_empty() && rest == "v1"))
        })
    }

    /// All names that [`ResourceKind::parse`] knows, to guess what was meant.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let names = |kind: Self| {
            let info = kind.info();
            [info.plural, info.singular].into_iter().chain(info.short.iter().copied())
        };
        Self::EVERY.into_iter().flat_map(names).chain(["all"])
    }

    /// The fields that `--field-selector` knows for this kind, besides metadata.name and metadata.namespace.
    const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Pod => &[
                "spec.nodeName",
                "spec.restartPolicy",
                "spec.schedulerName",
                "spec.serviceAccountName",
                "spec.hostNetwork",
                "status.phase",
                "status.podIP",
                "status.nominatedNodeName",
            ],
            Self::Node => &["spec.unschedulable"],
            Self::Namespace => &["status.phase"],
            Self::Service => &["spec.clusterIP", "spec.type"],
            Self::Secret => &["type"],
            Self::Event => &[
                "involvedObject.kind",
                "involvedObject.namespace",
                "involvedObject.name",
                "involvedObject.uid",
                "involvedObject.apiVersion",
                "involvedObject.resourceVersion",
                "involvedObject.fieldPath",
                "reason",
                "reportingComponent",
                "source",
                "type",
            ],
            _ => &[],
        }
    }
}

fn join_group(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.qualified())
    }
}

/// One condition on one field (`--field-selector`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRequirement {
    /// The field's path: `status.phase`.
    pub field: String,
    /// The value it is compared with.
    pub value: String,
    /// `!=` instead of `=`.
    pub negated: bool,
}

/// A conjunction of conditions on fields; the default one selects everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldSelector {
    requirements: Vec<FieldRequirement>,
}

impl FieldSelector {
    /// Reads `status.phase=Running,metadata.name!=web-0` (apimachinery `fields.ParseSelector`).
    ///
    /// # Errors
    /// The API server's sentence if a term has no operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for term in text.split(',').filter(|term| !term.is_empty()) {
            let operators =
                ["!=", "==", "="].into_iter().filter_map(|operator| Some((term.find(operator)?, operator)));
            let first = operators.min_by_key(|(at, operator)| (*at, std::cmp::Reverse(operator.len())));
            let (at, operator) =
                first.ok_or_else(|| format!("invalid selector: '{text}'; can't understand '{term}'"))?;
            requirements.push(FieldRequirement {
                field: term.get(..at).unwrap_or_default().to_owned(),
                value: term.get(at + operator.len()..).unwrap_or_default().to_owned(),
                negated: operator == "!=",
            });
        }
        Ok(Self { requirements })
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// The conditions.
    pub fn requirements(&self) -> &[FieldRequirement] {
        &self.requirements
    }

    /// Whether an object is selected; `field` answers the value of a field, empty if it is absent.
    pub fn matches(&self, field: impl Fn(&str) -> String) -> bool {
        let met =
            |condition: &FieldRequirement| (field(&condition.field) == condition.value) != condition.negated;
        self.requirements.iter().all(met)
    }

    /// The API server's refusal if it does not know one of the fields for this kind; `labels` is the label selector
    /// of the same request.
    pub fn unknown_field(&self, kind: ResourceKind, labels: &str) -> Option<String> {
        let known = |field: &str| {
            field == "metadata.name"
                || (field == "metadata.namespace" && kind.namespaced())
                || kind.fields().contains(&field)
        };
        let unknown = self.requirements.iter().find(|condition| !known(&condition.field))?;
        let field = &unknown.field;
        let reason = match (kind, kind.fields()) {
            (ResourceKind::StatefulSet, _) => {
                format!("field label not supported for appsv1.StatefulSet: {field}")
            }
            (_, []) => format!(
                "{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
            ),
            _ => format!("field label not supported: {field}"),
        };
        let group_version = format!("{}/{}", kind.group(), kind.version());
        Some(format!(
            "Unable to find \"{group_version}, Resource={}\" that match label selector \"{labels}\", field selector \
             \"{self}\": {reason}",
            kind.plural()
        ))
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, condition) in self.requirements.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let operator = if condition.negated { "!=" } else { "=" };
            write!(f, "{comma}{}{operator}{}", condition.field, condition.value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_kinds() {
        use ResourceKind as Kind;
        let cases = [
            ("po", Some(Kind::Pod)),
            ("POD", Some(Kind::Pod)),
            ("pods", Some(Kind::Pod)),
            ("pods.v1", Some(Kind::Pod)),
            ("pods.apps", None),
            ("sts", Some(Kind::StatefulSet)),
            ("statefulset.apps", Some(Kind::StatefulSet)),
            ("statefulsets.v1.apps", Some(Kind::StatefulSet)),
            ("statefulsets.v1beta1.apps", None),
            ("deploy", Some(Kind::Deployment)),
            ("rs", Some(Kind::ReplicaSet)),
            ("svc", Some(Kind::Service)),
            ("pvc", Some(Kind::PersistentVolumeClaim)),
            ("pv", Some(Kind::PersistentVolume)),
            ("no", Some(Kind::Node)),
            ("ep", Some(Kind::Endpoints)),
            ("pdb", Some(Kind::PodDisruptionBudget)),
            ("controllerrevisions", Some(Kind::ControllerRevision)),
            ("sc", Some(Kind::StorageClass)),
            ("va", Some(Kind::VolumeAttachment)),
            ("volumeattachments", Some(Kind::VolumeAttachment)),
            ("csinodes", Some(Kind::CsiNode)),
            ("ev", Some(Kind::Event)),
            ("ns", Some(Kind::Namespace)),
            ("cm", Some(Kind::ConfigMap)),
            ("endpointslices", Some(Kind::EndpointSlice)),
            ("pc", Some(Kind::PriorityClass)),
            ("nosuch", None),
            ("", None),
        ];
        for (word, kind) in cases {
            assert_eq!(Kind::parse(word), kind, "{word}");
        }
        for kind in Kind::EVERY {
            assert_eq!(Kind::parse(&kind.qualified()), Some(kind));
            assert_eq!(Kind::parse(&kind.qualified_plural()), Some(kind));
            if let Some(stored) = kind.stored().filter(|stored| *stored != crate::api::kind::Kind::Inert) {
                assert_eq!((stored.as_str(), stored.resource()), (kind.kind(), &*kind.qualified_plural()));
                assert_eq!(stored.is_namespaced(), kind.namespaced());
            }
        }
        assert_eq!(Kind::StatefulSet.to_string(), "statefulset.apps");
        assert_eq!(Kind::Pod.to_string(), "pod");
    }

    #[test]
    fn field_selectors() {
        let field = |name: &str| match name {
            "status.phase" => "Running".to_owned(),
            "metadata.name" => "web-0".to_owned(),
            _ => String::new(),
        };
        let cases = [
            ("status.phase=Running", true),
            ("status.phase==Running,metadata.name!=web-1", true),
            ("status.phase!=Running", false),
            ("spec.nodeName=", true),
            ("metadata.name=a=b", false),
            ("", true),
        ];
        for (text, selected) in cases {
            assert_eq!(FieldSelector::parse(text).unwrap().matches(field), selected, "{text}");
        }
        assert_eq!(FieldSelector::parse("a"), Err("invalid selector: 'a'; can't understand 'a'".to_owned()));
        assert_eq!(FieldSelector::parse("a!=b,c==d").unwrap().to_string(), "a!=b,c=d");
        let unknown = FieldSelector::parse("foo=x").unwrap();
        assert_eq!(
            unknown.unknown_field(ResourceKind::Pod, "").as_deref(),
            Some(
                "Unable to find \"/v1, Resource=pods\" that match label selector \"\", field selector \"foo=x\": field \
                 label not supported: foo"
            )
        );
        let revision = unknown.unknown_field(ResourceKind::ControllerRevision, "").unwrap();
        assert!(revision.ends_with("only \"metadata.name\", \"metadata.namespace\""));
        assert_eq!(
            FieldSelector::parse("type=Warning").unwrap().unknown_field(ResourceKind::Event, ""),
            None
        );
    }
}
