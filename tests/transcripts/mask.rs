//! Blanking what varies from run to run, and what the recorded cluster did not have.

/// Characters of generated names.
const RANDOM: &str = "bcdfghjklmnpqrstvwxz2456789";
const WEEKDAYS: [&str; 7] = ["Mon,", "Tue,", "Wed,", "Thu,", "Fri,", "Sat,", "Sun,"];
/// Columns that vary everywhere.
const COLUMNS: [&str; 9] = [
    "AGE",
    "LAST SEEN",
    "IP",
    "CLUSTER-IP",
    "RESTARTS",
    "INTERNAL-IP",
    "OS-IMAGE",
    "KERNEL-VERSION",
    "CONTAINER-RUNTIME",
];
/// Reasons of Events of kubelets and of the CSI driver: the recorded ones made none.
const SIMULATED: [&str; 12] = [
    // The recorded nodes were there long before.
    "RegisteredNode",
    "Pulling",
    "Pulled",
    "Created",
    "Started",
    "Killing",
    "BackOff",
    "Unhealthy",
    "Failed",
    "Provisioning",
    "ProvisioningSucceeded",
    "FailedMount",
];

/// The lines of an output that can be compared.
pub(crate) fn masked(file: &str, command: &str, output: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut header: Option<Vec<(usize, String)>> = None;
    let mut last_state = false;
    for line in output.trim_end().lines() {
        if line.trim().is_empty() {
            header = None;
            lines.push(String::new());
            continue;
        }
        // The recorded kubelets did not tell how a container had ended before.
        let begins = |text: &str| line.trim_start().starts_with(text);
        last_state = begins("Last State:") || (last_state && !begins("Ready:"));
        if last_state || is_simulated_event(line) {
            continue;
        }
        if is_header(line) {
            header = Some(columns(line));
            lines.push(words(line));
            continue;
        }
        let line = match &header {
            Some(columns) => row(file, columns, line),
            None => plain(line),
        };
        if is_of_this_machine(&line) {
            continue;
        }
        // The recorded commands took so long that a new spec had always been seen and acted on.
        let at_once = ["spec update to be observed...", ": 0 out of 2 new replicas have been updated..."];
        if at_once.iter().any(|text| line.ends_with(text)) {
            continue;
        }
        // How often rollout status repeats a line, and drain a try, varies.
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    if command.contains("describe node") {
        lines.retain(|line| !is_of_a_node(line));
    }
    // Ties between nodes, and in what order pods come up.
    if matches!(file, "get" | "describe-pod") {
        lines.iter_mut().for_each(|line| *line = ["a", "b", "c"].iter().fold(line.clone(), without_place));
    }
    if command.contains("drain") {
        lines.iter_mut().for_each(|line| *line = sorted_errors(line).replace("web-1", "web-0"));
    }
    // Names with random parts are in another order; events of the same second too; drain tries all pods at once.
    if command.contains("drain") || command.contains("get events") || file == "get" {
        lines.sort();
        lines.dedup();
    }
    lines
}

fn without_place(line: String, letter: &&str) -> String {
    line.replace(&format!("node-{letter}"), "node-*").replace(&format!("zone-{letter}"), "zone-*")
}

/// What the recorded nodes said of themselves and ours say in other words.
fn is_of_a_node(line: &str) -> bool {
    let begins = [
        "Labels:",
        "Annotations:",
        "  HolderIdentity",
        "  Type",
        "  ----",
        "  Ready",
        "  MemoryPressure",
        "  DiskPressure",
        "  PIDPressure",
        "  Hostname:",
        "  InternalIP:",
        "  Machine ID:",
        "  Kernel Version:",
        "  OS Image:",
        "  Container Runtime Version:",
        "ProviderID:",
        "Events:",
        "          ",
    ];
    begins.iter().any(|text| line.starts_with(text))
}

/// A list of errors, sorted.
fn sorted_errors(line: &str) -> String {
    let line = line.trim_end_matches(", continuing command...").replace(": [", ", ").replace(']', "");
    let mut parts: Vec<&str> = line.split(", ").collect();
    parts.sort_unstable();
    parts.join(", ")
}

fn is_simulated_event(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_event = words.contains(&"Normal") || words.contains(&"Warning");
    is_event && words.iter().any(|word| SIMULATED.contains(word))
}

/// What only a real kubelet or only a simulated one says about itself.
fn is_of_this_machine(line: &str) -> bool {
    ["Container ID:", "Image ID:", "PodReadyToStartContainers"]
        .iter()
        .any(|text| line.trim_start().starts_with(text))
}

fn is_header(line: &str) -> bool {
    line.contains("  ")
        && line.chars().all(|c| c.is_ascii_uppercase() || " -()_".contains(c))
        && line.starts_with(|c: char| c.is_ascii_uppercase())
}

/// Where the columns of a table begin, with their names.
fn columns(header: &str) -> Vec<(usize, String)> {
    let mut columns: Vec<(usize, String)> = Vec::new();
    let mut gap = 2;
    for (at, character) in header.char_indices() {
        match (character, columns.last_mut()) {
            (' ', _) => gap += 1,
            (c, Some((_, name))) if gap < 2 => {
                name.extend(std::iter::repeat_n(' ', gap));
                name.push(c);
                gap = 0;
            }
            (c, _) => {
                columns.push((at, c.to_string()));
                gap = 0;
            }
        }
    }
    columns
}

fn row(file: &str, columns: &[(usize, String)], line: &str) -> String {
    let starts = columns.iter().map(|(start, _)| *start);
    let ends = columns.iter().skip(1).map(|(start, _)| *start).chain([usize::MAX]);
    let mut cells = Vec::new();
    for ((start, end), (_, name)) in starts.zip(ends).zip(columns) {
        let cell = line.get(start..end.min(line.len())).unwrap_or_default().trim();
        // crash-0 comes and goes; ok-0 may be on the node that dies.
        let pod = line.split_whitespace().next().unwrap_or_default();
        let unsteady = match name.as_str() {
            "NODE" => true,
            "STATUS" => matches!(pod, "crash-0" | "ok-0"),
            "READY" => pod == "crash-0",
            _ => false,
        };
        let varies = COLUMNS.contains(&name.as_str()) || (file == "get-states" && unsteady);
        cells.push(match (varies, cell) {
            (true, "") => String::new(),
            (true, "<none>") => "<none>".to_owned(),
            (true, _) => "*".to_owned(),
            // What a pod that waits for its volume shows without a real kubelet.
            (false, "ContainerCreating") => "Pending".to_owned(),
            (false, cell) => words(cell),
        });
    }
    cells.join(" | ")
}

/// A line that is in no table: its indentation, and its words. The object in an error about a patch is left out.
fn plain(line: &str) -> String {
    if let (Some(from), Some(to)) = (line.find("patch: Invalid value: \""), line.find("\": json: ")) {
        let (before, after) = (line.get(..from).unwrap_or_default(), line.get(to..).unwrap_or_default());
        return format!("{before}patch: Invalid value: \"{after}");
    }
    // How far values are indented depends on conditions that only real kubelets report.
    let indent = (line.len() - line.trim_start().len()).min(12);
    let end = if line.ends_with(' ') { " " } else { "" };
    format!("{}{}{end}", " ".repeat(indent), words(line))
}

/// The words of a text, blanked, one space between them.
fn words(text: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if WEEKDAYS.contains(&word) {
            // Sun, 22 Nov 2026 08:27:18 +0000
            words.by_ref().take(5).for_each(drop);
            out.push("<time>".to_owned());
        } else if word == "(x2" && text.contains("NoPods") {
            // A budget may be looked at once or twice before its pods are there.
            words.by_ref().take(2).for_each(drop);
        } else {
            out.push(self::word(word));
        }
    }
    out.join(" ")
}

