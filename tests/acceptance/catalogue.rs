//! The catalogue of accepted behaviours and the tests agree: what counts as tested has a test, and no test is unknown.
//!
//! Entries are the lines `- T-STS-001 ...` of `docs/acceptance.md` up to its last part, which lists the open ones.
//! Tests are found by their names, in `tests/acceptance/` and in `src/`. `BLESS=1` writes numbers and list anew; reasons
//! of entries that stay open are kept.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Parts of which every entry without a foreign feature is tested or listed as open, and what they are called.
const COMPLETE: [(&str, &str); 4] =
    [("STS", "StatefulSet"), ("DEP", "Deployment"), ("PDB", "PDB"), ("DNS", "DNS")];
/// The other parts.
const OTHERS: [(&str, &str); 4] =
    [("VOL", "Storage"), ("NODE", "Nodes"), ("GC", "Garbage collector"), ("ESR", "Proofs and bug patterns")];

const PAGE: &str = "docs/acceptance.md";
const TABLE: &str = "| part | entries | tested | open |\n| --- | --- | --- | --- |\n";
const OPEN: &str = "\n## Open\n";
const NO_TEST: &str = "no test of its own yet";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The id a line begins with, after its dash: part and number.
fn id_of(line: &str) -> Option<String> {
    let word = line.strip_prefix("- ")?.split([' ', ':']).next()?;
    let (part, number) = word.strip_prefix("T-")?.split_once('-')?;
    let sound = number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit());
    (sound && part.bytes().all(|b| b.is_ascii_uppercase())).then(|| format!("T-{part}-{number}"))
}

/// The ids in the name of a test: `t_sts_023_024_x` is T-STS-023 and T-STS-024.
fn ids_in(name: &str) -> Vec<String> {
    let mut words = name.split('_');
    let (Some("t"), Some(part)) = (words.next(), words.next()) else { return Vec::new() };
    words
        .take_while(|word| word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit()))
        .map(|number| format!("T-{}-{number}", part.to_uppercase()))
        .collect()
}

/// The ids of the tests in a source text: functions with `#[test]` before them.
fn tests_in(text: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("fn ").filter(|_| marked) {
            ids.extend(ids_in(rest.split('(').next().unwrap_or_default()));
        }
        marked = line == "#[test]" || marked && (line.starts_with("#[") || line.starts_with("//"));
    }
    ids
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder that can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What the page says.
#[derive(Default)]
struct Catalogue {
    /// What each entry needs: `Y`, `Y+`, `U`, `N:count`.
    entries: BTreeMap<String, String>,
    /// Open entries and why.
    open: BTreeMap<String, String>,
}

impl Catalogue {
    fn read(page: &str) -> Catalogue {
        let (body, open) = page.split_once(OPEN).expect("the part that lists what is open");
        let mut catalogue = Catalogue::default();
        for line in body.lines() {
            let Some(id) = id_of(line) else { continue };
            let needs = line.rsplit_once("`[").and_then(|(_, rest)| rest.strip_suffix("]`"));
            let needs = needs.unwrap_or_else(|| panic!("{id} ends without `[...]`")).to_owned();
            assert!(catalogue.entries.insert(id.clone(), needs).is_none(), "{id} is there twice");
        }
        for line in open.lines() {
            if let Some(id) = id_of(line) {
                let reason = line.split_once(": ").map_or("", |(_, reason)| reason);
                catalogue.open.insert(id, reason.to_owned());
            }
        }
        catalogue
    }

    fn of<'a>(&'a self, part: &str) -> impl Iterator<Item = (&'a String, &'a String)> {
        let prefix = format!("T-{part}-");
        self.entries.iter().filter(move |(id, _)| id.starts_with(&prefix))
    }

    /// Head and list as they should be for these tests.
    fn table(&self, tested: &BTreeSet<String>) -> String {
        let mut table = TABLE.to_owned();
        for (n, (part, name)) in COMPLETE.into_iter().chain(OTHERS).enumerate() {
            let entries = self.of(part).count();
            let tested = self.of(part).filter(|(id, _)| tested.contains(*id)).count();
            let open = if n < COMPLETE.len() { (entries - tested).to_string() } else { "-".into() };
            table.push_str(&format!("| {name} (T-{part}) | {entries} | {tested} | {open} |\n"));
        }
        table
    }

    fn open_list(&self, tested: &BTreeSet<String>) -> String {
        let mut list = String::new();
        for (part, _) in COMPLETE {
            for (id, needs) in self.of(part).filter(|(id, _)| !tested.contains(*id)) {
                let why = match (self.open.get(id), needs.strip_prefix("N:")) {
                    (Some(reason), _) if !reason.is_empty() => reason.clone(),
                    (_, Some(features)) => format!("needs {features}"),
                    _ => NO_TEST.to_owned(),
                };
                list.push_str(&format!("- {id}: {why}\n"));
            }
        }
        list
    }

    /// The page with numbers and list as they should be.
    fn written(&self, page: &str, tested: &BTreeSet<String>) -> String {
        let (head, rest) = page.split_once(TABLE).expect("the table of parts");
        let rows = rest.lines().take_while(|line| line.starts_with("| ")).map(|row| row.len() + 1).sum();
        let rest = rest.get(rows..).unwrap_or_default();
        let (body, open) = rest.split_once(OPEN).expect("the part that lists what is open");
        let why = open.split("\n- ").next().unwrap_or_default().trim();
        format!("{head}{}{body}{OPEN}\n{why}\n\n{}", self.table(tested), self.open_list(tested))
    }
}

