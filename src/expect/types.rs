//! Types and values of the language.
//!
//! CEL's, as far as a cluster has such values: integers of 64 bits, doubles, booleans, strings, spans of time, lists,
//! and objects with fields. Instants are spans since the start of the run, because virtual time has no date. Values
//! borrow from the cluster they are read from and are gone with the evaluation: they are no model state.
use crate::api::kind::Kind;
use crate::api::labels::LabelsId;
use crate::api::names::Uid;
use crate::api::objects::*;
use crate::kernel::Id;
use crate::workload::database::Database;
use std::borrow::Cow;
use std::fmt;

/// What an object is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Class {
    Pod,
    StatefulSet,
    Deployment,
    ReplicaSet,
    Node,
    Claim,
    Volume,
    VolumeAttachment,
    Budget,
    Service,
    Endpoint,
    Condition,
    Container,
    Taint,
    Event,
    Process,
    Disk,
    Fault,
    Database,
    Dns,
    Peers,
    OwnVolume,
}

impl Class {
    /// All of them, in the order of the documentation.
    pub(super) const ALL: [Class; 22] = [
        Class::Pod,
        Class::Condition,
        Class::Container,
        Class::StatefulSet,
        Class::Deployment,
        Class::ReplicaSet,
        Class::Node,
        Class::Taint,
        Class::Claim,
        Class::Volume,
        Class::VolumeAttachment,
        Class::Budget,
        Class::Service,
        Class::Endpoint,
        Class::Event,
        Class::Process,
        Class::Disk,
        Class::Fault,
        Class::Database,
        Class::Peers,
        Class::OwnVolume,
        Class::Dns,
    ];

    /// The name of the type.
    pub(super) fn name(self) -> &'static str {
        match self {
            Class::Pod => "Pod",
            Class::StatefulSet => "StatefulSet",
            Class::Deployment => "Deployment",
            Class::ReplicaSet => "ReplicaSet",
            Class::Node => "Node",
            Class::Claim => "PersistentVolumeClaim",
            Class::Volume => "PersistentVolume",
            Class::VolumeAttachment => "VolumeAttachment",
            Class::Budget => "PodDisruptionBudget",
            Class::Service => "Service",
            Class::Endpoint => "Endpoint",
            Class::Condition => "Condition",
            Class::Container => "ContainerStatus",
            Class::Taint => "Taint",
            Class::Event => "Event",
            Class::Process => "Process",
            Class::Disk => "Disk",
            Class::Fault => "Fault",
            Class::Database => "Database",
            Class::Dns => "Dns",
            Class::Peers => "Peers",
            Class::OwnVolume => "OwnVolume",
        }
    }

    /// What a sentence calls it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Class::Pod => "pod",
            Class::Node => "node",
            Class::Service => "service",
            Class::Endpoint => "endpoint",
            Class::Condition => "condition",
            Class::Container => "container",
            Class::Taint => "taint",
            Class::Event => "event",
            Class::Process => "process",
            Class::Disk => "disk",
            Class::Fault => "fault",
            Class::Database => "database",
            Class::Dns => "resolver",
            Class::Peers => "group of peers",
            Class::OwnVolume => "volume of its own",
            other => other.name(),
        }
    }

    /// The kind of API object it stands for, if it stands for one.
    pub(super) fn kind(self) -> Option<Kind> {
        Some(match self {
            Class::Pod => Kind::Pod,
            Class::StatefulSet => Kind::StatefulSet,
            Class::Deployment => Kind::Deployment,
            Class::ReplicaSet => Kind::ReplicaSet,
            Class::Node => Kind::Node,
            Class::Claim => Kind::Claim,
            Class::Volume => Kind::Volume,
            Class::VolumeAttachment => Kind::Attachment,
            Class::Budget => Kind::Budget,
            Class::Service => Kind::Service,
            _ => return None,
        })
    }
}

/// What a value is, lists aside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Base {
    /// Whatever is needed: elements of an empty list.
    Any,
    Null,
    Bool,
    Int,
    Double,
    Text,
    Duration,
    /// Labels or annotations: strings by strings.
    Labels,
    Object(Class),
}

