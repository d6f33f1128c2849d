//! What Kubernetes puts in the place of `$(NAME)` and `$$` in the arguments, the command and the values of variables
//! of a container (kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables,
//! `k8s.io/kubernetes/third_party/forked/golang/expansion`).
//!
//! `$(NAME)` is the value of a variable that the container has, and stays where it has none. `$$` is one `$`.

/// The text of which Kubernetes makes `text`, whatever variables there are.
pub fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

/// The text that Kubernetes makes of `text`; none where it depends on the variables.
pub fn literal(text: &str) -> Option<String> {
    let has_variables = std::cell::Cell::new(false);
    let all = expand(text, |_| {
        has_variables.set(true);
        None
    });
    (!has_variables.get()).then_some(all)
}

fn expand(text: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let mut all = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        all.push_str(before);
        let name = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        rest = match (after.strip_prefix('$'), name) {
            (Some(after), _) => {
                all.push('$');
                after
            }
            (None, Some((name, after))) => {
                all.push_str(&variable(name).unwrap_or_else(|| format!("$({name})")));
                after
            }
            (None, None) => {
                // The character behind it is no beginning of another.
                let next = after.chars().next().map_or(0, char::len_utf8);
                all.push('$');
                all.push_str(&after[..next]);
                &after[next..]
            }
        };
    }
    all + rest
}

/// What Kubernetes makes of `text` in a container with these variables.
#[cfg(test)]
pub fn expanded(text: &str, variables: &[(&str, &str)]) -> String {
    let value = |name: &str| variables.iter().find(|(own, _)| *own == name).map(|(_, value)| *value);
    expand(text, |name| value(name).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_variables_is_one_whatever_they_are() {
        assert_eq!(literal("pa$$word $a $$(B) $").as_deref(), Some("pa$word $a $(B) $"));
        assert_eq!(literal("a $(B)"), None);
        for text in ["pa$$word", "$(A)", "$${a}", "a$"] {
            assert_eq!(literal(&escaped(text)).as_deref(), Some(text));
        }
    }
    #[test]
    fn kubernetes_makes_the_text_of_what_is_escaped() {
        for text in
            ["pa$$word", "$(JVM_ARGS)", "$${ctx:flink-job-id}", "$", "$$$(A)$", "a$(b", "$a$$", "", "a b"]
        {
            assert_eq!(expanded(&escaped(text), &[("JVM_ARGS", "x"), ("A", "y")]), text, "{text}");
        }
    }

    #[test]
    fn what_is_not_escaped_is_expanded() {
        let expanded = |text| expanded(text, &[("A", "x")]);
        assert_eq!(expanded("pa$$word $(A) $(B) $a"), "pa$word x $(B) $a");
    }
}
