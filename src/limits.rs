//! Every limit of a run, in one place. Hitting one is deterministic: objects and events are counted, not seconds.

/// Objects in the store at once.
pub const MAX_OBJECTS: usize = 8_000_000;
/// Objects a scenario may ask for in one workload (`replicas`), unless `--max-objects` raises it.
pub const MAX_REPLICAS: i32 = 1_000_000;
/// Events handled in one run.
pub const MAX_EVENTS: u64 = 50_000_000;
/// Events handled at one instant before the run is called a zero-delay loop.
pub const MAX_EVENTS_AT_ONE_INSTANT: u32 = 100_000;
/// Bytes of one input file.
pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Files of one scenario.
pub const MAX_FILES: usize = 256;
/// Expectations of a scenario, and of a step.
pub const MAX_EXPECTATIONS: usize = 1000;
/// Nodes of a cluster.
pub const MAX_NODES: usize = 100_000;
/// Virtual end of a run that does not name one, seconds.
pub const DEFAULT_UNTIL_SECONDS: u64 = 24 * 3600;
/// Longest virtual time that may be asked for, seconds: 100 years.
pub const MAX_UNTIL_SECONDS: u64 = 100 * 365 * 24 * 3600;
/// Cells of a matrix.
pub const MAX_CELLS: usize = 10_000;
/// Steps of one evaluation of an expression: macros in macros multiply.
pub const MAX_EXPRESSION_STEPS: u64 = 10_000_000;