/// The ids of all tests there are.
fn tested() -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["src", "tests/acceptance"] {
        sources(&root().join(folder), &mut files);
    }
    let texts = files.iter().map(|file| fs::read_to_string(file).expect("a file that can be read"));
    texts.flat_map(|text| tests_in(&text)).collect()
}

#[test]
fn every_entry_is_tested_or_open_and_every_test_is_an_entry() {
    let path = root().join(PAGE);
    let page = fs::read_to_string(&path).expect("the catalogue");
    let catalogue = Catalogue::read(&page);
    let tested = tested();
    assert!(catalogue.entries.len() >= 366, "only {} entries", catalogue.entries.len());
    let unknown: Vec<_> = tested.iter().filter(|id| !catalogue.entries.contains_key(*id)).collect();
    assert!(unknown.is_empty(), "tests of entries that {PAGE} does not have: {unknown:?}");
    let written = catalogue.written(&page, &tested);
    #[expect(clippy::disallowed_methods, reason = "a test that is asked to write what it compares with")]
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, written).expect("the catalogue can be written");
        return;
    }
    let (is, should): (BTreeSet<_>, BTreeSet<_>) = (page.lines().collect(), written.lines().collect());
    let (too_much, missing): (Vec<_>, Vec<_>) =
        (is.difference(&should).collect(), should.difference(&is).collect());
    assert_eq!(page, written, "{PAGE} says {too_much:#?}, and it is {missing:#?}; `BLESS=1` writes that");
}

#[test]
fn ids_are_read_from_lines_names_and_sources() {
    assert_eq!(id_of("- T-STS-013 Recreates => x `[Y]`").as_deref(), Some("T-STS-013"));
    assert_eq!(id_of("- T-STS-013: why").as_deref(), Some("T-STS-013"));
    for line in ["T-STS-013 x", "- T-STS-13 x", "- T-STS-x13", "| T-STS-013 |", "- [T-STS-013]"] {
        assert_eq!(id_of(line), None, "{line}");
    }
    assert_eq!(ids_in("t_sts_023_024_rolls_2_of_3"), ["T-STS-023", "T-STS-024"]);
    assert_eq!(ids_in("two_sts_023"), [""; 0]);
    let source = "#[test]\nfn t_dep_001_a() {}\nfn t_dep_002_b() {}\n    #[test]\n    fn t_dep_003_c() {}";
    assert_eq!(tests_in(source), ["T-DEP-001", "T-DEP-003"]);
}

#[test]
fn a_page_is_written_with_its_numbers_and_its_open_entries() {
    let page = format!(
        "x\n{TABLE}\n## 1. A\n- T-STS-001 a `[Y]`\n- T-STS-002 b `[N:lag]`\n- T-STS-003 c `[U]`\n- T-STS-004 d `[Y+]`\n{OPEN}\nWhy.\n\n\
         - T-STS-001: gone\n- T-STS-003: hard to say\n"
    );
    let tested = BTreeSet::from(["T-STS-001".to_owned()]);
    let written = Catalogue::read(&page).written(&page, &tested);
    assert!(written.contains("| StatefulSet (T-STS) | 4 | 1 | 3 |\n"), "{written}");
    assert!(written.contains("(T-ESR) | 0 | 0 | - |\n\n## 1. A\n- T-STS-001 a"), "{written}");
    assert!(
        written.ends_with(
            "\n\n## Open\n\nWhy.\n\n- T-STS-002: needs lag\n- T-STS-003: hard to say\n- T-STS-004: no test of its own yet\n"
        ),
        "{written}"
    );
    assert_eq!(
        Catalogue::read(&written).written(&written, &tested),
        written,
        "writing twice changes nothing"
    );
}
