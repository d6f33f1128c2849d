//! Words that were probably meant.

/// The one of `known` that `word` could be a slip of, whatever its case; leading dashes do not count.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.trim_start_matches('-').to_lowercase();
    let distances =
        known.into_iter().map(|other| (strsim::damerau_levenshtein(&word, &other.to_lowercase()), other));
    // The longer the word, the more slips; in a short one, two make another word.
    let near = distances.filter(|(distance, other)| *distance <= 1 + other.len() / 8);
    near.min_by_key(|(distance, _)| *distance).map(|(_, other)| other)
}
