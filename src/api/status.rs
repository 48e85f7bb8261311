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
    /// What exactly is wrong with which object; kubectl lists the causes of a 422.
    pub details: Option<Box<Details>>,
}

/// What a refusal is about, beyond its message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Details {
    /// Kind of the object, without group; empty: the request as a whole.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// One sentence for each cause: `spec.replicas: Invalid value: -1: must be ...`.
    pub causes: Vec<String>,
}

impl Status {
    /// A refusal.
    pub fn new(code: u16, reason: &'static str, message: String) -> Status {
        Status { code, reason, message, details: None }
    }
    /// 404.
    pub fn not_found(resource: &str, name: &str) -> Status {
        Status::new(404, "NotFound", format!("{resource} \"{name}\" not found"))
    }
    /// 409: the name is taken.
    pub fn already_exists(resource: &str, name: &str) -> Status {
        Status::new(409, "AlreadyExists", format!("{resource} \"{name}\" already exists"))
    }
    /// 409: the object was written since it was read.
    pub fn conflict(resource: &str, name: &str, why: &str) -> Status {
        Status::new(409, "Conflict", format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}"))
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
        let group = kind.api_version().split_once('/').map_or("", |(group, _)| group);
        Status::invalid_object(group, kind.as_str(), name, errors.to_vec())
    }
    /// 422 about an object of any kind; without kind and name, about the request.
    pub fn invalid_object(group: &str, kind: &str, name: &str, errors: Vec<String>) -> Status {
        let text = match errors.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let dot = if group.is_empty() { "" } else { "." };
        let message = format!("{kind}{dot}{group} \"{name}\" is invalid: {text}");
        let details = Details { kind: kind.to_owned(), name: name.to_owned(), causes: errors };
        Status { details: Some(Box::new(details)), ..Status::new(422, "Invalid", message) }
    }
    /// 403.
    pub fn forbidden(message: String) -> Status {
        Status::new(403, "Forbidden", message)
    }
    /// 400.
    pub fn bad_request(message: String) -> Status {
        Status::new(400, "BadRequest", message)
    }
    /// 429.
    pub fn too_many_requests(message: String) -> Status {
        Status::new(429, "TooManyRequests", message)
    }
    /// 500.
    pub fn internal(message: String) -> Status {
        Status::new(500, "InternalError", message)
    }
    /// 504: the request took too long; whether it was carried out is not known.
    pub fn timed_out() -> Status {
        let text = "Timeout: request did not complete within requested timeout - context deadline exceeded";
        Status::new(504, "Timeout", text.into())
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
