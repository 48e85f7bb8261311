//! The Scenario document of the twin: everything that is said about the set, said about the twin.
use super::{Making, Original, name_of};
use crate::compare::names::Said;
use crate::expect::Constant;
use crate::scenario::yaml;
use serde_json::{Map, Value, json};

impl Making {
    pub(super) fn own(&mut self, original: &Original) -> Value {
        let mut own = original.own.clone().unwrap_or_else(|| json!({}));
        own["apiVersion"] = "stsim/v1alpha1".into();
        own["kind"] = "Scenario".into();
        let about = format!("{} with a Deployment in place of StatefulSet {}", original.name, self.names.set);
        own["metadata"] =
            json!({"name": format!("{}-deployment", original.name), "annotations": {"about": about}});
        let spec = own["spec"].take();
        let mut twin = Map::new();
        for (name, value) in spec.as_object().cloned().unwrap_or_default() {
            let value = match name.as_str() {
                // They stand behind this document.
                "manifests" => continue,
                "behavior" => self.behavior(value, "behavior"),
                "databases" => self.databases(value),
                "steps" => self.steps(value, false),
                "faults" => self.steps(value, true),
                "expect" => self.expectations(value, ""),
                "columns" => self.columns(value),
                _ => value,
            };
            twin.insert(name, value);
        }
        let params =
            original.params.iter().filter_map(|(name, value)| Some((name.clone(), constant(value)?)));
        let params: Map<String, Value> = params.collect();
        if !params.is_empty() {
            twin.insert("params".to_owned(), Value::Object(params));
        }
        own["spec"] = Value::Object(twin);
        own
    }

    /// Keeps the items that can be said about the twin.
    fn each(&mut self, list: Value, mut said: impl FnMut(&mut Self, usize, Value) -> Option<Value>) -> Value {
        let Value::Array(items) = list else { return list };
        items.into_iter().enumerate().filter_map(|(n, item)| said(self, n, item)).collect()
    }

    fn behavior(&mut self, list: Value, at: &str) -> Value {
        self.each(list, |this, n, mut rule| {
            let about = format!("{at} {}", n + 1);
            for (field, kind) in [("pod", "pod"), ("volume", "volume")] {
                let Some(text) = rule[field].as_str() else { continue };
                // The name of a pod of the twin is not known before it is there.
                let said = match this.names.target(&format!("{kind}/{text}")) {
                    Ok(said) if said.contains("{{") => Err(format!("`{text}` is no name that the twin has")),
                    said => said,
                };
                match said {
                    Ok(said) => rule[field] = said.split_once('/').map_or(text, |(_, name)| name).into(),
                    Err(why) => {
                        this.remark(about, format!("left out: {why}"), true);
                        return None;
                    }
                }
            }
            for field in ["readyWhen", "exitWhen"] {
                let text = rule[field].as_str().unwrap_or_default();
                let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
                let name = words.into_iter().find(|word| this.names.is_named(word)).map(str::to_owned);
                if let Some(name) = name {
                    let text = format!("kept: its containers go on asking for {name}, which is not there");
                    this.remark(format!("{about}, {field}"), text, false);
                }
            }
            Some(rule)
        })
    }

    fn columns(&mut self, columns: Value) -> Value {
        let Value::Object(columns) = columns else { return columns };
        let mut kept = Map::new();
        for (title, value) in columns {
            match value.as_str().map(|text| self.names.expression(text)) {
                Some(Ok(said)) => drop(kept.insert(title, said.into())),
                Some(Err(why)) => self.remark(format!("column {title}"), format!("left out: {why}"), true),
                None => drop(kept.insert(title, value)),
            }
        }
        Value::Object(kept)
    }

    fn databases(&mut self, list: Value) -> Value {
        self.each(list, |this, _, mut database| {
            if let Some(on) = database.as_object_mut().and_then(|fields| fields.remove("true")) {
                database["on"] = on;
            }
            let on = database["on"].as_str().unwrap_or_default();
            let is_ours = on.split_once('/').is_some_and(|(kind, name)| {
                ["sts", "statefulset", "statefulsets"].contains(&kind) && name == this.names.set
            });
            if !is_ours {
                return Some(database);
            }
            let about = format!("database {}", database["name"].as_str().unwrap_or_default());
            database["on"] = format!("deployment/{}", this.names.twin).into();
            if database["primary"] != "lease" {
                database["primary"] = "lease".into();
                let text = "its primary is always the pod with the first ordinal; in the twin it is elected by a lease";
                this.remark(&about, text, false);
            }
            if database["bootstrap"] == "ordinal-0" {
                database["bootstrap"] = "if-no-peer".into();
                this.remark(&about, "begun by whoever finds no other, for nobody is ordinal 0", false);
            }
            for group in ["writes", "reads"] {
                this.clients(&mut database[group], &about);
            }
            if let Some(fields) = database.as_object_mut() {
                fields.retain(|_, value| !value.is_null());
            }
            Some(database)
        })
    }

