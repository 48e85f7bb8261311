//! What pages that are written by running scenarios share.
use crate::common::{root, stsim};
use serde_json::Value;
use std::fmt::Write;
use stsim::scenario::yaml;

const BEGIN: &str = "<!-- generated -->\n";
const END: &str = "<!-- end of generated -->\n";
/// Of a larger matrix the cells are counted, not shown.
const SHOWN_CELLS: usize = 6;

/// The names of the scenarios of a directory below `scenarios`, without their ending, sorted.
pub(crate) fn stems(directory: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join("scenarios").join(directory)).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
    let mut stems: Vec<_> = names.filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned)).collect();
    stems.sort();
    stems
}

/// The Scenario document of a file.
pub(crate) fn document(file: &str) -> Value {
    let text = std::fs::read_to_string(root().join(file)).expect("a file");
    let documents = yaml::parse(file, &text).expect("YAML");
    let mut json = documents.iter().map(yaml::Node::to_json);
    json.find(|document| document["kind"] == "Scenario").expect("a Scenario document")
}

/// The page with this between its marks is what is there. `BLESS=1` writes it.
pub(crate) fn demand_fresh(page: &str, generated: &str) {
    let path = root().join(page);
    let there = std::fs::read_to_string(&path).expect("the page");
    let (head, rest) = there.split_once(BEGIN).expect("the mark of the beginning");
    let (_, tail) = rest.split_once(END).expect("the mark of the end");
    let now = format!("{head}{BEGIN}{generated}{END}{tail}");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &now).expect("can be written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = there.lines().zip(now.lines()).find(|(there, now)| there != now);
    assert!(there == now, "{page} is stale, BLESS=1 writes it: {differs:?}");
}

/// What the scenario expects, in its words.
pub(crate) fn expectations(document: &Value) -> Vec<String> {
    let steps = document["spec"]["steps"].as_array().into_iter().flatten();
    let of = |item: &Value| item["expect"].as_array().cloned().unwrap_or_default();
    let all: Vec<Value> = of(&document["spec"]).into_iter().chain(steps.flat_map(of)).collect();
    let words = |item: &Value| {
        let form = |name: &str| item[name].as_str().map(|text| format!("{name} `{text}`"));
        let named = item["name"].as_str().map(str::to_owned);
        named.or_else(|| {
            ["always", "never", "finally", "that", "sometimes", "violates"].into_iter().find_map(form)
        })
    };
    all.iter().filter_map(words).map(|text| text.replace('|', "\\|")).collect()
}

/// What came of it.
pub(crate) fn observed(file: &str) -> String {
    let output = stsim(&["run", file, "-o", "json"]);
    assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let Some(cells) = json.as_array() else {
        let verdicts = json["verdicts"].as_array().expect("verdicts");
        let passed = verdicts.iter().filter(|verdict| verdict["verdict"] == "pass").count();
        return format!(
            "{}, {passed} of {} expectations{}",
            json["result"].as_str().expect("a result"),
            verdicts.len(),
            databases(&json)
        );
    };
    let held = cells.iter().filter(|cell| cell["verdict"] == "held").count();
    let mut text = format!("{held} of {} plays held", cells.len());
    if cells.len() <= SHOWN_CELLS {
        for cell in cells {
            let pairs = |value: &Value| {
                let shown = |(name, value): (&String, &Value)| {
                    format!("{name} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                };
                value.as_object().into_iter().flatten().map(shown).collect::<Vec<_>>().join(", ")
            };
            let end = cell["end"].as_str().expect("an end");
            let (params, columns, databases) =
                (pairs(&cell["params"]), pairs(&cell["columns"]), databases(cell));
            write!(text, "<br>{params}: end {end}, {columns}{databases}").expect("text");
        }
    }
    text.replace('|', "\\|")
}

/// What its databases cost.
fn databases(play: &Value) -> String {
    let all = play["databases"].as_array().into_iter().flatten();
    let told = all.map(|database| {
        let seconds = |name: &str| database[name].as_u64().expect("nanoseconds") / 1_000_000_000;
        let lost = database["lostWrites"].as_u64().expect("a number");
        let (two, down) = (seconds("splitBrain"), seconds("downtime"));
        format!("<br>{lost} acknowledged writes lost, {two} s two primaries, {down} s down")
    });
    told.collect()
}