/// The type of a value: a base, or lists of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ty {
    /// How many times `list(...)` is around the base.
    pub(super) lists: u8,
    pub(super) base: Base,
}

impl Ty {
    pub(super) const ANY: Ty = Ty::of(Base::Any);
    pub(super) const NULL: Ty = Ty::of(Base::Null);
    pub(super) const BOOL: Ty = Ty::of(Base::Bool);
    pub(super) const INT: Ty = Ty::of(Base::Int);
    pub(super) const DOUBLE: Ty = Ty::of(Base::Double);
    pub(super) const TEXT: Ty = Ty::of(Base::Text);
    pub(super) const DURATION: Ty = Ty::of(Base::Duration);
    pub(super) const LABELS: Ty = Ty::of(Base::Labels);

    pub(super) const fn of(base: Base) -> Ty {
        Ty { lists: 0, base }
    }

    pub(super) const fn object(class: Class) -> Ty {
        Ty::of(Base::Object(class))
    }

    pub(super) const fn list(self) -> Ty {
        Ty { lists: self.lists + 1, base: self.base }
    }

    /// Elements of this list.
    pub(super) fn element(self) -> Option<Ty> {
        Some(Ty { lists: self.lists.checked_sub(1)?, base: self.base })
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Ty::INT | Ty::DOUBLE | Ty::ANY)
    }

    /// The type that holds both, if there is one.
    pub(super) fn join(self, other: Ty) -> Option<Ty> {
        if self == other {
            return Some(self);
        }
        match (self.base, other.base) {
            (Base::Any, _) if self.lists <= other.lists => Some(other),
            (_, Base::Any) if other.lists <= self.lists => Some(self),
            _ => None,
        }
    }

    /// Whether values of the two can be equal.
    pub(super) fn comparable(self, other: Ty) -> bool {
        let nullable = |a: Ty, b: Ty| a == Ty::NULL && b.lists == 0 && matches!(b.base, Base::Object(_));
        let numbers = self.lists == 0 && other.lists == 0 && self.is_number() && other.is_number();
        self.join(other).is_some() || numbers || nullable(self, other) || nullable(other, self)
    }

    /// Whether one can be less than the other.
    pub(super) fn ordered(self, other: Ty) -> bool {
        let numbers = self.is_number() && other.is_number();
        let joined = self.join(other);
        numbers || matches!(joined, Some(Ty::BOOL | Ty::TEXT | Ty::DURATION | Ty::ANY))
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(element) = self.element() {
            return write!(f, "list({element})");
        }
        f.write_str(match self.base {
            Base::Any => "any",
            Base::Null => "null",
            Base::Bool => "bool",
            Base::Int => "int",
            Base::Double => "double",
            Base::Text => "string",
            Base::Duration => "duration",
            Base::Labels => "map(string, string)",
            Base::Object(class) => class.name(),
        })
    }
}

/// An object with its id.
#[derive(Debug)]
pub(super) struct Found<'a, T> {
    pub(super) id: Id<T>,
    pub(super) object: &'a T,
}

impl<T> Clone for Found<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Found<'_, T> {}

impl<T> std::ops::Deref for Found<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.object
    }
}

/// Containers of a pod that really run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Running {
    pub(super) node: Id<Node>,
    pub(super) pod: Id<Pod>,
    pub(super) uid: Uid,
}

/// A disk in the cloud that a machine has, gets or loses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct AttachedDisk {
    pub(super) volume: Id<Volume>,
    pub(super) disk: u32,
    pub(super) node: Id<Node>,
    pub(super) state: &'static str,
}

/// A condition of an object's status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct StatusCondition {
    pub(super) kind: &'static str,
    pub(super) status: &'static str,
    pub(super) reason: &'static str,
}