    /// Clients that reach a pod by its own name.
    fn clients(&mut self, group: &mut Value, about: &str) {
        let mut renamed = Vec::new();
        let names = &self.names;
        let mut of_one = |client: &mut Value| {
            let mut rename = |via: &mut Value| {
                if let Some(service) = via.as_str().and_then(|text| names.via(text)) {
                    renamed.push((via.as_str().unwrap_or_default().to_owned(), service.clone()));
                    *via = service.into();
                }
            };
            match &mut client["via"] {
                Value::Array(all) => all.iter_mut().for_each(rename),
                one => rename(one),
            }
        };
        match group {
            Value::Array(clients) => clients.iter_mut().for_each(of_one),
            Value::Object(_) => of_one(group),
            _ => {}
        }
        renamed.dedup();
        for (from, to) in renamed {
            let text =
                format!("clients of {from} go to {to}: pods of a Deployment have no DNS names of their own");
            self.remark(about, text, false);
        }
    }

    // ---- Steps -------------------------------------------------------------------------------------------------------

    fn steps(&mut self, list: Value, lane: bool) -> Value {
        self.each(list, |this, n, step| {
            let word = if lane { "fault" } else { "step" };
            let about = format!("{word} {} ({})", n + 1, title(&step));
            let said = this.step(step.clone(), n);
            match said {
                Ok(said) => {
                    let (before, after) = (title(&step), title(&said));
                    if before != after {
                        this.remark(about, after, false);
                    }
                    if lane {
                        this.faults.push(n)
                    } else {
                        this.steps.push(n)
                    }
                    Some(said)
                }
                Err(why) => {
                    this.remark(about, format!("left out: {why}"), true);
                    None
                }
            }
        })
    }

    fn step(&mut self, mut step: Value, n: usize) -> Result<Value, String> {
        if let Some(words) = words(&step["kubectl"]) {
            step["kubectl"] = self.names.command(&words)?.into();
        }
        if let Some(text) = step["stdin"].as_str() {
            step["stdin"] = self.applied(text)?.into();
        }
        if let Some(applied) = step.get("apply").cloned() {
            step["apply"] = match applied {
                Value::String(text) => self.applied(&text)?.into(),
                Value::Array(items) => items.iter().flat_map(|item| self.one(item)).collect(),
                item => self.one(&item).into(),
            };
        }
        if let Some(text) = step["when"].as_str() {
            step["when"] = self.names.expression(text)?.into();
        }
        if let Some(text) = step["from"].as_str() {
            step["from"] = self.names.target(text)?.into();
        }
        if let Some(name) = step["lookup"].as_str()
            && self.names.via(name).is_some()
        {
            return Err(format!("no pod of the twin has the name {name}"));
        }
        self.failing(&step["writes"])?;
        if let Some(of) = step["refuse"]["of"].as_str() {
            return Err(format!("it refuses writes of the StatefulSet controller ({of})"));
        }
        for (verb, _) in crate::scenario::faults::VERBS {
            if !["kubectl", "apply", "sleep", "lookup", "addNode", "behavior", "refuse"].contains(verb)
                && let Some(value) = step.get(*verb).cloned()
            {
                step[*verb] = self.targets(value)?;
            }
        }
        if let Some(rules) = step.get("behavior").cloned() {
            step["behavior"] = self.behavior(rules, &format!("step {}, behavior", n + 1));
        }
        if let Some(list) = step.get("expect").cloned() {
            step["expect"] = self.expectations(list, &format!("step {}, ", n + 1));
        }
        if let Some(fields) = step.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        Ok(step)
    }

