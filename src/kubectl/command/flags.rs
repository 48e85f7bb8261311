//! From words to a verb, flag values and operands, with clap; and kubectl's words for what cannot be read.
use std::str::FromStr;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches};

use super::verbs::{
    Flag, NAMESPACE, Shape, UNPLAYED_EVERYWHERE, UNPLAYED_SHORT, UNPLAYED_SUBCOMMANDS, UNPLAYED_VERBS, VERBS,
    Verb, first_words, second_words,
};
use super::{CommandError, Reason};
use crate::api::manifest::nearest;
use crate::kernel::time::Duration;

/// The longest command line, in words.
pub(super) const MAX_WORDS: usize = 1024;

/// A line that has been taken apart.
pub(super) struct Line<'w> {
    /// All words, to point at.
    pub(super) words: &'w [String],
    /// The verb.
    pub(super) verb: &'static Verb,
    /// Words that are neither verb nor flag.
    pub(super) operands: Vec<String>,
    matches: ArgMatches,
}

/// Takes a line apart.
pub(super) fn read(words: &[String]) -> Result<Line<'_>, CommandError> {
    if words.len() > MAX_WORDS {
        let message = format!("limit exceeded: a command line of more than {MAX_WORDS} words");
        return Err(CommandError::new(Reason::Refused, message));
    }
    let (verb, rest) = find_verb(words)?;
    let matches =
        clap_command(verb).try_get_matches_from(&rest).map_err(|error| explain(&error, verb, words))?;
    let operands = matches.get_many::<String>("operands").into_iter().flatten().cloned().collect();
    Ok(Line { words, verb, operands, matches })
}

/// The verb, and the words without it.
fn find_verb(words: &[String]) -> Result<(&'static Verb, Vec<String>), CommandError> {
    let mut verb_at = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|_| verb_at.len() < 2) {
        // Only the namespace flag may come before the verb, and only it takes the next word.
        match word.as_str() {
            "-n" | "--namespace" => at += 1,
            flag if flag.starts_with('-') => {}
            _ => verb_at.push(at),
        }
        at += 1;
    }
    let word = |index: usize| verb_at.get(index).and_then(|at| words.get(*at)).map(String::as_str);
    let Some(first) = word(0) else {
        let message = "kubectl: a verb is missing";
        return Err(CommandError::new(Reason::Unknown, message).with_help(supported("verbs", &first_words())));
    };
    let seconds = second_words(first);
    let name = if seconds.is_empty() {
        first.to_owned()
    } else {
        format!("{first} {}", word(1).unwrap_or_default())
    };
    let Some(verb) = VERBS.iter().find(|verb| verb.name == name) else {
        return Err(unknown_verb(words, first, word(1), &seconds));
    };
    let taken = verb_at.get(..name.split(' ').count()).unwrap_or_default();
    let rest = words.iter().enumerate().filter(|(index, _)| !taken.contains(index));
    Ok((verb, rest.map(|(_, word)| word.clone()).collect()))
}

fn supported(what: &str, names: &[&str]) -> String {
    format!("supported {what}: {}", names.join(", "))
}

