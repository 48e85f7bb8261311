//! Expressions judged by another implementation of CEL (the crate `cel`): random well-typed ones come to the same value in
//! both, and what is an error in one is an error in the other.
//!
//! Compared is what both have: integers, doubles, strings, booleans, lists, the macros over them and constants of those types. Types come from the
//! generator, because the other implementation checks none.
#![allow(clippy::expect_used, reason = "a test")]
use proptest::prelude::*;
use stsim::cluster::Cluster;
use stsim::config::Config;
use stsim::expect::{Answer, Constant, Expression, Scope};

/// How deep expressions are nested.
const DEPTH: u32 = 4;

fn two(
    operand: impl Strategy<Value = String> + Clone + 'static,
    operators: &'static [&'static str],
) -> BoxedStrategy<String> {
    (operand.clone(), proptest::sample::select(operators), operand)
        .prop_map(|(a, op, b)| format!("{a} {op} {b}"))
        .boxed()
}

fn choice(depth: u32, of: impl Strategy<Value = String> + Clone + 'static) -> BoxedStrategy<String> {
    (boolean(depth), of.clone(), of).prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")).boxed()
}

/// Integers, the ends of their range among them; sums and products without brackets, so that grouping is tested too.
fn int(depth: u32) -> BoxedStrategy<String> {
    let literal = prop_oneof![
        6 => (-4i64..12).prop_map(|n| n.to_string()),
        1 => Just("9223372036854775807".to_owned()),
        1 => Just("-9223372036854775808".to_owned()),
        1 => Just("0x1f".to_owned()),
        1 => Just("params.three".to_owned()),
    ];
    if depth == 0 {
        return literal.boxed();
    }
    prop_oneof![
        2 => literal,
        4 => two(int(depth - 1), &["+", "-", "*", "/", "%"]),
        1 => int(depth - 1).prop_map(|a| format!("-({a})")),
        1 => text(depth - 1).prop_map(|text| format!("size({text})")),
        1 => list(depth - 1).prop_map(|list| format!("{list}.size()")),
        1 => (list(depth - 1), int(0)).prop_map(|(list, n)| format!("{list}[{n}]")),
        1 => choice(depth - 1, int(depth - 1)),
    ]
    .boxed()
}

/// Doubles, without division: of what is not a number the other implementation makes errors, the specification does not.
fn double(depth: u32) -> BoxedStrategy<String> {
    let literal = proptest::sample::select(&["0.0", "params.half", "1.5", "2e3", "0.1", ".25", "1e-3"][..])
        .prop_map(str::to_owned);
    if depth == 0 {
        return literal.boxed();
    }
    prop_oneof![2 => literal, 2 => two(double(depth - 1), &["+", "-", "*"]), 1 => choice(depth - 1, double(depth - 1))]
        .boxed()
}

fn text(depth: u32) -> BoxedStrategy<String> {
    let literals =
        &["''", "'web-0'", "\"web\"", "'a\\n\\u00e4'", "r'\\d'", "'''x'y'''", "'0'", "params.name"][..];
    let literal = proptest::sample::select(literals).prop_map(str::to_owned);
    if depth == 0 {
        return literal.boxed();
    }
    let sum = two(text(depth - 1), &["+"]).prop_map(|sum| format!("({sum})"));
    prop_oneof![3 => literal, 2 => sum, 1 => choice(depth - 1, text(depth - 1))].boxed()
}

/// Lists of integers.
fn list(depth: u32) -> BoxedStrategy<String> {
    let literal = proptest::collection::vec(int(depth.min(1)), 0..4)
        .prop_map(|items| format!("[{}]", items.join(", ")));
    if depth == 0 {
        return literal.boxed();
    }
    let say = (list(depth - 1), proptest::sample::select(&["x > 1", "x % 2 == 0", "6 / x > 1"][..]));
    let make = (list(depth - 1), proptest::sample::select(&["x + 1", "x * x", "10 / x"][..]));
    prop_oneof![
        3 => literal,
        1 => Just("params.list".to_owned()),
        1 => two(list(depth - 1), &["+"]).prop_map(|sum| format!("({sum})")),
        1 => say.prop_map(|(list, body)| format!("{list}.filter(x, {body})")),
        1 => make.prop_map(|(list, body)| format!("{list}.map(x, {body})")),
    ]
    .boxed()
}