/// What fields are read from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Handle<'a> {
    /// There is no such object.
    Absent(Class),
    Pod(Found<'a, Pod>),
    StatefulSet(Found<'a, StatefulSet>),
    Deployment(Found<'a, Deployment>),
    ReplicaSet(Found<'a, ReplicaSet>),
    Node(Found<'a, Node>),
    Claim(Found<'a, Claim>),
    Volume(Found<'a, Volume>),
    Attachment(Found<'a, Attachment>),
    Budget(Found<'a, Budget>),
    Service(Found<'a, Service>),
    Endpoint(&'a Endpoint),
    Condition(StatusCondition),
    /// The pod, and which of its containers.
    Container(Found<'a, Pod>, u16),
    Taint(&'a Taint),
    Event(&'a crate::api::events::ApiEvent),
    Process(Running),
    Disk(AttachedDisk),
    Fault(&'a str),
    Database(&'a Database),
    /// What a container sees: its resolver, its peers, its own volumes.
    Here(Class, Here),
}

/// A container that looks around.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Here {
    /// Its pod.
    pub pod: Id<Pod>,
    /// The incarnation of that.
    pub uid: Uid,
    /// The node it runs on.
    pub node: Id<Node>,
    /// No container has run on its volumes before its present run.
    pub fresh: bool,
}

impl<'a> Handle<'a> {
    /// Metadata, of API objects.
    pub(super) fn meta(&self) -> Option<&'a Meta> {
        Some(match self {
            Handle::Pod(found) => &found.object.meta,
            Handle::StatefulSet(found) => &found.object.meta,
            Handle::Deployment(found) => &found.object.meta,
            Handle::ReplicaSet(found) => &found.object.meta,
            Handle::Node(found) => &found.object.meta,
            Handle::Claim(found) => &found.object.meta,
            Handle::Volume(found) => &found.object.meta,
            Handle::Attachment(found) => &found.object.meta,
            Handle::Budget(found) => &found.object.meta,
            Handle::Service(found) => &found.object.meta,
            _ => return None,
        })
    }

    /// True unless there is no such object.
    pub(super) fn exists(&self) -> bool {
        !matches!(self, Handle::Absent(_))
    }

    /// The same object.
    fn same(&self, other: &Handle<'a>) -> bool {
        if let (Some(a), Some(b)) = (self.meta(), other.meta()) {
            return a.uid == b.uid;
        }
        match (self, other) {
            (Handle::Absent(a), Handle::Absent(b)) => a == b,
            (Handle::Endpoint(a), Handle::Endpoint(b)) => a == b,
            (Handle::Condition(a), Handle::Condition(b)) => a == b,
            (Handle::Container(a, m), Handle::Container(b, n)) => a.meta.uid == b.meta.uid && m == n,
            (Handle::Taint(a), Handle::Taint(b)) => a == b,
            (Handle::Event(a), Handle::Event(b)) => a == b,
            (Handle::Process(a), Handle::Process(b)) => a == b,
            (Handle::Disk(a), Handle::Disk(b)) => a == b,
            (Handle::Fault(a), Handle::Fault(b)) => a == b,
            (Handle::Database(a), Handle::Database(b)) => std::ptr::eq(*a, *b),
            (Handle::Here(a, _), Handle::Here(b, _)) => a == b,
            _ => false,
        }
    }
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Cow<'a, str>),
    /// Nanoseconds.
    Duration(i64),
    Labels(Labels<'a>),
    List(Vec<Value<'a>>),
    Object(Handle<'a>),
}

/// Labels of an object, or annotations.
#[derive(Clone, Copy, Debug)]
pub(super) enum Labels<'a> {
    /// Of a pod, whose identity labels are flags (STS-15).
    Pod(&'a Pod),
    Set(LabelsId),
}

impl Value<'_> {
    /// CEL's equality; what is of different types is different.
    pub(super) fn equals(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) | (Value::Duration(a), Value::Duration(b)) => a == b,
            (Value::Double(a), Value::Double(b)) => a == b,
            (Value::Int(_), Value::Double(_)) | (Value::Double(_), Value::Int(_)) => {
                self.order(other).is_eq()
            }
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
            }
            (Value::Object(handle), Value::Null) | (Value::Null, Value::Object(handle)) => !handle.exists(),
            (Value::Object(a), Value::Object(b)) => a.same(b),
            _ => false,
        }
    }

    /// CEL's order: numbers by their values, strings by their characters.
    pub(super) fn order(&self, other: &Value<'_>) -> Order {
        let order = match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (Value::Int(a), Value::Int(b)) | (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
            (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
            (Value::Int(a), Value::Double(b)) => compare(*a, *b),
            (Value::Double(a), Value::Int(b)) => compare(*b, *a).map(std::cmp::Ordering::reverse),
            (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
            _ => None,
        };
        Order(order)
    }

    /// Whether it is what an object that says nothing about it has: no, 0, an empty text, none.
    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Bool(value) => !value,
            Value::Int(value) | Value::Duration(value) => *value == 0,
            Value::Double(value) => *value == 0.0,
            Value::Text(text) => text.is_empty(),
            Value::Labels(Labels::Set(set)) => set.is_empty(),
            Value::Labels(Labels::Pod(_)) => false,
            Value::List(items) => items.is_empty(),
            Value::Object(handle) => !handle.exists(),
        }
    }
}

/// How two values compare; not a number compares with nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Order(pub(super) Option<std::cmp::Ordering>);

impl Order {
    fn is_eq(self) -> bool {
        self.0.is_some_and(std::cmp::Ordering::is_eq)
    }
}

/// An integer and a double, exactly: doubles do not have all integers of 64 bits.
fn compare(int: i64, double: f64) -> Option<std::cmp::Ordering> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        None
    } else if double >= BEYOND {
        Some(std::cmp::Ordering::Less)
    } else if double < -BEYOND {
        Some(std::cmp::Ordering::Greater)
    } else {
        let whole = double.trunc();
        let order = int.cmp(&(whole as i64));
        Some(order.then(0.0f64.partial_cmp(&(double - whole))?))
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}
impl From<i32> for Value<'_> {
    fn from(value: i32) -> Self {
        Value::Int(value.into())
    }
}
impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Value::Int(value.into())
    }
}
impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(text.into())
    }
}
impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text.into())
    }
}
impl From<crate::kernel::Duration> for Value<'_> {
    fn from(span: crate::kernel::Duration) -> Self {
        Value::Duration(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
    }
}
impl From<crate::kernel::Time> for Value<'_> {
    fn from(time: crate::kernel::Time) -> Self {
        Value::Duration(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
    }
}
impl From<Seconds> for Value<'_> {
    /// Not set is 0, as a field that is absent.
    fn from(seconds: Seconds) -> Self {
        if seconds.is_set() { seconds.start().into() } else { Value::Duration(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_join_and_compare() {
        let empty = Ty::ANY.list();
        assert_eq!(empty.join(Ty::INT.list()), Some(Ty::INT.list()));
        assert_eq!(Ty::INT.list().join(empty), Some(Ty::INT.list()));
        assert_eq!(empty.join(Ty::INT), None);
        assert_eq!(Ty::INT.join(Ty::TEXT), None);
        assert!(Ty::NULL.comparable(Ty::object(Class::Pod)) && !Ty::NULL.comparable(Ty::INT));
        assert!(Ty::INT.comparable(Ty::DOUBLE) && Ty::INT.ordered(Ty::DOUBLE));
        assert!(!Ty::object(Class::Pod).ordered(Ty::object(Class::Pod)));
        assert_eq!(Ty::object(Class::Claim).list().to_string(), "list(PersistentVolumeClaim)");
    }

    #[test]
    fn integers_and_doubles_compare_exactly() {
        use std::cmp::Ordering::*;
        for (int, double, expected) in [
            (1, 1.0, Some(Equal)),
            (1, 1.5, Some(Less)),
            (-1, -1.5, Some(Greater)),
            (i64::MAX, 9_223_372_036_854_775_808.0, Some(Less)),
            (i64::MIN, -9_223_372_036_854_775_808.0, Some(Equal)),
            ((1 << 53) + 1, 9_007_199_254_740_992.0, Some(Greater)),
            (0, f64::NAN, None),
        ] {
            assert_eq!(compare(int, double), expected, "{int} {double}");
        }
    }
}