fn unknown_verb(
    words: &[String],
    first: &str,
    second: Option<&str>,
    seconds: &[&'static str],
) -> CommandError {
    let did_you_mean = |word: &str, names: &[&'static str]| {
        nearest(word, names.iter().copied())
            .map(|name| format!("; did you mean `{name}`?"))
            .unwrap_or_default()
    };
    if seconds.is_empty() {
        let help = supported("verbs", &first_words());
        if UNPLAYED_VERBS.contains(&first) {
            return CommandError::new(Reason::Unsupported, format!("kubectl {first} is not supported"))
                .with_help(help)
                .at(words, first);
        }
        let hint = did_you_mean(first, &first_words());
        return CommandError::new(Reason::Unknown, format!("kubectl: unknown verb `{first}`{hint}"))
            .with_help(help)
            .with_stderr(format!("Error: unknown command {first:?} for \"kubectl\""))
            .at(words, first);
    }
    let help = supported(&format!("subcommands of {first}"), seconds);
    let Some(second) = second else {
        let message = format!("kubectl {first}: a subcommand is missing");
        return CommandError::new(Reason::Unknown, message).with_help(help).at(words, first);
    };
    let unplayed = UNPLAYED_SUBCOMMANDS.iter().find(|(verb, _)| *verb == first);
    if unplayed.is_some_and(|(_, names)| names.contains(&second)) {
        return CommandError::new(Reason::Unsupported, format!("kubectl {first} {second} is not supported"))
            .with_help(help)
            .at(words, second);
    }
    let hint = did_you_mean(second, seconds);
    CommandError::new(Reason::Unknown, format!("kubectl {first}: unknown subcommand `{second}`{hint}"))
        .with_help(help)
        .with_stderr(format!(
            "error: unknown command {second:?}\nSee 'kubectl {first} -h' for help and examples"
        ))
        .at(words, second)
}

fn clap_command(verb: &'static Verb) -> clap::Command {
    let arg = |flag: &Flag| {
        let arg = Arg::new(flag.long)
            .long(flag.long)
            .action(ArgAction::Append)
            .value_parser(clap::value_parser!(String));
        let arg = if let Some(short) = flag.short { arg.short(short) } else { arg };
        let optional = |arg: Arg, bare: &'static str| {
            arg.num_args(0..=1).require_equals(true).default_missing_value(bare)
        };
        match flag.shape {
            // pflag takes the next word as the value, whatever it looks like.
            Shape::Value => arg.num_args(1).allow_hyphen_values(true),
            Shape::Switch(_) => optional(arg, "true"),
            Shape::Optional(bare) => optional(arg, bare),
        }
    };
    clap::Command::new(verb.name)
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(arg(&NAMESPACE))
        .args(verb.flags.iter().map(arg))
        .arg(Arg::new("operands").num_args(0..).value_parser(clap::value_parser!(String)))
}

/// A clap error in our words and kubectl's.
fn explain(error: &clap::Error, verb: &'static Verb, words: &[String]) -> CommandError {
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => flag.as_str(),
        Some(ContextValue::Strings(flags)) => flags.first().map_or("", String::as_str),
        _ => "",
    };
    // clap decorates known flags: `--timeout <timeout>`, `--wait[=<wait>]`.
    let flag = flag.split([' ', '[', '=']).next().unwrap_or_default();
    let usage = format!("See 'kubectl {} --help' for usage.", verb.name);
    match error.kind() {
        ErrorKind::UnknownArgument => unknown_flag(flag, verb, words, &usage),
        ErrorKind::InvalidValue
        | ErrorKind::NoEquals
        | ErrorKind::TooFewValues
        | ErrorKind::WrongNumberOfValues => {
            let long = flag.trim_start_matches('-');
            let short =
                verb.flags.iter().chain([&NAMESPACE]).find(|known| known.long == long).and_then(|f| f.short);
            let last = words.last().map(String::as_str).unwrap_or_default();
            let needs = match short {
                Some(short) if last == format!("-{short}") => {
                    format!("flag needs an argument: '{short}' in -{short}")
                }
                _ => format!("flag needs an argument: {flag}"),
            };
            CommandError::refused(&needs).with_stderr(format!("Error: {needs}\n{usage}")).at(words, last)
        }
        // No other kind can occur with arguments that are all optional texts; say clap's own first line if one does.
        _ => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            CommandError::new(Reason::Unknown, format!("kubectl {}: {line}", verb.name))
        }
    }
}

fn unknown_flag(flag: &str, verb: &'static Verb, words: &[String], usage: &str) -> CommandError {
    let name = flag.trim_start_matches('-');
    let is_short = !flag.starts_with("--");
    let long = match name.chars().next().filter(|_| is_short) {
        Some(short) => UNPLAYED_SHORT.iter().find(|(known, _)| *known == short).map_or("", |(_, long)| long),
        None => name,
    };
    let mut known: Vec<&str> = verb.flags.iter().chain([&NAMESPACE]).map(|flag| flag.long).collect();
    known.sort_unstable();
    let list: Vec<String> = known.iter().map(|name| format!("--{name}")).collect();
    let help = format!("supported flags: {}", list.join(", "));
    if verb.unplayed.contains(&long) || UNPLAYED_EVERYWHERE.contains(&long) {
        let message = format!("kubectl {}: flag `{flag}` is not supported", verb.name);
        return CommandError::new(Reason::Unsupported, message).with_help(help).at(words, flag);
    }
    let hint = nearest(name, known).filter(|_| !is_short);
    let hint = hint.map(|name| format!("; did you mean `--{name}`?")).unwrap_or_default();
    let kubectl = match name.chars().next().filter(|_| is_short) {
        Some(short) => format!("unknown shorthand flag: '{short}' in {flag}"),
        None => format!("unknown flag: {flag}"),
    };
    CommandError::new(Reason::Unknown, format!("kubectl {}: unknown flag `{flag}`{hint}", verb.name))
        .with_help(help)
        .with_stderr(format!("Error: {kubectl}\n{usage}"))
        .at(words, flag)
}

