//! The command line of stsim.
fn main() {}
