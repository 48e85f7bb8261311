//! Parameters of a scenario in its conditions: `params.policy == "quorum"`, `params["max-lag"]`.
//!
//! A play has one value for each, so to the checker each is a constant with its type, as if the value were written
//! there. It may stand wherever a text must be written out (`duration(params.wait)`, `pods(params.selector)`), and only
//! messages call it by its name. A parameter whose value is a mapping, or nothing, has no place in a condition.
use super::ast::{Ast, Kind};
use super::check::Checker;
use super::wrong::{Place, Read, Wrong};

/// The word before the dot.
pub(super) const WORD: &str = "params";

/// The value of a parameter, as far as expressions know such values.
#[derive(Clone, PartialEq, Debug)]
pub enum Constant {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Double(f64),
    /// A text.
    Text(String),
    /// A list of such values.
    List(Vec<Constant>),
    /// What has no place in an expression, as a complaint calls it.
    Other(&'static str),
}

impl Constant {
    fn tree(&self, name: &str, place: Place) -> Read<Ast> {
        let kind = match self {
            Constant::Bool(value) => Kind::Bool(*value),
            Constant::Int(value) => Kind::Int(*value),
            Constant::Double(value) => Kind::Double(*value),
            Constant::Text(text) => Kind::Text(text.clone()),
            Constant::List(items) => {
                Kind::List(items.iter().map(|item| item.tree(name, place)).collect::<Read<_>>()?)
            }
            Constant::Other(what) => {
                let message = format!("param `{name}` is {what}, which has no place in an expression");
                return Err(Wrong::new(place, message));
            }
        };
        Ok(Ast { kind, place, depth: 1 })
    }
}

impl Checker<'_> {
    /// The value of a parameter, if a part asks for one.
    pub(super) fn constant(&self, tree: &Ast) -> Read<Option<Ast>> {
        let (of, name, at) = match &tree.kind {
            Kind::Field(of, name, at) => (of, name, *at),
            Kind::Index(of, index) => match &index.kind {
                Kind::Text(name) => (of, name, index.place),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let is_variable = || self.variables.iter().any(|(variable, _)| variable == WORD);
        if !matches!(&of.kind, Kind::Name(word) if word == WORD) || is_variable() {
            return Ok(None);
        }
        match self.scope.params.iter().find(|(known, _)| known == name) {
            Some((_, value)) => value.tree(name, tree.place).map(Some),
            None => Err(self.no_param(name, at)),
        }
    }

    fn no_param(&self, name: &str, at: Place) -> Wrong {
        let wrong = Wrong::new(at, format!("there is no param `{name}`"));
        match self.scope.params {
            [] => wrong.with_help("params are declared in `params:` of the Scenario's spec"),
            known => wrong.with_nearest(name, known.iter().map(|(name, _)| name.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Cluster;
    use crate::config::Config;
    use crate::expect::{Answer, Condition, Expression, Scope};

    fn params() -> Vec<(String, Constant)> {
        let text = |text: &str| Constant::Text(text.to_owned());
        [
            ("policy", text("quorum")),
            ("replicas", Constant::Int(3)),
            ("share", Constant::Double(0.5)),
            ("fenced", Constant::Bool(true)),
            ("wait", text("1m30s")),
            ("max-lag", Constant::Int(7)),
            ("selector", text("app=web")),
            ("names", Constant::List(vec![text("a"), text("b")])),
            ("nothing", Constant::List(Vec::new())),
            ("mixed", Constant::List(vec![text("a"), Constant::Int(1)])),
            ("limits", Constant::Other("a mapping")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    #[test]
    fn a_param_is_its_value_with_its_type() {
        let params = params();
        let scope = Scope { params: &params, ..Scope::default() };
        for (text, ty, value) in [
            ("params.replicas", "int", Answer::Int(3)),
            ("params.replicas * 2 + params['max-lag']", "int", Answer::Int(13)),
            ("params.share", "double", Answer::Double(0.5)),
            ("params.policy + '!'", "string", Answer::Text("quorum!".to_owned())),
            (
                "params.policy == 'quorum' ? duration(params.wait) : now",
                "duration",
                Answer::Duration(90_000_000_000),
            ),
            ("params.names[1]", "string", Answer::Text("b".to_owned())),
            ("size(params.names) + size(params.nothing)", "int", Answer::Int(2)),
            ("'b' in params.names && params.fenced", "bool", Answer::Bool(true)),
            ("size(pods(params.selector))", "int", Answer::Int(0)),
            // A macro's own variable of that name comes first.
            ("[1, 2].map(params, params + 1)[1]", "int", Answer::Int(3)),
        ] {
            let expression =
                Expression::read(text, scope).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
            assert_eq!(expression.type_name(), ty, "{text}");
            assert_eq!(expression.value(&Cluster::new(0, Config::recorded())), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_one_is_pointed_at() {
        let params = params();
        for (text, place, message, help) in [
            ("params.polcy == 'a'", "polcy", "there is no param `polcy`", "did you mean `policy`?"),
            ("params['max_lag'] > 1", "'max_lag'", "there is no param `max_lag`", "did you mean `max-lag`?"),
            (
                "params.replicas == '3'",
                "params.replicas == '3'",
                "a value of type int never equals one of type string",
                "",
            ),
            (
                "params.policy",
                "params.policy",
                "a condition is true or false, this is of type string",
                "compare it with something",
            ),
            (
                "params.limits == 1",
                "params.limits",
                "param `limits` is a mapping, which has no place in an expression",
                "",
            ),
            (
                "params.mixed == []",
                "params.mixed",
                "the elements before are of type string, this one is of type int",
                "",
            ),
            ("now > duration(params.policy)", "params.policy", "invalid duration \"quorum\": ", ""),
            ("now > duration(params.replicas)", "params.replicas", "a span of time is a text in quotes", ""),
            (
                "db(params.policy).writable",
                "params.policy",
                "no database of this scenario is called `quorum`",
                "",
            ),
            ("size(params) == 1", "params", "`params` is no value by itself", "write params.NAME"),
        ] {
            let databases = ["pg".to_owned()];
            let scope = Scope { params: &params, databases: Some(&databases), ..Scope::default() };
            let wrong = Condition::read(text, scope).expect_err(text);
            assert_eq!(&text[wrong.span.clone()], place, "{text}: {wrong:?}");
            assert!(wrong.message.starts_with(message), "{text}: {wrong:?}");
            assert!(help.is_empty() || wrong.help.as_deref() == Some(help), "{text}: {wrong:?}");
        }
        let wrong = Condition::read("params.a == 1", Scope::default()).expect_err("there are none");
        assert!(wrong.help.is_some_and(|help| help.contains("`params:`")));
    }

    #[test]
    fn explanations_name_it_with_its_value() {
        let params = params();
        let cluster = Cluster::new(0, Config::recorded());
        for (text, expected) in [
            ("params.policy == 'none'", "params.policy == \"quorum\""),
            (
                "params.fenced && size(pods()) == params.replicas",
                "size(pods()) == 0 and params.replicas == 3",
            ),
            ("!params.fenced", "params.fenced == true"),
            ("size(nodes()) in [1, params.replicas]", "size(nodes()) == 0"),
        ] {
            let scope = Scope { params: &params, ..Scope::default() };
            let condition = Condition::read(text, scope).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
            assert_eq!(condition.holds(&cluster), Ok(false), "{text}");
            assert_eq!(condition.explain(&cluster), expected, "{text}");
        }
    }
}