impl Line<'_> {
    /// All values of a flag, in order; none if the verb has no such flag.
    pub(super) fn values(&self, long: &str) -> impl Iterator<Item = &str> {
        // clap panics when it is asked for a flag that it was not told of.
        let known = self.flag(long).and_then(|flag| self.matches.get_many::<String>(flag.long));
        known.into_iter().flatten().map(String::as_str)
    }

    /// The value of a flag, the last one if it is repeated.
    pub(super) fn value(&self, long: &str) -> Option<&str> {
        self.values(long).last()
    }

    /// An error that points at a flag.
    pub(super) fn at_flag(&self, error: CommandError, long: &str) -> CommandError {
        let short = self.flag(long).and_then(|flag| flag.short);
        let spelt = |word: &String| {
            let bare = word.strip_prefix("--").map(|rest| rest.split('=').next().unwrap_or_default());
            let short = short.is_some_and(|short| word.starts_with(&format!("-{short}")));
            bare == Some(long) || short
        };
        CommandError { word: self.words.iter().rposition(spelt), ..error }
    }

    fn flag(&self, long: &str) -> Option<&'static Flag> {
        self.verb.flags.iter().chain([&NAMESPACE]).find(|flag| flag.long == long)
    }

    /// pflag's refusal of a value.
    fn invalid(&self, long: &str, value: &str, why: &str) -> CommandError {
        let name = match self.flag(long).and_then(|flag| flag.short) {
            Some(short) => format!("-{short}, --{long}"),
            None => format!("--{long}"),
        };
        let message = format!("invalid argument {value:?} for {name:?} flag: {why}");
        let stderr = format!("Error: {message}\nSee 'kubectl {} --help' for usage.", self.verb.name);
        self.at_flag(CommandError::refused(message).with_stderr(stderr), long)
    }

    /// A switch, or its default.
    pub(super) fn switch(&self, long: &str) -> Result<bool, CommandError> {
        match self.value(long) {
            None => Ok(self.flag(long).is_some_and(|flag| flag.shape == Shape::Switch(true))),
            Some("1" | "t" | "T" | "TRUE" | "true" | "True") => Ok(true),
            Some("0" | "f" | "F" | "FALSE" | "false" | "False") => Ok(false),
            Some(other) => {
                let why = format!("strconv.ParseBool: parsing {other:?}: invalid syntax");
                Err(self.invalid(long, other, &why))
            }
        }
    }

    /// A number, if given.
    pub(super) fn number<T: FromStr>(&self, long: &str) -> Result<Option<T>, CommandError> {
        let Some(text) = self.value(long) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let reason = if text.parse::<i128>().is_ok() { "value out of range" } else { "invalid syntax" };
            self.invalid(long, text, &format!("strconv.ParseInt: parsing {text:?}: {reason}"))
        })
    }

    /// A span of time, if given; a negative one is [`Duration::NEVER`].
    pub(super) fn duration(&self, long: &str) -> Result<Option<Duration>, CommandError> {
        let Some(text) = self.value(long) else { return Ok(None) };
        let (negative, magnitude) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        match Duration::parse(magnitude) {
            Ok(span) if negative && span > Duration::ZERO => Ok(Some(Duration::NEVER)),
            Ok(span) => Ok(Some(span)),
            Err(_) => {
                let bare =
                    !magnitude.is_empty() && magnitude.bytes().all(|b| b.is_ascii_digit() || b == b'.');
                let why = if bare { "time: missing unit in duration" } else { "time: invalid duration" };
                Err(self.invalid(long, text, &format!("{why} {text:?}")))
            }
        }
    }

    /// A span of time of which zero and less mean: without end.
    pub(super) fn limit(&self, long: &str) -> Result<Option<Duration>, CommandError> {
        Ok(self.duration(long)?.filter(|span| *span > Duration::ZERO && !span.is_never()))
    }
}