fn word(word: &str) -> String {
    let (bare, closing) = word.strip_suffix(')').map_or((word, ""), |bare| (bare, ")"));
    if is_span(bare) {
        return format!("<age>{closing}");
    }
    let mut out = String::new();
    let mut run = String::new();
    for character in word.chars().chain(['\0']) {
        if character.is_ascii_alphanumeric() || matches!(character, '-' | '.') {
            run.push(character);
            continue;
        }
        out.push_str(&name(&std::mem::take(&mut run)));
        if character != '\0' {
            out.push(character);
        }
    }
    out
}

/// `5s`, `2m35s`.
fn is_span(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.ends_with(['s', 'm', 'h', 'd'])
        && word.chars().all(|c| c.is_ascii_digit() || "smhd".contains(c))
}

/// A name without its random parts.
fn name(text: &str) -> String {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() == 4 && parts.iter().all(|part| is_number(part)) {
        return "<ip>".to_owned();
    }
    let pieces: Vec<&str> = text.split('-').collect();
    let is_hex = |piece: &str| piece.bytes().all(|b| b.is_ascii_hexdigit());
    let lengths: Vec<usize> = pieces.iter().rev().take(5).map(|piece| piece.len()).collect();
    if lengths == [12, 4, 4, 4, 8] && pieces.iter().rev().take(5).all(|piece| is_hex(piece)) {
        let kept = &pieces[..pieces.len() - 5];
        return kept.iter().map(|piece| format!("{piece}-")).collect::<String>() + "<uid>";
    }
    // The hash of a ReplicaSet is a hash of Go's memory: ours is another one.
    if text.starts_with("front-") || (text.len() == 10 && text.chars().all(|c| RANDOM.contains(c))) {
        return "<generated>".to_owned();
    }
    match text.rsplit_once('-') {
        Some(("csi", hash)) if hash.len() == 64 && is_hex(hash) => "csi-<hash>".to_owned(),
        Some((stem, random)) if random.len() == 5 && random.chars().all(|c| RANDOM.contains(c)) => {
            format!("{stem}-<random>")
        }
        _ => text.to_owned(),
    }
}
