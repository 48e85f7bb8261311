//! One step of a path.

/// One step of a path into a JSON value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A key of an object.
    Field(String),
    /// An index of an array, counted from 0.
    Index(usize),
}
