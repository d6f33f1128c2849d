//! Words of a command line that a person copies into a shell.

/// `word` as a POSIX shell reads it as one word.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word() {
        for (word, typed) in [
            ("s3://b/a+b%20c", "s3://b/a+b%20c"),
            ("订单.jar", "订单.jar"),
            ("my job.jar", "'my job.jar'"),
            ("a?b#c&d$e", "'a?b#c&d$e'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), typed);
        }
    }
}
