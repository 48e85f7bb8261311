//! Names without strings: what an object is called, as eight bytes.
//!
//! The world holds no text. A word that occurs in a manifest is interned once as a [`Sym`]; an object's name is a
//! [`Name`]: a stem and, where the text ends in `-<number>`, that number. `web-0` and `web-1` share the stem `web`,
//! `data-web-0` has the stem `data-web`. The split is a pure function of the text, so two equal texts are always
//! equal names. Text is rendered only at the edges (22 ns a name; a queue operation costs as much).
use rustc_hash::FxHashMap;

/// An interned word: equal words have equal numbers within one run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Sym(u32);

impl Sym {
    /// The empty word: "no namespace", "no class", "not set".
    pub const EMPTY: Sym = Sym(0);
    /// The namespace `default`.
    pub const DEFAULT: Sym = Sym(1);
    /// Stem of volumes named by the claim they were provisioned for: `pvc-<uid of the claim>` (VOL-13).
    pub(crate) const PVC: Sym = Sym(2);

    /// True for the empty word.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The word with this number, as [`Sym::as_u32`] gave it.
    pub(crate) fn from_u32(number: u32) -> Sym {
        Sym(number)
    }

    /// The number behind the word, for keyed draws and hashes.
    pub fn as_u32(self) -> u32 {
        self.0
    }
}

/// The unique identity of one incarnation of an object. Rendered as a UUID that depends on the seed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Uid(pub u32);

impl Uid {
    /// No object.
    pub const NONE: Uid = Uid(0);

    /// True if this names no object.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// What an object is called inside its namespace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Name {
    stem: Sym,
    number: u32,
}

/// Marks the stem of a VolumeAttachment: the remaining bits are the volume's table index, the number is the node's.
const ATTACHMENT: u32 = 1 << 31;
const NO_NUMBER: u32 = u32::MAX;

impl Name {
    /// The name `<stem>-<number>`.
    ///
    /// # Panics
    /// Never for numbers up to 2^31-1, the largest ordinal there is (STS-14).
    pub fn numbered(stem: Sym, number: u32) -> Name {
        Name { stem, number }
    }

    /// The name of the volume provisioned for the claim with this uid (VOL-13).
    pub fn of_provisioned_volume(claim: Uid) -> Name {
        Name { stem: Sym::PVC, number: claim.0 }
    }

    /// The name of the VolumeAttachment of a volume to a node (VOL-30): a pure function of the two.
    pub fn of_attachment(volume: u32, node: u32) -> Name {
        Name { stem: Sym(volume | ATTACHMENT), number: node }
    }

    /// The part before the final `-<number>`, or the whole name.
    pub fn stem(self) -> Sym {
        self.stem
    }

    /// The number the name ends in, if it is an ordinal as Kubernetes reads one: digits, at most 2^31-1 (STS-14).
    pub fn ordinal(self) -> Option<u32> {
        (self.number != NO_NUMBER && self.stem != Sym::PVC && self.stem.0 & ATTACHMENT == 0)
            .then_some(self.number)
    }

    /// True if this is the name of a provisioned volume, `pvc-<uid>`.
    pub fn provisioned_for(self) -> Option<Uid> {
        (self.stem == Sym::PVC).then_some(Uid(self.number))
    }

    /// The volume and node indexes, if this is the name of a VolumeAttachment.
    pub fn attachment(self) -> Option<(u32, u32)> {
        (self.stem.0 & ATTACHMENT != 0).then_some((self.stem.0 & !ATTACHMENT, self.number))
    }

    /// A number that differs for different names, for keyed draws.
    pub fn key(self) -> u64 {
        (u64::from(self.stem.0) << 32) | u64::from(self.number)
    }
}

/// The words of a run. Append-only.
#[derive(Clone, Debug)]
pub struct Interner {
    words: Vec<Box<str>>,
    index: FxHashMap<Box<str>, u32>,
}

