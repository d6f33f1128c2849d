//! `--field-selector`: which sessions to show, by what is known of them.

use std::str::FromStr;

use crate::model::SessionView;

/// Terms that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSelector(Vec<Term>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    field: Field,
    is: bool,
    value: String,
}

/// What a term begins with.
pub const TERMS: [&str; 3] = ["metadata.name=", "metadata.namespace=", "status.phase="];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
    Phase,
}

impl FromStr for FieldSelector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').filter(|term| !term.is_empty()).map(Term::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl Term {
    fn parse(text: &str) -> Result<Self, String> {
        let split = |operator: &str| text.split_once(operator);
        let (field, is, value) = match (split("!="), split("=="), split("=")) {
            (Some((field, value)), _, _) => (field, false, value),
            (_, Some((field, value)), _) | (_, _, Some((field, value))) => (field, true, value),
            _ => return Err(format!("invalid selector: {text:?}; can't understand {text:?}")),
        };
        let field = match field {
            "metadata.name" => Field::Name,
            "metadata.namespace" => Field::Namespace,
            "status.phase" => Field::Phase,
            other => {
                return Err(format!(
                    "field label not supported: {other}; there are metadata.name, metadata.namespace and status.phase"
                ));
            }
        };
        Ok(Self { field, is, value: value.to_owned() })
    }
}

impl FieldSelector {
    pub fn matches(&self, session: &SessionView) -> bool {
        self.0.iter().all(|term| {
            let value = match term.field {
                Field::Name => &session.name,
                Field::Namespace => &session.namespace,
                Field::Phase => &session.status,
            };
            (value == &term.value) == term.is
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::session::tests::roc;

    #[test]
    fn all_terms_must_hold() {
        let matches = |text: &str| text.parse::<FieldSelector>().expect(text).matches(&roc());
        assert!(matches("metadata.name=roc"));
        assert!(matches("metadata.name==roc,status.phase!=Degraded"));
        assert!(!matches("metadata.name=roc,metadata.namespace=other"));
        assert!(!matches("status.phase!=Running"));
        assert!(matches(""));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!("status.phase".parse::<FieldSelector>().is_err());
        let told = "spec.nodeName=x".parse::<FieldSelector>().expect_err("unknown");
        assert!(told.starts_with("field label not supported: spec.nodeName"), "{told}");
    }
}
