//! What kubectl prints when a command fails.
//!
//! Follows `checkErr` and its kin in `k8s.io/kubectl/pkg/cmd/util/helpers.go`: refusals of the server in its own words,
//! mistakes of the client after `error: `, several ones a line each. The exit status is always 1.
use crate::api::status::Status;

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server refused.
    Server(Status),
    /// The client gave up.
    Client(String),
    /// Several failures of one command.
    Several(Vec<Failure>),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Server(status)
    }
}

impl Failure {
    /// The client's own mistake.
    pub(super) fn client(text: impl Into<String>) -> Failure {
        Failure::Client(text.into())
    }

    /// Nothing, the one failure, or all of them (`utilerrors.NewAggregate`, unwrapped where it is printed).
    pub(super) fn all(failures: Vec<Failure>) -> Result<(), Failure> {
        match failures.len() {
            0 => Ok(()),
            1 => failures.into_iter().next().map_or(Ok(()), Err),
            _ => Err(Failure::Several(failures)),
        }
    }

    /// Tells what was being done, and with which file (`AddSourceToErr`).
    pub(super) fn while_doing(self, doing: &str, source: &str) -> Failure {
        let told = |message: &str| format!("error when {doing} \"{source}\": {message}");
        match self {
            Failure::Server(status) => {
                let message = told(&status.message);
                Failure::Server(Status { message, ..status })
            }
            other => Failure::Client(told(&other.plain())),
        }
    }

    /// The failure is that there is no such object.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Failure::Server(status) if status.is_not_found())
    }

    /// The text without any prefix (Go's `err.Error()`).
    pub(super) fn plain(&self) -> String {
        match self {
            Failure::Server(status) => status.message.clone(),
            Failure::Client(text) => text.clone(),
            Failure::Several(failures) => match failures.as_slice() {
                [one] => one.plain(),
                many => format!("[{}]", many.iter().map(Failure::plain).collect::<Vec<_>>().join(", ")),
            },
        }
    }

    /// One of several failures (`messageForError`).
    fn line(&self) -> String {
        match self {
            Failure::Server(status) => from_server(status),
            other => other.plain(),
        }
    }

    /// Everything that goes to stderr, every line ended.
    pub(super) fn printed(&self) -> String {
        let text = match self {
            Failure::Server(status) if status.code == 422 => invalid(status),
            Failure::Server(status) => from_server(status),
            Failure::Client(text) if text.starts_with("error: ") => text.clone(),
            Failure::Client(text) => format!("error: {text}"),
            Failure::Several(failures) => failures.iter().map(Failure::line).collect::<Vec<_>>().join("\n"),
        };
        if text.ends_with('\n') { text } else { text + "\n" }
    }
}

/// `StandardErrorMessage`.
fn from_server(status: &Status) -> String {
    match status.reason {
        "" => format!("Error from server: {}", status.message),
        reason => format!("Error from server ({reason}): {}", status.message),
    }
}

/// A 422: its causes, not its message, if there are any.
fn invalid(status: &Status) -> String {
    let Some(details) = &status.details else {
        return format!("The request is invalid: {}", status.message);
    };
    let subject = if details.kind.is_empty() && details.name.is_empty() {
        "The request is invalid".to_owned()
    } else {
        format!("The {} \"{}\" is invalid", details.kind, details.name)
    };
    match details.causes.as_slice() {
        [] => subject,
        [one] => format!("{subject}: {one}"),
        many => {
            let mut lines = format!("{subject}: \n");
            for error in many {
                lines.push_str(&format!("* {error}\n"));
            }
            lines
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kind::Kind;

    #[test]
    fn failures_as_kubectl_prints_them() {
        let gone = || Failure::Server(Status::not_found("pods", "web-9"));
        let invalid = |errors: &[&str]| {
            let errors: Vec<String> = errors.iter().map(|error| (*error).to_owned()).collect();
            Failure::Server(Status::invalid(Kind::StatefulSet, "web", &errors))
        };
        let cases = [
            (gone(), "Error from server (NotFound): pods \"web-9\" not found\n"),
            (Failure::client("no objects passed to apply"), "error: no objects passed to apply\n"),
            (Failure::client("error: said already"), "error: said already\n"),
            (invalid(&["spec.replicas: no"]), "The StatefulSet \"web\" is invalid: spec.replicas: no\n"),
            (invalid(&["a: no", "b: no"]), "The StatefulSet \"web\" is invalid: \n* a: no\n* b: no\n"),
            (
                Failure::Several(vec![gone(), Failure::client("alone")]),
                "Error from server (NotFound): pods \"web-9\" not found\nalone\n",
            ),
            (
                gone().while_doing("creating", "STDIN"),
                "Error from server (NotFound): error when creating \"STDIN\": pods \"web-9\" not found\n",
            ),
            // The causes are printed, not the message that was told more of.
            (
                invalid(&["spec.replicas: no"]).while_doing("creating", "STDIN"),
                "The StatefulSet \"web\" is invalid: spec.replicas: no\n",
            ),
        ];
        for (failure, printed) in cases {
            assert_eq!(failure.printed(), printed);
        }
        assert_eq!(
            Failure::Several(vec![gone(), Failure::client("b")]).plain(),
            "[pods \"web-9\" not found, b]"
        );
        assert_eq!(Failure::all(Vec::new()), Ok(()));
        assert_eq!(Failure::all(vec![gone()]), Err(gone()));
    }
}
