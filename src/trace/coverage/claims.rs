//! The rules without a mark of their own: not modelled, each with its reason, or following from others.
use super::Follows;

/// Rules that the simulator does not claim, and why.
pub const OPEN: &[(&str, &str)] = &[];

/// Rules that are no behaviour of their own.
pub const FOLLOWS: &[Follows] = &[];