fn boolean(depth: u32) -> BoxedStrategy<String> {
    let literal = proptest::sample::select(&["true", "false", "params.yes"][..]).prop_map(str::to_owned);
    if depth == 0 {
        return literal.boxed();
    }
    let relations = &["==", "!=", "<", "<=", ">", ">="][..];
    let macros = &["all", "exists", "exists_one"][..];
    let bodies = &["x > 1", "x == 2", "6 / x > 1", "true"][..];
    let go = (list(depth - 1), proptest::sample::select(macros), proptest::sample::select(bodies));
    let ask = (
        text(depth - 1),
        proptest::sample::select(&["startsWith", "endsWith", "contains"][..]),
        text(depth - 1),
    );
    let patterns = &["'^web'", "'[0-9]+$'", "r'^\\w*$'", "'b-?'"][..];
    prop_oneof![
        1 => literal,
        3 => two(boolean(depth - 1), &["&&", "||"]).prop_map(|chain| format!("({chain})")),
        1 => boolean(depth - 1).prop_map(|of| format!("!{of}")),
        2 => two(int(depth - 1), relations).prop_map(|relation| format!("({relation})")),
        1 => two(double(depth - 1), relations).prop_map(|relation| format!("({relation})")),
        1 => two(text(depth - 1), relations).prop_map(|relation| format!("({relation})")),
        1 => two(list(depth - 1), &["==", "!="]).prop_map(|relation| format!("({relation})")),
        1 => (int(depth - 1), list(depth - 1)).prop_map(|(n, list)| format!("({n} in {list})")),
        2 => go.prop_map(|(list, kind, body)| format!("{list}.{kind}(x, {body})")),
        1 => ask.prop_map(|(text, test, other)| format!("{text}.{test}({other})")),
        1 => (text(depth - 1), proptest::sample::select(patterns)).prop_map(|(text, p)| format!("{text}.matches({p})")),
        1 => choice(depth - 1, boolean(depth - 1)),
    ]
    .boxed()
}

/// The parameters of the scenario, as both have them.
fn params() -> Vec<(String, Constant)> {
    let list = [2, 1, 3].map(Constant::Int).to_vec();
    let text = Constant::Text("web-0".to_owned());
    [
        ("three", Constant::Int(3)),
        ("half", Constant::Double(0.5)),
        ("name", text),
        ("yes", Constant::Bool(true)),
        ("list", Constant::List(list)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// A constant as the other has it.
fn their(value: &Constant) -> cel::Value {
    match value {
        Constant::Bool(value) => (*value).into(),
        Constant::Int(value) => (*value).into(),
        Constant::Double(value) => (*value).into(),
        Constant::Text(text) => text.as_str().into(),
        Constant::List(items) => items.iter().map(their).collect::<Vec<_>>().into(),
        Constant::Other(_) => cel::Value::Null,
    }
}

/// What we make of it. Everything that is generated has a meaning.
fn ours(text: &str) -> Option<Answer> {
    let params = params();
    let expression = Expression::read(text, Scope { params: &params, ..Scope::default() });
    let expression = expression.unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
    expression.value(&Cluster::new(0, Config::recorded())).ok()
}

/// What the other makes of it.
#[allow(clippy::disallowed_types, reason = "the other implementation takes maps as hash maps")]
fn theirs(text: &str) -> Option<Answer> {
    let program = cel::Program::compile(text).unwrap_or_else(|errors| panic!("{text}: {errors}"));
    let params: std::collections::HashMap<String, cel::Value> =
        params().iter().map(|(name, value)| (name.clone(), their(value))).collect();
    let mut context = cel::Context::default();
    context.add_variable_from_value("params", params);
    Some(match program.execute(&context).ok()? {
        cel::Value::Bool(value) => Answer::Bool(value),
        cel::Value::Int(value) => Answer::Int(value),
        cel::Value::Float(value) => Answer::Double(value),
        cel::Value::String(text) => Answer::Text(text.as_str().to_owned()),
        other => Answer::Other(format!("{other:?}")),
    })
}

fn alike(a: &Option<Answer>, b: &Option<Answer>) -> bool {
    match (a, b) {
        (Some(Answer::Double(a)), Some(Answer::Double(b))) => a == b || a.is_nan() && b.is_nan(),
        _ => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn both_come_to_the_same(text in prop_oneof![4 => boolean(DEPTH), 2 => int(DEPTH), 1 => double(DEPTH), 1 => text(DEPTH)]) {
        prop_assume!(text.len() < 4000);
        let (ours, theirs) = (ours(&text), theirs(&text));
        prop_assert!(alike(&ours, &theirs), "{text}\n  ours:   {ours:?}\n  theirs: {theirs:?}");
    }
}

#[test]
fn errors_are_errors_in_both() {
    for text in [
        "1 / 0",
        "1 % 0",
        "9223372036854775807 + 1",
        "-9223372036854775808 - 1",
        "-(-9223372036854775808)",
        "9223372036854775807 * 2",
        "-9223372036854775808 / -1",
        "[1][1]",
        "[1][-1]",
        "1 / 0 > 0 && true",
        "1 / 0 > 0 || false",
    ] {
        assert_eq!((ours(text), theirs(text)), (None, None), "{text}");
    }
    for (text, value) in [
        ("1 / 0 > 0 && false", false),
        ("false && 1 / 0 > 0", false),
        ("1 / 0 > 0 || true", true),
        ("true || 1 / 0 > 0", true),
    ] {
        assert_eq!(
            (ours(text), theirs(text)),
            (Some(Answer::Bool(value)), Some(Answer::Bool(value))),
            "{text}"
        );
    }
}
