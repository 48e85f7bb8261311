//! Calls: functions that lead into the cluster, CEL's own functions, and its macros.
use super::ast::{Ast, Kind};
use super::check::{Checker, SEEN, Typed};
use super::reads::Reads;
use super::roots::{self, Called, KINDS, Leads, ROOTS, Root, Takes};
use super::tree::{Argument, Macro, Node, Op, TextTest};
use super::types::{Base, Class, Ty};
use super::wrong::{Place, Read, Wrong};
use crate::api::kind::Kind as ApiKind;
use crate::api::selector::Selector;
use crate::kernel::Duration;

/// Functions of CEL that are called with the value in the brackets.
const PLAIN: [&str; 4] = ["size", "has", "duration", "matches"];
/// Functions of CEL that are called on a value.
const METHODS: [&str; 15] = [
    "resolves",
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "all",
    "exists",
    "exists_one",
    "filter",
    "map",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
];
/// Longest compiled pattern, bytes.
const MAX_PATTERN: usize = 1 << 20;

/// Names of all functions that are not called on a value.
pub(super) fn functions() -> impl Iterator<Item = &'static str> + Clone {
    PLAIN.into_iter().chain(ROOTS.iter().flat_map(|root| root.names.iter().copied()))
}

/// How a function is called.
pub(super) fn example(root: &Root) -> String {
    let argument = match (root.takes, root.leads) {
        (Takes::Selector, _) => "\"app=web\"",
        (Takes::Object, _) => "\"pod/web-0\"",
        (Takes::Host, _) => "\"web-0.web\"",
        (_, Leads::Attachments | Leads::Disks) => "\"data-web-0\"",
        (_, Leads::Processes) => "\"web-0\"",
        (_, Leads::One(Class::Pod)) => "\"web-0\"",
        _ => "\"web\"",
    };
    format!("{}({argument})", root.names.first().copied().unwrap_or_default())
}

/// A call, with or without a value before it.
pub(super) fn call(
    checker: &mut Checker<'_>,
    of: Option<&Ast>,
    name: &str,
    at: Place,
    arguments: &[Ast],
    place: Place,
) -> Read<Typed> {
    let Some(of) = of else { return plain(checker, name, at, arguments, place) };
    if let Some(kind) = macro_of(name) {
        return go_through(checker, kind, of, arguments, at, place);
    }
    let (value, ty) = checker.node(of)?;
    let is_text = ty.join(Ty::TEXT) == Some(Ty::TEXT);
    match name {
        "size" => {
            count(name, at, arguments, 0, "no argument")?;
            size(value, ty, of.place)
        }
        "resolves" if ty == Ty::object(Class::Dns) => {
            count(name, at, arguments, 1, "one argument, a name")?;
            let host = checker.expect(&arguments[0], Ty::TEXT, "a name")?;
            checker.reads = checker.reads.and(Reads::DNS).and(Reads::LINKS).and(Reads::kind(ApiKind::Pod));
            Ok(Typed { op: Op::Resolves(Box::new(host)), ty: Ty::BOOL })
        }
        "startsWith" | "endsWith" | "contains" if is_text => {
            count(name, at, arguments, 1, "one argument, a string")?;
            let test = match name {
                "startsWith" => TextTest::StartsWith,
                "endsWith" => TextTest::EndsWith,
                _ => TextTest::Contains,
            };
            let other = checker.expect(&arguments[0], Ty::TEXT, &format!("what {name} looks for"))?;
            Ok(Typed { op: Op::TextTest(Box::new([value, other]), test), ty: Ty::BOOL })
        }
        "matches" if is_text => {
            count(name, at, arguments, 1, "one argument, a pattern")?;
            matches(checker, value, &arguments[0])
        }
        "getHours" | "getMinutes" | "getSeconds" | "getMilliseconds" if ty == Ty::DURATION => {
            count(name, at, arguments, 0, "no argument")?;
            let nanos = match name {
                "getHours" => 3_600_000_000_000,
                "getMinutes" => 60_000_000_000,
                "getSeconds" => 1_000_000_000,
                _ => 1_000_000,
            };
            Ok(Typed { op: Op::Units(Box::new(value), nanos), ty: Ty::INT })
        }
        known if METHODS.contains(&known) => {
            Err(Wrong::new(at, format!("`{name}` is no function of a value of type {ty}")))
        }
        _ => {
            Err(Wrong::new(at, format!("unknown function `{name}`")).with_nearest(name, METHODS.into_iter()))
        }
    }
}

