//! What a mapping of the scenario file can have, as a table: the reader takes the names from it that it knows, and the
//! JSON Schema is made of it ([`super::schema`]), so that an editor and the reader never disagree about a name.

/// A mapping of the scenario file.
#[derive(Debug)]
pub struct Table {
    /// What the schema calls it; unique.
    pub name: &'static str,
    /// What it can have.
    pub fields: &'static [Field],
    /// Those it must have.
    pub required: &'static [&'static str],
}

/// A field.
#[derive(Debug)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// One sentence for the user, without a full stop.
    pub about: &'static str,
}

/// What a value looks like.
#[derive(Debug)]
pub enum Shape {
    /// Anything.
    Any,
    /// Anything but a mapping.
    NoMapping,
    /// Text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A whole number, not negative.
    Whole,
    /// `500ms`, `1h30m`.
    Duration,
    /// A duration, `never`, or a distribution.
    Latency,
    /// `500m`, `10Gi`, 3.
    Quantity,
    /// A word of a command line.
    Word,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One word of a list that lies elsewhere.
    Named(fn() -> Vec<&'static str>),
    /// Text that this regular expression matches.
    Like(&'static str),
    /// A list.
    List(&'static Shape),
    /// A mapping from whatever names to such values.
    Map(&'static Shape),
    /// A mapping from these names to such values.
    MapOf(&'static [&'static str], &'static Shape),
    /// A mapping that has a table.
    Of(&'static Table),
    /// One of several.
    Either(&'static [Shape]),
    /// A Kubernetes manifest.
    Manifest,
    /// An entry of the lane: exactly one verb, and options that it takes.
    Fault,
    /// A step: exactly one verb, and options that it takes.
    Step,
}

impl Table {
    /// A mapping with these fields, none of which it must have.
    pub const fn new(name: &'static str, fields: &'static [Field]) -> Table {
        Table { name, fields, required: &[] }
    }

    /// The names of all fields.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|field| field.name)
    }
}

/// One line of a table.
pub const fn field(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { name, shape, about }
}

/// Names that are known at a place.
pub trait Known {
    /// All of them, as they are to be suggested.
    fn known(&self) -> Vec<&'static str>;
}

impl Known for Table {
    fn known(&self) -> Vec<&'static str> {
        self.names().collect()
    }
}
impl Known for [&'static str] {
    fn known(&self) -> Vec<&'static str> {
        self.to_vec()
    }
}
impl<const N: usize> Known for [&'static str; N] {
    fn known(&self) -> Vec<&'static str> {
        self.to_vec()
    }
}
