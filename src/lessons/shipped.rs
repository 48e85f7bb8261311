//! The scenarios that lessons play, compiled in, so that a lesson needs no files.

/// Puts scenarios together, by their paths from the root of the project.
macro_rules! shipped {
    ($($path:literal),+ $(,)?) => { &[$(($path, include_str!(concat!("../../", $path)))),+] };
}

/// By path, sorted.
const SHIPPED: &[(&str, &str)] = shipped![
    "scenarios/compare/lecture.yaml",
    "scenarios/incidents/19-split-brain-avoided.yaml",
    "scenarios/params/ordered-or-parallel.yaml",
    "scenarios/questions/q01-delete-a-pod.yaml",
    "scenarios/questions/q02-container-crashes.yaml",
    "scenarios/questions/q03-delete-a-pod-of-a-deployment.yaml",
    "scenarios/questions/q05-delete-all-pods-of-a-quorum.yaml",
    "scenarios/questions/q06-pod-is-evicted.yaml",
    "scenarios/questions/q11-scale-up.yaml",
    "scenarios/questions/q12-scale-up-while-one-is-not-ready.yaml",
    "scenarios/questions/q13-scale-down-and-up-again.yaml",
    "scenarios/questions/q21-change-the-image.yaml",
    "scenarios/questions/q22-broken-image-in-order.yaml",
    "scenarios/questions/q23-broken-image-in-parallel.yaml",
    "scenarios/questions/q25-canary-and-a-crash.yaml",
    "scenarios/questions/q34-delete-a-claim-in-use.yaml",
    "scenarios/questions/q44-a-node-crashes.yaml",
    "scenarios/questions/q45-getting-it-back.yaml",
    "scenarios/questions/q46-why-six-minutes-more.yaml",
    "scenarios/questions/q47-force-though-it-lives.yaml",
    "scenarios/questions/q51-instance-terminated.yaml",
    "scenarios/questions/q52-drain-with-a-budget.yaml",
    "scenarios/questions/q54-two-drains-at-once.yaml",
    "scenarios/questions/q58-service-name-of-nothing.yaml",
    "scenarios/questions/q59-peers-at-the-first-start.yaml",
    "scenarios/questions/q61-who-uses-the-old-address.yaml",
];

/// The text of the scenario that has this path in the project, if a lesson plays it.
pub fn scenario(path: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(known, _)| *known == path).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::SHIPPED;
    use crate::lessons::LESSONS;

    #[test]
    fn every_scenario_is_played_by_a_lesson_and_they_are_sorted() {
        for (path, _) in SHIPPED {
            assert!(LESSONS.iter().any(|lesson| lesson.text.contains(&format!(" {path}"))), "{path}");
        }
        assert!(SHIPPED.is_sorted_by_key(|(path, _)| *path));
    }
}