fn plain(checker: &mut Checker<'_>, name: &str, at: Place, arguments: &[Ast], place: Place) -> Read<Typed> {
    match name {
        "size" => {
            count(name, at, arguments, 1, "one argument, a list or a string")?;
            let (value, ty) = checker.node(&arguments[0])?;
            size(value, ty, arguments[0].place)
        }
        "has" => {
            count(name, at, arguments, 1, "one argument, a field")?;
            checker.has(&arguments[0])
        }
        "duration" => {
            count(name, at, arguments, 1, "one argument such as \"5m\"")?;
            duration(checker, &arguments[0])
        }
        "matches" => {
            count(name, at, arguments, 2, "two arguments, a string and a pattern")?;
            let value = checker.expect(&arguments[0], Ty::TEXT, "what is matched")?;
            matches(checker, value, &arguments[1])
        }
        _ if checker.scope.container && roots::find(name).is_some() => {
            let seen = SEEN.map(|(word, _)| word).join(", ");
            Err(Wrong::new(at, format!("a container cannot ask `{name}()`"))
                .with_help(format!("it sees {seen}")))
        }
        _ => match roots::find(name) {
            Some(root) => lead(checker, root, name, at, arguments),
            None if macro_of(name).is_some() || METHODS.contains(&name) => {
                Err(Wrong::new(at, format!("`{name}` is called on a value: x.{name}(...)")))
            }
            None => Err(Wrong::new(at, format!("unknown function `{name}`")).with_nearest(name, functions())),
        },
    }
    .map_err(|wrong| if wrong.span.is_empty() { Wrong { span: place.range(), ..wrong } } else { wrong })
}

fn count(name: &str, at: Place, arguments: &[Ast], wanted: usize, what: &str) -> Read<()> {
    if arguments.len() == wanted {
        return Ok(());
    }
    Err(Wrong::new(at, format!("`{name}` takes {what}; it is given {}", arguments.len())))
}

fn size(value: Node, ty: Ty, place: Place) -> Read<Typed> {
    if ty.lists > 0 || matches!(ty.base, Base::Text | Base::Labels | Base::Any) {
        return Ok(Typed { op: Op::Size(Box::new(value)), ty: Ty::INT });
    }
    Err(Wrong::new(place, format!("a value of type {ty} has no size")))
}

/// The text of an argument that must be written out, or be a parameter.
fn literal(checker: &Checker<'_>, argument: &Ast, what: &str) -> Read<String> {
    match checker.constant(argument)?.map_or_else(|| argument.kind.clone(), |constant| constant.kind) {
        Kind::Text(text) => Ok(text),
        _ => Err(Wrong::new(argument.place, format!("{what} is a text in quotes"))),
    }
}

fn duration(checker: &Checker<'_>, argument: &Ast) -> Read<Typed> {
    let text = literal(checker, argument, "a span of time")?;
    let (sign, span) = text.strip_prefix('-').map_or((1, text.as_str()), |span| (-1, span));
    let span = Duration::parse(span).map_err(|why| Wrong::new(argument.place, why))?;
    let nanos = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    Ok(Typed { op: Op::Duration(sign * nanos), ty: Ty::DURATION })
}

fn matches(checker: &Checker<'_>, value: Node, pattern: &Ast) -> Read<Typed> {
    let text = literal(checker, pattern, "a pattern")?;
    let regex = regex_lite::RegexBuilder::new(&text).size_limit(MAX_PATTERN).build();
    let regex = regex.map_err(|why| Wrong::new(pattern.place, format!("this is no pattern: {why}")))?;
    Ok(Typed { op: Op::Matches(Box::new(value), regex), ty: Ty::BOOL })
}

/// A function that leads into the cluster.
fn lead(
    checker: &mut Checker<'_>,
    root: &'static Root,
    name: &str,
    at: Place,
    arguments: &[Ast],
) -> Read<Typed> {
    let optional = matches!(root.takes, Takes::NameOrAll | Takes::Selector | Takes::Object);
    let argument = match arguments {
        [only] => self::argument(checker, root, only)?,
        [] if optional => match root.takes {
            Takes::Selector => Argument::Selector(Box::default()),
            _ => Argument::None,
        },
        _ => {
            let how = if optional { "at most one argument" } else { "one argument" };
            let message = format!("`{name}` takes {how}; it is given {}", arguments.len());
            return Err(Wrong::new(at, message).with_help(format!("write {}", example(root))));
        }
    };
    checker.reads = checker.reads.and(root.leads.reads());
    Ok(Typed { op: Op::Root(root.leads, argument), ty: root.leads.ty() })
}

