//! What must hold at every change.
