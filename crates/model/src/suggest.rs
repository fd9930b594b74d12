// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / suggest: "did you mean". In: a wrong name and the right ones. Out: the closest, if one is close.
//! Never touches IO. Read next: `function.rs`.

/// Least similarity (Jaro-Winkler, 0 to 1) at which a name is offered: below, suggestions are noise.
const SIMILARITY_MIN: f64 = 0.75;

/// The name among `known` that is most like `wrong`, when it is like it at all; case does not count.
pub fn closest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    let scored = known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wrong, &name.to_lowercase()), name));
    scored
        .filter(|(score, _)| *score >= SIMILARITY_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_nonsense_is_not() {
        let known = ["add", "get", "total-linear-memory"];
        assert_eq!(closest("ad", known), Some("add"));
        assert_eq!(closest("GETT", known), Some("get"));
        assert_eq!(closest("qqqq", known), None);
        assert_eq!(closest("x", []), None);
    }
}