fn argument(checker: &mut Checker<'_>, root: &Root, argument: &Ast) -> Read<Argument> {
    match root.takes {
        Takes::Selector => {
            let text = literal(checker, argument, "a label selector")?;
            let selector = text.parse::<Selector>();
            let selector = selector
                .map_err(|why| Wrong::new(argument.place, format!("this is no label selector: {why}")))?;
            Ok(Argument::Selector(Box::new(selector)))
        }
        Takes::Name | Takes::NameOrAll => {
            let node = checker.expect(argument, Ty::TEXT, "a name")?;
            let Op::Text(text) = &node.op else { return Ok(Argument::Text(Box::new(node))) };
            if text.is_empty() {
                return Err(Wrong::new(argument.place, "an empty text is no name"));
            }
            checker.names.push(Called::new(text, is_namespaced(root.leads)));
            Ok(Argument::Name(checker.names.len() - 1))
        }
        Takes::Fault => named(
            checker,
            argument,
            "fault",
            checker.scope.faults,
            "a step or fault is given a name with `name:`",
        ),
        Takes::Database => named(
            checker,
            argument,
            "database",
            checker.scope.databases,
            "databases are described in `databases:`",
        ),
        Takes::Object => {
            let node = checker.expect(argument, Ty::TEXT, "an object")?;
            if let Op::Text(text) = &node.op {
                let kind = text.split_once('/').map_or("", |(kind, _)| kind);
                if !KINDS.iter().any(|(word, _)| *word == kind) {
                    let words = KINDS.map(|(word, _)| word);
                    return Err(Wrong::new(
                        argument.place,
                        "an object is written kind/name, such as pod/web-0",
                    )
                    .with_help(format!("kinds are {}", words.join(", "))));
                }
            }
            Ok(Argument::Text(Box::new(node)))
        }
        Takes::Host => Ok(Argument::Text(Box::new(checker.expect(argument, Ty::TEXT, "a name")?))),
    }
}

/// The name of something that the scenario itself describes, which can be checked if its names are known.
fn named(
    checker: &Checker<'_>,
    argument: &Ast,
    what: &str,
    known: Option<&[String]>,
    none: &str,
) -> Read<Argument> {
    let text = literal(checker, argument, &format!("the name of a {what}"))?;
    if let Some(known) = known
        && !known.contains(&text)
    {
        let wrong = Wrong::new(argument.place, format!("no {what} of this scenario is called `{text}`"));
        return Err(match known {
            [] => wrong.with_help(none),
            known => wrong.with_nearest(&text, known.iter().map(String::as_str)),
        });
    }
    Ok(Argument::Text(Box::new(Node { op: Op::Text(text), place: argument.place })))
}

/// What a name that leads there is looked up in.
pub(super) fn is_namespaced(leads: Leads) -> bool {
    match leads {
        Leads::One(class) => class.kind().is_none_or(ApiKind::is_namespaced),
        _ => true,
    }
}

fn macro_of(name: &str) -> Option<Macro> {
    Some(match name {
        "all" => Macro::All,
        "exists" => Macro::Exists,
        "exists_one" => Macro::ExistsOne,
        "filter" => Macro::Filter,
        "map" => Macro::Map,
        _ => return None,
    })
}

/// A macro: what it does with each element is checked with the variable in scope.
fn go_through(
    checker: &mut Checker<'_>,
    kind: Macro,
    of: &Ast,
    arguments: &[Ast],
    at: Place,
    place: Place,
) -> Read<Typed> {
    let (list, ty) = checker.node(of)?;
    let Some(element) = ty.element() else {
        return Err(Wrong::new(of.place, format!("this goes through lists, a value of type {ty} is none")));
    };
    let (variable, bodies) = match arguments {
        [variable, bodies @ ..] if bodies.len() == 1 || bodies.len() == 2 && kind == Macro::Map => {
            (variable, bodies)
        }
        _ => return Err(Wrong::new(at, "this takes a variable and what is said of it: .all(x, x.ready)")),
    };
    let Kind::Name(variable) = &variable.kind else {
        return Err(Wrong::new(variable.place, "expected the name of a variable"));
    };
    checker.variables.push((variable.clone(), element));
    let checked = bodies_of(checker, kind, bodies);
    checker.variables.pop();
    let (bodies, result) = checked?;
    let ty = match kind {
        Macro::Filter => ty,
        Macro::Map if result.lists < u8::MAX => result.list(),
        Macro::Map => return Err(Wrong::new(place, "too many lists in lists")),
        _ => Ty::BOOL,
    };
    Ok(Typed { op: Op::Macro(kind, Box::new(list), bodies), ty })
}

fn bodies_of(checker: &mut Checker<'_>, kind: Macro, bodies: &[Ast]) -> Read<(Vec<Node>, Ty)> {
    let mut nodes = Vec::new();
    let mut ty = Ty::BOOL;
    for (n, body) in bodies.iter().enumerate() {
        if kind == Macro::Map && n + 1 == bodies.len() {
            let (node, found) = checker.node(body)?;
            nodes.push(node);
            ty = found;
        } else {
            nodes.push(checker.expect(body, Ty::BOOL, "what is said of each element")?);
        }
    }
    Ok((nodes, ty))
}