    /// Writes that fail are picked by who writes and by names, which are known before the run.
    fn failing(&self, writes: &Value) -> Result<(), String> {
        let text = |field: &str| writes[field].as_str().unwrap_or_default();
        if text("client").contains("statefulset") || text("kind").starts_with("st") {
            return Err("it fails writes of the StatefulSet controller, or of a StatefulSet".into());
        }
        let name = text("name");
        if self.names.is_named(name) || self.names.target(&format!("pod/{name}")).is_err() {
            return Err(format!("it fails writes of `{name}`, and the twin has nothing of that name"));
        }
        Ok(())
    }

    fn targets(&self, value: Value) -> Result<Value, String> {
        match value {
            Value::String(text) => self.names.target(&text).map(Value::from),
            Value::Array(items) => items.into_iter().map(|item| self.targets(item)).collect(),
            other => Ok(other),
        }
    }

    /// One manifest as the twin has it.
    fn one(&self, manifest: &Value) -> Vec<Value> {
        if self.is_set(manifest) { self.documents(manifest) } else { vec![manifest.clone()] }
    }

    fn applied(&self, text: &str) -> Said {
        let documents = yaml::documents(text)?;
        if !documents.iter().any(|document| self.is_set(document)) {
            return Ok(text.to_owned());
        }
        let twins = documents.iter().flat_map(|document| self.one(document));
        Ok(twins.map(|document| crate::kubectl::yaml_of(&document)).collect::<Vec<_>>().join("---\n"))
    }

    // ---- Expectations ------------------------------------------------------------------------------------------------

    fn expectations(&mut self, list: Value, at: &str) -> Value {
        self.each(list, |this, n, expectation| {
            let name = expectation["name"].as_str().map(|name| format!(" ({name})")).unwrap_or_default();
            match this.expectation(expectation) {
                Ok(said) => Some(said),
                Err(why) => {
                    this.remark(format!("{at}expectation {}{name}", n + 1), format!("left out: {why}"), true);
                    None
                }
            }
        })
    }

    fn expectation(&self, mut expectation: Value) -> Result<Value, String> {
        for form in ["always", "never", "finally", "that", "whenever", "then", "sometimes"] {
            if let Some(text) = expectation[form].as_str() {
                expectation[form] = self.names.expression(text)?.into();
            }
        }
        for moment in expectation["order"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if moment.split_whitespace().any(|word| self.names.is_named(word)) {
                return Err("it orders pods by their names, and the twin's are random".into());
            }
        }
        let object = &mut expectation["object"];
        if self.is_set(object) {
            if let Some(field) = object["status"].as_object().and_then(|status| {
                status
                    .keys()
                    .find(|name| !["replicas", "readyReplicas", "availableReplicas"].contains(&name.as_str()))
            }) {
                return Err(format!("it asks for status.{field} of a StatefulSet"));
            }
            object["kind"] = "Deployment".into();
            object["metadata"]["name"] = self.names.twin.as_str().into();
        } else if self.names.is_named(name_of(object)) {
            return Err(format!("it is about {}, and the twin has nothing of that name", name_of(object)));
        }
        if let Some(fields) = expectation.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        Ok(expectation)
    }
}

/// A parameter's value as its default; what no condition can ask for is none.
fn constant(value: &Constant) -> Option<Value> {
    Some(match value {
        Constant::Bool(value) => (*value).into(),
        Constant::Int(value) => (*value).into(),
        Constant::Double(value) => (*value).into(),
        Constant::Text(value) => value.as_str().into(),
        Constant::List(values) => values.iter().filter_map(constant).collect(),
        Constant::Other(_) => return None,
    })
}

/// The words of a command, if a step has one.
fn words(kubectl: &Value) -> Option<Vec<String>> {
    match kubectl {
        Value::String(line) => shlex::split(line),
        Value::Array(items) => {
            let word = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
            Some(items.iter().map(word).collect())
        }
        _ => None,
    }
}

/// What a step does, in one line.
fn title(step: &Value) -> String {
    if let Some(words) = words(&step["kubectl"]) {
        return format!("kubectl {}", words.join(" "));
    }
    if step.get("apply").is_some() {
        return "apply".into();
    }
    let verbs = crate::scenario::faults::VERBS.iter().map(|(verb, _)| *verb);
    let found = verbs.into_iter().find_map(|verb| Some((verb, step.get(verb)?)));
    found.map_or_else(String::new, |(verb, value)| match value {
        Value::String(text) => format!("{verb} {text}"),
        Value::Array(items) => {
            let all: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            format!("{verb} {}", all.join(", "))
        }
        _ => verb.to_owned(),
    })
}
