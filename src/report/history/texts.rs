//! Every text once.
use rustc_hash::FxHashMap;

/// A table of texts; each has a number, by order of first use.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    all: Vec<String>,
    numbers: FxHashMap<String, u32>,
}

impl Texts {
    /// The number of a text.
    pub fn of(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    /// The text of a number.
    pub fn text(&self, number: u32) -> &str {
        self.all.get(number as usize).map_or("", String::as_str)
    }

    /// All texts, by number.
    pub fn all(&self) -> &[String] {
        &self.all
    }
}
