//! Which lists of the API merge, and by which key: the `patchStrategy` and `patchMergeKey` tags of
//! `k8s.io/api/{core,apps,policy,...}/v1/types.go`, for the kinds the simulator has. What is not listed here follows
//! the rule of the tags' absence: objects merge, lists are replaced whole.

/// How a field is patched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Set if the list merges: by this key, or (`""`) as a list of scalars.
    pub(super) merge_key: Option<&'static str>,
    /// Keys absent from the patch author's object are cleared (unions such as volumes and strategies).
    pub(super) retain_keys: bool,
    /// An object that is replaced instead of merged.
    pub(super) replace: bool,
    /// The rules of the field's own fields (of its elements, for a list).
    pub(super) schema: &'static Schema,
}

/// The rules of an object's fields.
#[derive(Debug)]
pub(super) struct Schema {
    fields: &'static [(&'static str, Rule)],
}

impl Schema {
    /// The rule of `field`.
    pub(super) fn rule(&self, field: &str) -> Rule {
        self.fields.iter().find(|(name, _)| *name == field).map_or(object(&PLAIN), |(_, rule)| *rule)
    }

    /// The rules of a kind; kinds without tagged fields share those of the metadata.
    pub(super) fn of_kind(kind: &str) -> &'static Self {
        match kind {
            "Pod" => &POD,
            "PodTemplate" => &POD_TEMPLATE,
            "StatefulSet" | "ReplicaSet" | "DaemonSet" => &WORKLOAD,
            "Deployment" => &DEPLOYMENT,
            "Service" => &SERVICE,
            "Node" => &NODE,
            "PodDisruptionBudget" => &BUDGET,
            "CSINode" => &CSI_NODE,
            _ => &OTHER,
        }
    }
}

const fn object(schema: &'static Schema) -> Rule {
    Rule { merge_key: None, retain_keys: false, replace: false, schema }
}

const fn merge(merge_key: &'static str, schema: &'static Schema) -> Rule {
    Rule { merge_key: Some(merge_key), retain_keys: false, replace: false, schema }
}

const fn retain_keys(rule: Rule) -> Rule {
    Rule { retain_keys: true, ..rule }
}

static PLAIN: Schema = Schema { fields: &[] };
static META: Schema =
    Schema { fields: &[("ownerReferences", merge("uid", &PLAIN)), ("finalizers", merge("", &PLAIN))] };
static CONDITIONS: Schema = Schema { fields: &[("conditions", merge("type", &PLAIN))] };
static CONTAINER: Schema = Schema {
    fields: &[
        ("ports", merge("containerPort", &PLAIN)),
        ("env", merge("name", &PLAIN)),
        ("volumeMounts", merge("mountPath", &PLAIN)),
        ("volumeDevices", merge("devicePath", &PLAIN)),
    ],
};
static POD_SPEC: Schema = Schema {
    fields: &[
        ("containers", merge("name", &CONTAINER)),
        ("initContainers", merge("name", &CONTAINER)),
        ("ephemeralContainers", merge("name", &CONTAINER)),
        ("volumes", retain_keys(merge("name", &PLAIN))),
        ("imagePullSecrets", merge("name", &PLAIN)),
        ("hostAliases", merge("ip", &PLAIN)),
        ("topologySpreadConstraints", merge("topologyKey", &PLAIN)),
        ("resourceClaims", retain_keys(merge("name", &PLAIN))),
        ("schedulingGates", merge("name", &PLAIN)),
    ],
};
static POD_STATUS: Schema = Schema {
    fields: &[
        ("conditions", merge("type", &PLAIN)),
        ("podIPs", merge("ip", &PLAIN)),
        ("hostIPs", merge("ip", &PLAIN)),
        ("resourceClaimStatuses", retain_keys(merge("name", &PLAIN))),
    ],
};
static POD: Schema = Schema {
    fields: &[("metadata", object(&META)), ("spec", object(&POD_SPEC)), ("status", object(&POD_STATUS))],
};
static TEMPLATE: Schema = Schema { fields: &[("metadata", object(&META)), ("spec", object(&POD_SPEC))] };
static POD_TEMPLATE: Schema =
    Schema { fields: &[("metadata", object(&META)), ("template", object(&TEMPLATE))] };
static WORKLOAD_SPEC: Schema = Schema { fields: &[("template", object(&TEMPLATE))] };
static WORKLOAD: Schema = Schema {
    fields: &[("metadata", object(&META)), ("spec", object(&WORKLOAD_SPEC)), ("status", object(&CONDITIONS))],
};
static DEPLOYMENT_SPEC: Schema =
    Schema { fields: &[("template", object(&TEMPLATE)), ("strategy", retain_keys(object(&PLAIN)))] };
static DEPLOYMENT: Schema = Schema {
    fields: &[
        ("metadata", object(&META)),
        ("spec", object(&DEPLOYMENT_SPEC)),
        ("status", object(&CONDITIONS)),
    ],
};
static SERVICE_SPEC: Schema = Schema { fields: &[("ports", merge("port", &PLAIN))] };
static SERVICE: Schema = Schema {
    fields: &[("metadata", object(&META)), ("spec", object(&SERVICE_SPEC)), ("status", object(&CONDITIONS))],
};
static NODE_SPEC: Schema = Schema { fields: &[("podCIDRs", merge("", &PLAIN))] };
static NODE_STATUS: Schema =
    Schema { fields: &[("conditions", merge("type", &PLAIN)), ("addresses", merge("type", &PLAIN))] };
static NODE: Schema = Schema {
    fields: &[("metadata", object(&META)), ("spec", object(&NODE_SPEC)), ("status", object(&NODE_STATUS))],
};
static BUDGET_SPEC: Schema = Schema {
    fields: &[("selector", Rule { merge_key: None, retain_keys: false, replace: true, schema: &PLAIN })],
};
static BUDGET: Schema = Schema {
    fields: &[("metadata", object(&META)), ("spec", object(&BUDGET_SPEC)), ("status", object(&CONDITIONS))],
};
static CSI_NODE_SPEC: Schema = Schema { fields: &[("drivers", merge("name", &PLAIN))] };
static CSI_NODE: Schema = Schema { fields: &[("metadata", object(&META)), ("spec", object(&CSI_NODE_SPEC))] };
static OTHER: Schema = Schema { fields: &[("metadata", object(&META)), ("status", object(&CONDITIONS))] };
