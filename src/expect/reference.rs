//! The tables of `docs/expressions.md`, from the tables that are checked and evaluated.
use super::calls::example;
use super::facts::fields;
use super::roots::ROOTS;
use super::types::Class;
use std::fmt::Write as _;

/// All functions that lead into the cluster, and the fields of all types, as Markdown.
pub fn reference() -> String {
    let mut page = String::from("| function | gives | what |\n| --- | --- | --- |\n");
    for root in ROOTS {
        let others = root.names.iter().skip(1).map(|name| format!(", `{name}`")).collect::<String>();
        let _ = writeln!(page, "| `{}`{others} | `{}` | {} |", example(root), root.leads.ty(), root.about);
    }
    for class in Class::ALL.into_iter().filter(|class| fields(*class).next().is_some()) {
        let _ = write!(page, "\n### {}\n\n| field | type | what |\n| --- | --- | --- |\n", class.name());
        let is_api_object = class.kind().is_some();
        for field in fields(class).filter(|field| !is_api_object || !is_common(field.path)) {
            let _ = writeln!(page, "| `{}` | `{}` | {} |", field.path, field.ty, field.about);
        }
    }
    page.push_str("\n### Every API object\n\n| field | type | what |\n| --- | --- | --- |\n");
    for field in fields(Class::Pod).filter(|field| is_common(field.path)) {
        let _ = writeln!(page, "| `{}` | `{}` | {} |", field.path, field.ty, field.about);
    }
    page
}

/// A field that all API objects have.
fn is_common(path: &str) -> bool {
    super::facts::common().any(|field| field.path == path)
}

impl Class {
    /// Whether values of this type come from a function or a field at all.
    #[cfg(test)]
    fn is_reached(self) -> bool {
        let is = |ty: super::types::Ty| ty.base == super::types::Base::Object(self);
        super::check::SEEN.iter().any(|(_, class)| *class == self)
            || ROOTS.iter().any(|root| is(root.leads.ty()))
            || Class::ALL.into_iter().any(|class| fields(class).any(|field| is(field.ty)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `BLESS=1` writes the page.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test that writes the page it checks")]
    fn the_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/expressions.md");
        let page = std::fs::read_to_string(path).expect("the page");
        let (before, rest) = page.split_once("<!-- generated -->\n").expect("a beginning");
        let (_, after) = rest.split_once("<!-- end of generated -->").expect("an end");
        let fresh = format!("{before}<!-- generated -->\n{}<!-- end of generated -->{after}", reference());
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &fresh).expect("written");
            return;
        }
        assert!(
            page == fresh,
            "docs/expressions.md differs from the tables: BLESS=1 cargo test --lib expect::reference"
        );
    }

    #[test]
    fn every_type_can_be_reached() {
        for class in Class::ALL {
            assert!(class.is_reached(), "{}", class.name());
        }
    }
}
