// SPDX-License-Identifier: Apache-2.0
//! THE DESK / suggest: "did you mean". In a word and the words there are, out the nearest. Never guesses wildly.

/// Least likeness (Jaro-Winkler, 0 to 1) that is offered: below it, suggestions surprise more than they help.
const LIKENESS: f64 = 0.8;

/// The word of `known` that is most like `word`, when one is like it at all.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word_and_nonsense_finds_none() {
        assert_eq!(
            nearest("go-defalt", ["go-default", "go-multi-rpc"]).as_deref(),
            Some("go-default")
        );
        assert_eq!(nearest("zzz", ["go-default", "go-multi-rpc"]), None);
    }
}
