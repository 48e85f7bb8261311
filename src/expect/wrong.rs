//! What can be wrong with an expression: before it runs ([`Wrong`]), and while it does ([`Trouble`]).
use super::types::Class;
use std::fmt;
use std::ops::Range;

/// A place in the text of an expression: bytes from start to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Place {
    pub(super) start: u16,
    pub(super) end: u16,
}

impl Place {
    /// Texts are shorter than 64 KiB: [`super::MAX_LENGTH`].
    pub(super) fn new(start: usize, end: usize) -> Place {
        let short = |n| u16::try_from(n).unwrap_or(u16::MAX);
        Place { start: short(start), end: short(end) }
    }

    /// From the beginning of one to the end of the other.
    pub(super) fn to(self, end: Place) -> Place {
        Place { start: self.start, end: end.end }
    }

    pub(super) fn range(self) -> Range<usize> {
        usize::from(self.start)..usize::from(self.end)
    }
}

/// What is wrong with a text that is no expression, or one that has no meaning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// Where: bytes of the text.
    pub span: Range<usize>,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do about it, one sentence without a full stop.
    pub help: Option<String>,
}

impl Wrong {
    pub(super) fn new(place: Place, message: impl Into<String>) -> Wrong {
        Wrong { span: place.range(), message: message.into(), help: None }
    }

    pub(super) fn with_help(mut self, help: impl Into<String>) -> Wrong {
        self.help = Some(help.into());
        self
    }

    /// Asks whether the nearest of these was meant; if none is near, names them all.
    pub(super) fn with_nearest<'a>(self, word: &str, known: impl Iterator<Item = &'a str> + Clone) -> Wrong {
        if let Some(near) = crate::api::manifest::nearest(word, known.clone()) {
            return self.with_help(format!("did you mean `{near}`?"));
        }
        let mut all: Vec<&str> = known.collect();
        all.sort_unstable();
        all.dedup();
        match all.len() {
            0 => self,
            1..=40 => self.with_help(format!("there is {}", all.join(", "))),
            more => self.with_help(format!("there is {} and {} more", all[..30].join(", "), more - 30)),
        }
    }
}

pub(super) type Read<T> = Result<T, Wrong>;

/// Why an expression has no value, as CEL's errors are: `a || b` is true all the same if one of them is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Trouble {
    pub(super) place: Place,
    pub(super) what: What,
}

impl Trouble {
    /// Where: bytes of the expression's text.
    pub fn span(&self) -> Range<usize> {
        self.place.range()
    }
}

/// The kinds of [`Trouble`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum What {
    Absent(Class),
    Overflow,
    DivisionByZero,
    OutOfRange(i64, usize),
    NoLabel,
    TooMuchWork,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Absent(class) => write!(f, "there is no such {}", class.word()),
            What::Overflow => f.write_str("the result is too large"),
            What::DivisionByZero => f.write_str("division by zero"),
            What::OutOfRange(index, 0) => write!(f, "there is no element {index} in an empty list"),
            What::OutOfRange(index, size) => write!(f, "there is no element {index} in a list of {size}"),
            What::NoLabel => f.write_str("there is no such key"),
            What::TooMuchWork => f.write_str("this takes too many steps to evaluate"),
        }
    }
}
