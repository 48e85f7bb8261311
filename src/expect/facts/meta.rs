//! Fields that all API objects have.
use super::{Field, Get};
use crate::api::objects::Finalizers;
use crate::expect::types::{Labels, Ty, Value};

/// metadata, and whether the object is there at all.
pub(super) const META: &[Field] = &[
    Field::new("exists", Ty::BOOL, Get::Exists, "there is such an object in the API"),
    Field::new("name", Ty::TEXT, Get::Meta(|look, meta| look.name(meta.name)), "its name"),
    Field::new("namespace", Ty::TEXT, Get::Meta(|look, meta| look.word(meta.namespace)), "its namespace"),
    Field::new(
        "uid",
        Ty::TEXT,
        Get::Meta(|look, meta| look.uid(meta.uid)),
        "its uid: another one for each incarnation",
    ),
    Field::new(
        "terminating",
        Ty::BOOL,
        Get::Meta(|_, meta| meta.is_terminating().into()),
        "it is being deleted: it has a deletionTimestamp",
    ),
    Field::new(
        "created",
        Ty::DURATION,
        Get::Meta(|_, meta| meta.created.into()),
        "when it was created, in whole seconds",
    ),
    Field::new("metadata.name", Ty::TEXT, Get::Meta(|look, meta| look.name(meta.name)), "its name"),
    Field::new(
        "metadata.namespace",
        Ty::TEXT,
        Get::Meta(|look, meta| look.word(meta.namespace)),
        "its namespace",
    ),
    Field::new("metadata.uid", Ty::TEXT, Get::Meta(|look, meta| look.uid(meta.uid)), "its uid"),
    Field::new(
        "metadata.resourceVersion",
        Ty::TEXT,
        Get::Meta(|_, meta| meta.revision.0.to_string().into()),
        "the number of its last change",
    ),
    Field::new(
        "metadata.generation",
        Ty::INT,
        Get::Meta(|_, meta| meta.generation.get().into()),
        "how often it has been specified; 0 for kinds that do not count",
    ),
    Field::new(
        "metadata.creationTimestamp",
        Ty::DURATION,
        Get::Meta(|_, meta| meta.created.into()),
        "when it was created, in whole seconds",
    ),
    Field::new(
        "metadata.deletionTimestamp",
        Ty::DURATION,
        Get::Meta(|look, meta| look.store().rare(meta).deleted.into()),
        "when its deletion is or was due; has() tells whether it is being deleted",
    ),
    Field::new(
        "metadata.deletionGracePeriodSeconds",
        Ty::INT,
        Get::Meta(|look, meta| look.store().rare(meta).grace.into()),
        "the grace period of its deletion",
    ),
    Field::new(
        "metadata.annotations",
        Ty::LABELS,
        Get::Meta(|_, meta| Value::Labels(Labels::Set(meta.annotations))),
        "annotations, except those that only controllers use",
    ),
    Field::new(
        "metadata.finalizers",
        Ty::TEXT.list(),
        Get::Meta(|look, meta| {
            let known = Finalizers::ALL.into_iter().filter(|(bit, _)| meta.finalizers.has(*bit));
            let others = look.store().words.get(look.store().rare(meta).other_finalizers);
            let others = others.iter().map(|word| look.word(*word));
            Value::List(known.map(|(_, text)| text.into()).chain(others).collect())
        }),
        "what holds it when it is deleted",
    ),
    Field::new(
        "owner",
        Ty::TEXT,
        Get::Meta(|look, meta| {
            look.store().controller_of(meta.owners).map_or("".into(), |owner| look.name(owner.name))
        }),
        "name of the object that controls it",
    ),
];
