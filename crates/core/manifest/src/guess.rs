//! core: what somebody probably meant by a word that is not known.

/// Words that other platforms use for ours, so that they are recognised although no spelling is close.
const ALIASES: [(&str, &str); 28] = [
    ("args", "run"),
    ("cmd", "run"),
    ("command", "run"),
    ("domain", "host"),
    ("domains", "hosts"),
    ("environment", "env"),
    ("force_https", "https"),
    ("grpc", "h2c"),
    ("healthcheck", "health"),
    ("http2", "h2c"),
    ("instances", "replicas"),
    ("load_balancing", "balance"),
    ("location", "redirect"),
    ("max_in_flight", "in_flight_max"),
    ("method", "methods"),
    ("pattern", "path"),
    ("permanent", "status"),
    ("proxy_pass", "to"),
    ("rate_limit", "requests_per_second"),
    ("retry", "retries"),
    ("return", "redirect"),
    ("rps", "requests_per_second"),
    ("scale", "replicas"),
    ("strip_prefix", "strip"),
    ("target", "to"),
    ("url", "path"),
    ("variables", "env"),
    ("verbs", "methods"),
];

/// The candidate that `word` is most likely a slip of, if one is near enough.
pub(crate) fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase();
    let alias = ALIASES.iter().find(|(foreign, _)| *foreign == word).map(|(_, ours)| *ours);
    let distance_max = 1 + word.chars().count() / 4;
    candidates
        .into_iter()
        // Cheap, and keeps long lists (and long words from strangers) from the quadratic comparison.
        .filter(|candidate| alias == Some(candidate) || candidate.len().abs_diff(word.len()) <= 4 * distance_max)
        .map(|candidate| {
            let distance = if alias == Some(candidate) { 0 } else { strsim::damerau_levenshtein(&word, candidate) };
            (distance, candidate)
        })
        // A one-letter word is not a slip of every other one-letter word.
        .filter(|(distance, candidate)| *distance <= distance_max && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean …", or else the list of all there is.
pub(crate) fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str> + Clone,
    kind: &str,
) -> Option<String> {
    if let Some(meant) = closest(word, candidates.clone()) {
        return Some(format!("did you mean `{meant}`?"));
    }
    let all: Vec<String> = candidates.into_iter().map(|candidate| format!("`{candidate}`")).collect();
    (!all.is_empty()).then(|| format!("{kind}: {}", all.join(", ")))
}

#[cfg(test)]
mod tests;