impl Default for Interner {
    fn default() -> Self {
        let mut names = Interner { words: Vec::new(), index: FxHashMap::default() };
        for word in ["", "default", "pvc"] {
            names.word(word);
        }
        names
    }
}

impl Interner {
    /// The number of a word; interns it at its first occurrence.
    pub fn word(&mut self, text: &str) -> Sym {
        if let Some(&n) = self.index.get(text) {
            return Sym(n);
        }
        let n = u32::try_from(self.words.len()).unwrap_or(ATTACHMENT - 1);
        self.words.push(text.into());
        self.index.insert(text.into(), n);
        Sym(n)
    }

    /// The number of a word that has occurred, or `None`: nothing in the run can be called so.
    pub fn known(&self, text: &str) -> Option<Sym> {
        self.index.get(text).map(|&n| Sym(n))
    }

    /// The text of a word.
    pub fn text(&self, word: Sym) -> &str {
        self.words.get(word.0 as usize).map_or("", |w| w)
    }

    /// The name with this text; interns its stem.
    pub fn name(&mut self, text: &str) -> Name {
        match split_ordinal(text) {
            Some((stem, number)) => Name { stem: self.word(stem), number },
            None => Name { stem: self.word(text), number: NO_NUMBER },
        }
    }

    /// The name with this text, or `None` if nothing in the run can be called so.
    pub fn known_name(&self, text: &str) -> Option<Name> {
        match split_ordinal(text) {
            Some((stem, number)) => Some(Name { stem: self.known(stem)?, number }),
            None => Some(Name { stem: self.known(text)?, number: NO_NUMBER }),
        }
    }

    /// The text of a plain or numbered name. Volumes named by uid and attachments are rendered by the store.
    pub fn render(&self, name: Name) -> String {
        if name.number == NO_NUMBER {
            self.text(name.stem).to_owned()
        } else {
            format!("{}-{}", self.text(name.stem), name.number)
        }
    }

    /// The length of the text of a name in bytes, without rendering it (label values have at most 63, STS-5).
    pub fn len_of(&self, name: Name) -> usize {
        let stem = self.text(name.stem).len();
        if name.number == NO_NUMBER {
            stem
        } else {
            stem + 2 + name.number.checked_ilog10().map_or(0, |d| d as usize)
        }
    }
}

/// Splits `web-0` into `web` and 0. Only what renders back to the same text is split: no leading zeros, no empty
/// stem, at most 2^31-1.
fn split_ordinal(text: &str) -> Option<(&str, u32)> {
    let (stem, digits) = text.rsplit_once('-')?;
    let canonical = !digits.is_empty()
        && digits.len() <= 10
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    if !canonical || stem.is_empty() || stem == "pvc" {
        return None;
    }
    let number = digits.parse::<u32>().ok().filter(|n| *n <= i32::MAX as u32)?;
    Some((stem, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_split_where_they_render_back() {
        let mut names = Interner::default();
        for text in [
            "web-0",
            "web-12",
            "web-007",
            "data-web-2147483647",
            "web-2147483648",
            "web",
            "-1",
            "a-",
            "pvc-3",
        ] {
            let name = names.name(text);
            assert_eq!(names.render(name), text);
            assert_eq!(names.len_of(name), text.len(), "{text}");
            assert_eq!(names.name(text), name);
        }
        assert_eq!(names.name("web-12").ordinal(), Some(12));
        assert_eq!(names.name("web-007").ordinal(), None);
        assert_eq!(names.name("web-2147483648").ordinal(), None);
        assert_eq!(names.name("web-0").stem(), names.name("web-1").stem());
    }

    #[test]
    fn unknown_words_are_not_made_up() {
        let names = Interner::default();
        assert_eq!(names.known("web"), None);
        assert_eq!(names.known_name("default"), Some(Name { stem: Sym::DEFAULT, number: NO_NUMBER }));
    }
}
