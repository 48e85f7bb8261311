//! Errors as the API server words them.
use crate::api::kind::Kind;

/// A refused request. `message` is the server's own text; kubectl prints `Error from server (<reason>): <message>`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason: `NotFound`, `Invalid`, `Conflict`, ...
    pub reason: &'static str,
    /// The server's sentence.
    pub message: String,
}

impl Status {
    /// 404.
    pub fn not_found(resource: &str, name: &str) -> Status {
        Status { code: 404, reason: "NotFound", message: format!("{resource} \"{name}\" not found") }
    }
    /// 409: the name is taken.
    pub fn already_exists(resource: &str, name: &str) -> Status {
        Status {
            code: 409,
            reason: "AlreadyExists",
            message: format!("{resource} \"{name}\" already exists"),
        }
    }
    /// 409: the object was written since it was read.
    pub fn conflict(resource: &str, name: &str, why: &str) -> Status {
        Status {
            code: 409,
            reason: "Conflict",
            message: format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}"),
        }
    }
    /// 409 with the usual sentence for a stale resourceVersion (INV-75).
    pub fn stale(resource: &str, name: &str) -> Status {
        Status::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }
    /// 422 with one or several field errors.
    pub fn invalid(kind: Kind, name: &str, errors: &[String]) -> Status {
        let group =
            kind.api_version().split_once('/').map_or(String::new(), |(group, _)| format!(".{group}"));
        let text = match errors {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        Status {
            code: 422,
            reason: "Invalid",
            message: format!("{}{group} \"{name}\" is invalid: {text}", kind.as_str()),
        }
    }
    /// 403.
    pub fn forbidden(message: String) -> Status {
        Status { code: 403, reason: "Forbidden", message }
    }
    /// 400.
    pub fn bad_request(message: String) -> Status {
        Status { code: 400, reason: "BadRequest", message }
    }
    /// 429.
    pub fn too_many_requests(message: String) -> Status {
        Status { code: 429, reason: "TooManyRequests", message }
    }
    /// 500.
    pub fn internal(message: String) -> Status {
        Status { code: 500, reason: "InternalError", message }
    }
    /// True for 404.
    pub fn is_not_found(&self) -> bool {
        self.code == 404
    }
    /// True for a stale write.
    pub fn is_conflict(&self) -> bool {
        self.reason == "Conflict"
    }
    /// True if the name was taken.
    pub fn is_already_exists(&self) -> bool {
        self.reason == "AlreadyExists"
    }
}
