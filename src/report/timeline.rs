//! The timeline: one line per noteworthy change, with time, object, what happened and why.
use crate::api::kind::Kind;
use crate::api::text::escape;
use crate::kernel::Time;
use crate::trace::record::{Note, Record, Recorder};
use crate::trace::tell;
use crate::world::World;

/// Which records are shown.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only these kinds; empty: what a reader wants to see.
    pub kinds: Vec<Kind>,
}

impl Filter {
    /// True if the record is shown.
    pub fn shows(&self, record: &Record) -> bool {
        if !self.kinds.is_empty() {
            return self.kinds.contains(&record.kind);
        }
        // Status counters follow from what is shown; volumes and slices are told through claims and endpoints.
        let counters =
            matches!(record.note, Note::SetStatus(_) | Note::DeploymentStatus | Note::NodeSelected(_));
        let echo = record.kind == Kind::Volume && matches!(record.note, Note::Created(_) | Note::Deleting);
        let slices = record.kind == Kind::EndpointSlice && !matches!(record.note, Note::Endpoints(..));
        !(counters || echo || slices)
    }
}

/// Virtual time as the timeline shows it: `1m23.456s`.
pub fn clock(time: Time) -> String {
    let millis = time.as_nanos() / 1_000_000;
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}.{millis:03}s"),
        (0, _) => format!("{minutes}m{seconds:02}.{millis:03}s"),
        _ => format!("{hours}h{minutes:02}m{seconds:02}.{millis:03}s"),
    }
}

/// One line for a record, without line break.
pub fn line(record: &Record, world: &World) -> String {
    let store = &world.store;
    let subject = tell::subject(record, store);
    let what = tell::predicate(record, store);
    let why = tell::because(record, &world.recorder, store);
    let text = if why.is_empty() {
        format!("{:>12}  {subject:<34} {what}", clock(record.time))
    } else {
        format!("{:>12}  {subject:<34} {what:<40} <- {why}", clock(record.time))
    };
    escape(text.trim_end()).into_owned()
}

/// The lines of all records since `from` that the filter shows; returns where to go on.
pub fn lines(world: &World, filter: &Filter, from: usize, out: &mut Vec<String>) -> usize {
    let records = world.recorder.records();
    for (n, record) in records.iter().enumerate().skip(from) {
        // An object that goes at once says so in one line.
        let next = records.get(n + 1);
        let vanishes = record.note == Note::Deleting
            && next.is_some_and(|next| next.revision == record.revision && next.note == Note::Deleted);
        if filter.shows(record) && !vanishes {
            out.push(line(record, world));
        }
    }
    records.len()
}

/// The whole change log since write `from` as JSON lines; returns where to go on.
pub fn json_lines(world: &World, from: usize, out: &mut Vec<String>) -> usize {
    let recorder: &Recorder = &world.recorder;
    let store = &world.store;
    for write in recorder.writes().iter().skip(from) {
        let notes: Vec<_> =
            recorder.notes_of(write.revision).iter().map(|record| tell::predicate(record, store)).collect();
        let verb = match write.verb {
            crate::api::store::Verb::Created => "created",
            crate::api::store::Verb::Updated => "updated",
            crate::api::store::Verb::Removed => "removed",
        };
        let line = serde_json::json!({
            "time": write.time.as_nanos(),
            "revision": write.revision.0,
            "cause": write.cause.0,
            "actor": write.actor.as_str(),
            "rule": write.rule.to_string(),
            "verb": verb,
            "kind": write.kind.as_str(),
            "namespace": store.names.text(write.namespace),
            "name": store.name_of(write.name),
            "uid": store.uid_text(write.uid),
            "what": notes,
        });
        out.push(line.to_string());
    }
    recorder.writes().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks() {
        for (nanos, expected) in [
            (0, "0.000s"),
            (1_234_999_999, "1.234s"),
            (83_456_000_000, "1m23.456s"),
            (3_600_000_000_000, "1h00m00.000s"),
        ] {
            assert_eq!(clock(Time::from_nanos(nanos)), expected);
        }
    }
}
