//! Reading `expect:` lists, of the scenario and of steps: exactly one form each, with its options.
use crate::expect::form::{Form, Limit, Statement};
use crate::expect::moment::Moment;
use crate::expect::object::Pattern;
use crate::invariants::BREAKABLE;
use crate::kernel::Time;
use crate::limits;
use crate::scenario::language::EXPECTATION;
use crate::scenario::parts::{Read, Reader};
use crate::scenario::{Expectation, Node, Place};

/// The forms an expectation can have.
const FORMS: [&str; 9] =
    ["always", "never", "finally", "that", "whenever", "sometimes", "order", "object", "violates"];

impl Reader<'_> {
    /// An `expect` list: of a step if it has a number, else of the run.
    pub fn expectations(&self, node: &Node, source: usize, step: Option<usize>) -> Read<Vec<Expectation>> {
        let at = step.map_or_else(|| "expect".to_owned(), |n| format!("step {}: expect", n + 1));
        let items = self.items(node, &at)?;
        if items.len() > limits::MAX_EXPECTATIONS {
            let message = format!("limit exceeded: more than {} expectations", limits::MAX_EXPECTATIONS);
            return Err(self.error(node, message).as_limit());
        }
        items.iter().map(|item| self.expectation(item, source, step, &at)).collect()
    }

    fn expectation(&self, node: &Node, source: usize, step: Option<usize>, at: &str) -> Read<Expectation> {
        let Some(entries) = node.as_mapping() else {
            let message = format!("{at}: expected a mapping with one form, found {}", node.kind());
            return Err(self.error(node, message).with_help("such as `- {finally: '...'}`"));
        };
        let has_object = node.get("object").is_some();
        let mut form: Option<(String, &Node, &Node)> = None;
        for (key, value) in entries {
            let name = key.key_text();
            let is_form = FORMS.contains(&name.as_str()) && !(has_object && name == "finally");
            if is_form {
                if let Some((first, ..)) = &form {
                    let message =
                        format!("an expectation has one form, this one has two: `{first}` and `{name}`");
                    return Err(self.error(key, message));
                }
                form = Some((name, key, value));
            } else if !EXPECTATION.names().any(|known| known == name) {
                return Err(self
                    .error(key, format!("unknown field `{name}` in {at}"))
                    .with_nearest(&name, EXPECTATION.names()));
            }
        }
        let Some((word, key, value)) = form else {
            return Err(self
                .error(node, format!("{at}: an expectation needs a form"))
                .with_help(format!("forms are {}", FORMS.join(", "))));
        };
        if step.is_some() && word == "violates" {
            return Err(self.error(key, "`violates` is said of a whole run, not of a step"));
        }
        let (form, title) = self.form(&word, value, node, at)?;
        let text = |field: &str| node.get(field).map(|value| self.text(value, at)).transpose();
        Ok(Expectation {
            place: Place { source, span: key.span },
            title: text("name")?.map_or(title, str::to_owned),
            about: text("about")?.unwrap_or_default().to_owned(),
            form,
        })
    }

    /// The form, and what to call it if it has no name.
    fn form(&self, word: &str, value: &Node, node: &Node, at: &str) -> Read<(Form, String)> {
        self.only_with(word, node)?;
        Ok(match word {
            "order" => self.order(value, at)?,
            "object" => self.object(value, node, at)?,
            "violates" => {
                let text = self.text(value, at)?;
                let found = BREAKABLE.iter().find(|breakable| breakable.name == text);
                let breakable = found.ok_or_else(|| {
                    let names = BREAKABLE.iter().map(|breakable| breakable.name);
                    self.error(value, format!("`{text}` is no invariant that faults can violate"))
                        .with_help(format!("one of {}", names.clone().collect::<Vec<_>>().join(", ")))
                        .with_nearest(text, names)
                })?;
                (Form::Violates(breakable), format!("violates: {text}"))
            }
            _ => self.conditional(word, value, node, at)?,
        })
    }

    /// The forms that have a condition.
    fn conditional(&self, word: &str, value: &Node, node: &Node, at: &str) -> Read<(Form, String)> {
        let (condition, text) = self.statement(value, at)?;
        let title = format!("{word}: {text}");
        Ok(match word {
            "always" => (Form::Always(condition), title),
            "never" => (Form::Never(condition), title),
            "finally" => (Form::Finally(condition), title),
            "sometimes" => (Form::Sometimes(condition), title),
            "that" => {
                let Some((limit, when)) = self.limit(node, at)? else {
                    let message = "`that` needs `within` or `by`";
                    return Err(self.error(value, message).with_help("what holds at the end is `finally`"));
                };
                (Form::That(condition, limit), format!("{title} {when}"))
            }
            _ => {
                let Some(then) = node.get("then") else {
                    return Err(self.error(value, "`whenever` needs `then`, a condition"));
                };
                let (then, answer) = self.statement(then, at)?;
                let within = node.get("within").map(|value| self.duration(value, at)).transpose()?;
                let when = within.map_or_else(String::new, |within| format!(" within {within}"));
                (Form::Whenever(condition, then, within), format!("{title} then: {answer}{when}"))
            }
        })
    }

    /// A condition, and its text in one line.
    fn statement(&self, node: &Node, at: &str) -> Read<(Statement, String)> {
        let condition = self.condition(node, at)?;
        let line = condition.text().split_whitespace().collect::<Vec<_>>().join(" ");
        Ok((Statement::Condition(Box::new(condition)), line))
    }

    fn order(&self, value: &Node, at: &str) -> Read<(Form, String)> {
        let mut moments = Vec::new();
        for item in self.items(value, at)? {
            let text = self.text(item, at)?;
            let moment =
                Moment::read(text).map_err(|wrong| self.error(item, wrong.message).with_help(wrong.help))?;
            moments.push(moment);
        }
        if moments.len() < 2 {
            return Err(self.error(value, format!("{at}: an order needs at least two moments")));
        }
        let texts: Vec<_> = moments.iter().map(|moment| moment.text.as_str()).collect();
        let title = format!("order: {}", texts.join(", "));
        Ok((Form::Order(moments), title))
    }

    fn object(&self, value: &Node, node: &Node, at: &str) -> Read<(Form, String)> {
        let pattern = Pattern::read(&value.to_json()).map_err(|wrong| {
            let place = wrong.field.iter().try_fold(value, |node, field| node.get(field));
            let error = self.error(place.unwrap_or(value), wrong.message);
            if wrong.help.is_empty() { error } else { error.with_help(wrong.help) }
        })?;
        if let Some(value) = node.get("finally")
            && value.as_bool() != Some(true)
        {
            return Err(self.error(value, format!("{at}: beside `object`, finally is true or left out")));
        }
        let subject = format!("object: {}", pattern.subject());
        let statement = Statement::Object(Box::new(pattern));
        Ok(match self.limit(node, at)? {
            Some((limit, title)) => (Form::That(statement, limit), format!("{subject} {title}")),
            None => (Form::Finally(statement), format!("{subject} at the end")),
        })
    }

    /// `within:` or `by:`, and how to say it.
    fn limit(&self, node: &Node, at: &str) -> Read<Option<(Limit, String)>> {
        if let Some(value) = node.get("within") {
            let within = self.duration(value, at)?;
            return Ok(Some((Limit::Within(within), format!("within {within}"))));
        }
        let Some(value) = node.get("by") else { return Ok(None) };
        let by = Time::ZERO + self.duration(value, at)?;
        Ok(Some((Limit::By(by), format!("by {by}"))))
    }

    /// Each option belongs to some forms only, and only one says when.
    fn only_with(&self, word: &str, node: &Node) -> Read<()> {
        for (option, forms) in [
            ("within", &["that", "whenever", "object"][..]),
            ("by", &["that", "object"]),
            ("finally", &["object", "finally"]),
            ("then", &["whenever"]),
        ] {
            if let Some((key, _)) = node.entry(option)
                && !forms.contains(&word)
            {
                return Err(self.error(key, format!("`{option}` does not go with `{word}`")));
            }
        }
        let mut times = ["within", "by", "finally"].into_iter().filter_map(|option| node.entry(option));
        if let (Some((first, _)), Some((second, _))) = (times.next(), times.next()) {
            let (first, name) = (first.key_text(), second.key_text());
            return Err(self.error(second, format!("`{name}` and `{first}` do not go together")));
        }
        Ok(())
    }
}
