//! The kinds of objects the API server knows.

/// A kind of API object. The order is the order of printing where several kinds are listed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// v1 Namespace.
    Namespace,
    /// v1 Node.
    Node,
    /// v1 Pod.
    Pod,
    /// v1 PersistentVolumeClaim.
    Claim,
    /// v1 PersistentVolume.
    Volume,
    /// v1 Service.
    Service,
    /// apps/v1 StatefulSet.
    StatefulSet,
    /// apps/v1 Deployment.
    Deployment,
    /// apps/v1 ReplicaSet.
    ReplicaSet,
    /// apps/v1 ControllerRevision.
    Revision,
    /// discovery.k8s.io/v1 EndpointSlice.
    EndpointSlice,
    /// policy/v1 PodDisruptionBudget.
    Budget,
    /// storage.k8s.io/v1 StorageClass.
    StorageClass,
    /// storage.k8s.io/v1 VolumeAttachment.
    Attachment,
    /// scheduling.k8s.io/v1 PriorityClass.
    PriorityClass,
    /// A kind that is stored and returned, and that nothing here acts on: ConfigMap, Secret, ServiceAccount.
    Inert,
}

impl Kind {
    /// All kinds, in order.
    pub const ALL: [Kind; 16] = [
        Kind::Namespace,
        Kind::Node,
        Kind::Pod,
        Kind::Claim,
        Kind::Volume,
        Kind::Service,
        Kind::StatefulSet,
        Kind::Deployment,
        Kind::ReplicaSet,
        Kind::Revision,
        Kind::EndpointSlice,
        Kind::Budget,
        Kind::StorageClass,
        Kind::Attachment,
        Kind::PriorityClass,
        Kind::Inert,
    ];

    /// The `kind` field of its objects. An inert object carries its own.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Namespace => "Namespace",
            Kind::Node => "Node",
            Kind::Pod => "Pod",
            Kind::Claim => "PersistentVolumeClaim",
            Kind::Volume => "PersistentVolume",
            Kind::Service => "Service",
            Kind::StatefulSet => "StatefulSet",
            Kind::Deployment => "Deployment",
            Kind::ReplicaSet => "ReplicaSet",
            Kind::Revision => "ControllerRevision",
            Kind::EndpointSlice => "EndpointSlice",
            Kind::Budget => "PodDisruptionBudget",
            Kind::StorageClass => "StorageClass",
            Kind::Attachment => "VolumeAttachment",
            Kind::PriorityClass => "PriorityClass",
            Kind::Inert => "Object",
        }
    }

    /// The `apiVersion` field of its objects.
    pub fn api_version(self) -> &'static str {
        match self {
            Kind::StatefulSet | Kind::Deployment | Kind::ReplicaSet | Kind::Revision => "apps/v1",
            Kind::EndpointSlice => "discovery.k8s.io/v1",
            Kind::Budget => "policy/v1",
            Kind::StorageClass | Kind::Attachment => "storage.k8s.io/v1",
            Kind::PriorityClass => "scheduling.k8s.io/v1",
            _ => "v1",
        }
    }

    /// The resource name in URLs and messages, with its group: `statefulsets.apps`.
    pub fn resource(self) -> &'static str {
        match self {
            Kind::Namespace => "namespaces",
            Kind::Node => "nodes",
            Kind::Pod => "pods",
            Kind::Claim => "persistentvolumeclaims",
            Kind::Volume => "persistentvolumes",
            Kind::Service => "services",
            Kind::StatefulSet => "statefulsets.apps",
            Kind::Deployment => "deployments.apps",
            Kind::ReplicaSet => "replicasets.apps",
            Kind::Revision => "controllerrevisions.apps",
            Kind::EndpointSlice => "endpointslices.discovery.k8s.io",
            Kind::Budget => "poddisruptionbudgets.policy",
            Kind::StorageClass => "storageclasses.storage.k8s.io",
            Kind::Attachment => "volumeattachments.storage.k8s.io",
            Kind::PriorityClass => "priorityclasses.scheduling.k8s.io",
            Kind::Inert => "objects",
        }
    }

    /// True if its objects live in a namespace.
    pub fn is_namespaced(self) -> bool {
        !matches!(
            self,
            Kind::Namespace
                | Kind::Node
                | Kind::Volume
                | Kind::StorageClass
                | Kind::Attachment
                | Kind::PriorityClass
        )
    }

    /// The kind with this `kind` field, unless it is an inert one.
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind != Kind::Inert && kind.as_str() == text)
    }
}
