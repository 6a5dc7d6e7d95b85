//! The dependencies that a manifest names, in whichever of the forms that cargo takes. A scanner of
//! keys, strings and brackets, not a parser of TOML.

/// A dependency, under the name that the manifest gives it.
#[derive(Debug)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) is_dev: bool,
    /// Where it stands first, counted from 0.
    pub(super) line: usize,
    /// The keys that lead to it.
    place: Vec<String>,
    /// What is said of it; a version alone as `version`.
    terms: Vec<(String, String)>,
}

impl Dependency {
    pub(super) fn term(&self, key: &str) -> Option<&str> {
        self.terms.iter().find(|(term, _)| term == key).map(|(_, value)| value.as_str())
    }

    /// The name that the package itself has; `shared` is what the workspace says.
    pub(super) fn package<'a>(&'a self, shared: &'a [Self]) -> &'a str {
        let inherited = || shared.iter().find(|other| other.name == self.name)?.term("package");
        let inherited = self.term("workspace").and_then(|_| inherited());
        self.term("package").or(inherited).unwrap_or(&self.name)
    }
}

/// Everything under `[dependencies]`, `[dev-dependencies]` and `[build-dependencies]`, of a target or
/// of the workspace too.
pub(super) fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut found: Vec<Dependency> = Vec::new();
    let mut table = Vec::new();
    for (line, statement) in statements(manifest) {
        if statement.starts_with('[') {
            table = keys(statement.trim_matches(['[', ']']));
            continue;
        }
        let Some((key, value)) = halves(&statement, '=') else { continue };
        let place: Vec<String> = table.iter().cloned().chain(keys(key)).collect();
        let Some(kind) = place.iter().position(|key| KINDS.contains(&key.as_str())) else {
            continue;
        };
        let is_dev = place.get(kind).is_some_and(|kind| kind == "dev-dependencies");
        let Some(name) = place.get(kind + 1).cloned() else { continue };
        let terms = match place.get(kind + 2) {
            Some(term) => vec![(term.clone(), unquoted(value))],
            None => terms(value),
        };
        let place: Vec<String> = place.into_iter().take(kind + 2).collect();
        match found.iter_mut().find(|dependency| dependency.place == place) {
            Some(dependency) => dependency.terms.extend(terms),
            None => found.push(Dependency { name, is_dev, line, place, terms }),
        }
    }
    found
}

/// The lines without comments, those inside of brackets joined.
fn statements(manifest: &str) -> Vec<(usize, String)> {
    let mut statements: Vec<(usize, String)> = Vec::new();
    let mut depth = 0_usize;
    for (number, line) in manifest.lines().enumerate() {
        let code = halves(line, '#').map_or(line, |(code, _)| code).trim();
        match statements.last_mut() {
            Some((_, open)) if depth > 0 => open.push_str(code),
            _ if code.is_empty() => {}
            _ => statements.push((number, code.to_owned())),
        }
        for (_, character) in bare(code) {
            match character {
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    statements
}

/// What is said in `{ a = 1, b = [2, 3] }`, or by a version alone.
fn terms(value: &str) -> Vec<(String, String)> {
    let Some(table) = value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return vec![("version".to_owned(), unquoted(value))];
    };
    let mut terms = Vec::new();
    let mut rest = Some(table);
    while let Some(text) = rest {
        let (term, after) = halves(text, ',').map_or((text, None), |(a, b)| (a, Some(b)));
        // The later pieces of a list have no key, and nobody asks for lists.
        terms.extend(halves(term, '=').map(|(key, value)| (unquoted(key), unquoted(value))));
        rest = after;
    }
    terms
}

/// `target.'cfg(unix)'.dependencies`, key by key.
fn keys(path: &str) -> Vec<String> {
    match halves(path, '.') {
        Some((first, rest)) => [vec![unquoted(first)], keys(rest)].concat(),
        None => vec![unquoted(path)],
    }
}

/// What stands before and behind the first `at` that is in no string.
fn halves(text: &str, at: char) -> Option<(&str, &str)> {
    let (index, _) = bare(text).find(|(_, character)| *character == at)?;
    let (before, rest) = text.split_at(index);
    Some((before.trim(), rest.strip_prefix(at)?.trim()))
}

/// The characters that are in no string.
fn bare(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    text.char_indices().filter(move |(_, character)| match quote {
        Some(open) => {
            if *character == open {
                quote = None;
            }
            false
        }
        None if matches!(character, '"' | '\'') => {
            quote = Some(*character);
            false
        }
        None => true,
    })
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches(['"', '\'']).to_owned()
}

const KINDS: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_dependency_is_seen() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\na = \"1\"\nb.workspace = true\n\
            # c = \"1\"\n[dependencies.d]\npath = \"d\"\n[dev-dependencies] # of tests\ne = \"1\"\n\
            [dev-dependencies.f]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\ng = \"1\"\n\
            [build-dependencies]\nh = { workspace = true, features = [\n \"y\", # \"k = {\"\n] }\n\
            [features]\ni = []\n[target.\"cfg(a.b)\".dev-dependencies]\n\"j\".path = \"j\"\n";
        let found = dependencies(manifest);
        let names = |is_dev: bool| -> Vec<&str> {
            let kind = found.iter().filter(|dependency| dependency.is_dev == is_dev);
            kind.map(|dependency| dependency.name.as_str()).collect()
        };
        assert_eq!(names(false), ["a", "b", "d", "g", "h"]);
        assert_eq!(names(true), ["e", "f", "j"]);
    }

    #[test]
    fn what_is_said_of_a_dependency_is_read_in_every_form() {
        let shared = dependencies("[workspace.dependencies]\nd = { package = \"the-d\" }\n");
        let manifest = "[dependencies]\na = { package = \"the-a\", features = [\"p\", \"q\"], \
            version = \"1\" }\n[dependencies.b]\npackage = 'the-b'\nversion = \"1\"\n\
            [dev-dependencies]\nc.package = \"the-c\"\nc.version = \"1\"\nd.workspace = true\n\
            e = \"1\"\n";
        let found = dependencies(manifest);
        let packages: Vec<&str> = found.iter().map(|found| found.package(&shared)).collect();
        assert_eq!(packages, ["the-a", "the-b", "the-c", "the-d", "e"]);
        let versions: Vec<_> = found.iter().map(|found| found.term("version")).collect();
        assert_eq!(versions, [Some("1"), Some("1"), Some("1"), None, Some("1")]);
        let lines: Vec<usize> = found.iter().map(|found| found.line).collect();
        assert_eq!(lines, [1, 3, 6, 8, 9]);
    }
}
