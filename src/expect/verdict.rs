//! What came of an expectation.
use crate::api::objects::Revision;
use crate::kernel::Time;

/// How an expectation ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It held.
    Pass,
    /// It did not hold.
    Fail(Failed),
    /// The end of the run came before an answer; why.
    Undecided(String),
    /// Nothing it speaks of ever came, so that it says nothing; what did not come. A warning, or with `--strict` a
    /// failure.
    Vacuous(String),
}

/// An expectation that was not met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failed {
    /// The first moment at which that was certain.
    pub time: Time,
    /// The part that was not as it should be, with its values.
    pub why: String,
    /// The write that made it so, if there is one: the end of the causal chain.
    pub cause: Option<Revision>,
}

impl Verdict {
    /// One word: `pass`, `fail`, `undecided`, `vacuous`.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail(_) => "fail",
            Verdict::Undecided(_) => "undecided",
            Verdict::Vacuous(_) => "vacuous",
        }
    }

    /// Why it is no pass; empty if it is.
    pub fn why(&self) -> &str {
        match self {
            Verdict::Pass => "",
            Verdict::Fail(failed) => &failed.why,
            Verdict::Undecided(why) | Verdict::Vacuous(why) => why,
        }
    }
}

/// An expectation and its verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// The step it belongs to; None: the whole run.
    pub step: Option<usize>,
    /// Its place in the `expect` list of the scenario or the step.
    pub index: usize,
    /// What came of it.
    pub verdict: Verdict,
}
