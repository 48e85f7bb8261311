//! Reading conditions: what is wrong with one is pointed at inside the YAML scalar it stands in.
use crate::expect::{Condition, Expression, Scope, Wrong};
use crate::scenario::Node;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::parts::{Read, Reader};
use std::sync::Arc;

impl Reader<'_> {
    /// A condition over the cluster.
    pub fn condition(&self, node: &Node, at: &str) -> Read<Condition> {
        self.condition_in(
            node,
            at,
            Scope { faults: self.faults, databases: self.databases, params: self.params, container: false },
        )
    }

    /// The text of a condition over what a container can see.
    pub(super) fn seen_by_container(&self, node: &Node, at: &str) -> Read<Arc<str>> {
        let condition = self.condition_in(node, at, Scope::container(self.params))?;
        Ok(condition.text().into())
    }

    /// A condition over whatever there is in a scope.
    pub fn condition_in(&self, node: &Node, at: &str, scope: Scope<'_>) -> Read<Condition> {
        if let Some(value) = node.as_bool() {
            let message = format!("{at}: expected a condition in quotes, found {value}");
            return Err(self.error(node, message));
        }
        let text = self.text(node, at)?;
        Condition::read(text, scope).map_err(|wrong| self.inside(node, text, at, wrong))
    }

    /// An expression of any type over a cluster.
    pub fn expression(&self, node: &Node, at: &str) -> Read<Expression> {
        let text = self.text(node, at)?;
        let scope =
            Scope { faults: self.faults, databases: self.databases, params: self.params, container: false };
        Expression::read(text, scope).map_err(|wrong| self.inside(node, text, at, wrong))
    }

    /// A complaint about a part of a text.
    fn inside(&self, node: &Node, text: &str, at: &str, wrong: Wrong) -> Diagnostic {
        let error = self.error(node, format!("{at}: {}", wrong.message)).inside(text, wrong.span);
        match wrong.help {
            Some(help) => error.with_help(help),
            None => error,
        }
    }
}

/// Names that stand in these lists of a Scenario document, which conditions may ask for.
pub(super) fn names(document: &Node, lists: &[&str]) -> Vec<String> {
    let spec = document.get("spec");
    let items = lists.iter().filter_map(|list| spec?.get(list)?.as_sequence());
    items.flatten().filter_map(|item| item.get("name")?.as_str().map(str::to_owned)).collect()
}
