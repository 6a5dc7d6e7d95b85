//! What tests say of themselves in comments above them: `// RFC: WS-5.2-03, WS-5.2-05`.

/// A test that answers something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Citation {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) line: usize,
    /// The function below the comment, if there is one.
    pub(crate) test: Option<String>,
}

/// Every row that a comment of this file cites behind `marker`.
pub(crate) fn citations(path: &str, text: &str, marker: &str) -> Vec<Citation> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let comment = line.strip_prefix("//").map(|rest| rest.trim_start_matches(['/', '!']));
        let Some(ids) = comment.and_then(|text| text.trim_start().strip_prefix(marker)) else {
            continue;
        };
        let test = lines.iter().skip(index + 1).take(12).find_map(|line| function_name(line));
        for id in ids.split([',', ' ']).map(|id| id.trim_end_matches('.')) {
            if !id.is_empty() {
                let (id, path, test) = (id.to_owned(), path.to_owned(), test.clone());
                found.push(Citation { id, path, line: index + 1, test });
            }
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let words = line.split_once("fn ").filter(|(before, _)| {
        before.split_whitespace().all(|word| ["pub", "async", "const"].contains(&word))
    })?;
    words.1.split(['(', '<']).next().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citations_name_the_test_below_them() {
        let text = "//! Doc.\n/// RFC: WS-1-01, WS-1-02\n#[test]\nfn holds() {}\n\
            // RFC: WS-2-01.\n#[tokio::test]\npub async fn waits() {}\n// An RFC: not this\n";
        let found: Vec<(String, Option<String>)> =
            citations("a.rs", text, "RFC: ").into_iter().map(|c| (c.id, c.test)).collect();
        let row = |id: &str, test: &str| (id.to_owned(), Some(test.to_owned()));
        assert_eq!(
            found,
            [row("WS-1-01", "holds"), row("WS-1-02", "holds"), row("WS-2-01", "waits")]
        );
    }
}
