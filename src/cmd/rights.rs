//! A right that the API server has refused, named for whoever can grant it.

use crate::session::text::shell::quoted;

/// What an API server's refusal says: `User "me" cannot create resource "pods/portforward" in API group ""`
/// (`k8s.io/apiserver/pkg/endpoints/handlers/responsewriters`, `forbiddenMessage`).
struct Refused<'a> {
    user: &'a str,
    verb: &'a str,
    /// With its subresource, as `pods/portforward`.
    resource: &'a str,
}

impl<'a> Refused<'a> {
    fn read(why: &'a str) -> Option<Self> {
        let (before, rest) = why.split_once(" cannot ")?;
        let user = before.rsplit_once("User \"")?.1.strip_suffix('"')?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, _) = rest.split_once('"')?;
        Some(Self { user, verb, resource })
    }
}

/// Who needs which right: `user "me" needs `list` on pods`. A refusal in other words stays as it is.
pub fn needed(why: &str) -> String {
    match Refused::read(why) {
        Some(Refused { user, verb, resource }) => format!("user {user:?} needs `{verb}` on {resource}"),
        None => why.to_owned(),
    }
}

/// The same for the REST API, where the API server's proxy is the other way to read it.
pub fn needed_for_rest(why: &str) -> String {
    let is_port = Refused::read(why).is_some_and(|refused| refused.resource == "pods/portforward");
    let or = if is_port { " or `get` on pods/proxy" } else { "" };
    needed(why) + or
}

/// The right in the words of `kubectl auth can-i`.
pub fn can_i(why: &str) -> String {
    let named = Refused::read(why).map(|Refused { verb, resource, .. }| match resource.split_once('/') {
        Some((resource, sub)) => {
            format!("{} {} --subresource={}", quoted(verb), quoted(resource), quoted(sub))
        }
        None => format!("{} {}", quoted(verb), quoted(resource)),
    });
    named.unwrap_or_else(|| "create pods --subresource=portforward".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: &str = "Error from server (Forbidden): pods \"roc-1\" is forbidden: User \"me\" cannot get resource \"pods/portforward\" in API group \"\"";
    const LIST: &str = "pods is forbidden: User \"system:serviceaccount:a:b\" cannot list resource \"pods\" in API group \"\" in the namespace \"a\"";

    #[test]
    fn a_refusal_names_the_right_that_is_missing() {
        assert_eq!(can_i(PORT), "get pods --subresource=portforward");
        assert_eq!(can_i(LIST), "list pods");
        let foreign = "User \"me\" cannot get; touch x resource \"pods/$(touch x)\" in API group \"\"";
        assert_eq!(can_i(foreign), "'get; touch x' pods --subresource='$(touch x)'");
        assert_eq!(can_i("no"), "create pods --subresource=portforward");
    }

    #[test]
    fn who_needs_it_is_named_too() {
        assert_eq!(needed(LIST), "user \"system:serviceaccount:a:b\" needs `list` on pods");
        assert_eq!(
            needed_for_rest(PORT),
            "user \"me\" needs `get` on pods/portforward or `get` on pods/proxy"
        );
        assert_eq!(needed_for_rest(LIST), needed(LIST));
        assert_eq!(needed_for_rest("the webhook says no"), "the webhook says no");
    }
}
