//! Rust source as the checks see it: code with comments and literals blanked out, line by line.
//!
//! A scanner of a few dozen lines, not a parser: it knows comments, strings, characters and braces,
//! which is what the house rules speak about.

/// One line of a source file.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Code only: the insides of comments and literals are spaces.
    pub(crate) code: String,
    /// The line as written.
    pub(crate) text: String,
    /// Inside an item under `#[cfg(test)]`.
    pub(crate) in_test: bool,
}

/// Splits a file into lines and blanks out what is not code.
pub(crate) fn lines(text: &str) -> Vec<Line> {
    let blank = blanked(text);
    let mut lines: Vec<Line> = blank
        .lines()
        .zip(text.lines())
        .map(|(code, text)| Line { code: code.to_owned(), text: text.to_owned(), in_test: false })
        .collect();
    mark_tests(&mut lines);
    lines
}

/// The modules declared under `#[cfg(test)]` whose body is another file: `#[cfg(test)] mod name;`.
pub(crate) fn test_modules(lines: &[Line]) -> Vec<String> {
    let tests = lines.iter().filter(|line| line.in_test);
    tests
        .filter_map(|line| {
            let declaration = line.code.trim().strip_suffix(';')?;
            let (_, name) = declaration.rsplit_once("mod ")?;
            Some(name.trim().to_owned())
        })
        .collect()
}

fn mark_tests(lines: &mut [Line]) {
    let mut index = 0;
    while index < lines.len() {
        let Some(found) = lines.get(index).map(|line| line.code.contains("#[cfg(test)]")) else {
            break;
        };
        if !found {
            index += 1;
            continue;
        }
        let mut depth = 0_usize;
        let mut opened = false;
        while let Some(line) = lines.get_mut(index) {
            line.in_test = true;
            index += 1;
            for character in line.code.chars() {
                match character {
                    '{' => (depth, opened) = (depth + 1, true),
                    '}' => depth = depth.saturating_sub(1),
                    ';' if depth == 0 => opened = true,
                    _ => {}
                }
            }
            if opened && depth == 0 {
                break;
            }
        }
    }
}

enum State {
    Code,
    LineComment,
    BlockComment(usize),
    Text,
    RawText(usize),
}

/// `text` with every character inside comments and literals replaced by a space; line breaks stay.
fn blanked(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = |index: usize| characters.get(index).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut state = State::Code;
    let mut index = 0;
    while index < characters.len() {
        let (character, next) = (at(index), at(index + 1));
        let mut taken = 1;
        let mut shown = ' ';
        match state {
            State::Code => match (character, next) {
                ('/', '/') => state = State::LineComment,
                ('/', '*') => (state, taken) = (State::BlockComment(1), 2),
                ('"', _) => state = State::Text,
                ('r', '"' | '#') if !is_word(at(index.wrapping_sub(1))) || raw_byte(at, index) => {
                    let hashes = (index + 1..).take_while(|&i| at(i) == '#').count();
                    if at(index + 1 + hashes) == '"' {
                        (state, taken) = (State::RawText(hashes), hashes + 2);
                    } else {
                        shown = character;
                    }
                }
                ('\'', '\\') => {
                    let length = (index + 3..).take(12).position(|i| at(i) == '\'').unwrap_or(0);
                    taken = length + 4;
                }
                ('\'', _) if at(index + 2) == '\'' => taken = 3,
                _ => shown = character,
            },
            State::LineComment if character == '\n' => state = State::Code,
            State::LineComment => {}
            State::BlockComment(depth) => match (character, next) {
                ('*', '/') if depth == 1 => (state, taken) = (State::Code, 2),
                ('*', '/') => (state, taken) = (State::BlockComment(depth - 1), 2),
                ('/', '*') => (state, taken) = (State::BlockComment(depth + 1), 2),
                _ => {}
            },
            State::Text => match character {
                '\\' if next == '\n' => {}
                '\\' => taken = 2,
                '"' => state = State::Code,
                _ => {}
            },
            State::RawText(hashes) => {
                if character == '"' && (index + 1..=index + hashes).all(|i| at(i) == '#') {
                    (state, taken) = (State::Code, hashes + 1);
                }
            }
        }
        if character == '\n' {
            shown = '\n';
        }
        out.push(shown);
        out.extend(std::iter::repeat_n(' ', taken - 1));
        index += taken;
    }
    out
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// `br"…"`: the `r` follows a lone `b`.
fn raw_byte(at: impl Fn(usize) -> char, index: usize) -> bool {
    at(index.wrapping_sub(1)) == 'b' && !is_word(at(index.wrapping_sub(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_not_code() {
        let rows = [
            ("a(); // b()", "a();       "),
            ("a(\"b()\", 'c', '\\n', b\"d\")", "a(     ,    ,     , b   )"),
            ("a(r#\"b\"c\"#); d", "a(        ); d"),
            ("x /* y /* z */ y */ w", "x                   w"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
        ];
        for (text, code) in rows {
            let lines = lines(text);
            let found: Vec<&str> = lines.iter().map(|line| line.code.as_str()).collect();
            assert_eq!(found, [code], "{text}");
        }
    }

    #[test]
    fn items_under_cfg_test_are_told_apart_to_their_closing_brace() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {\n  }\n}\nfn c() {}\n";
        let flags: Vec<bool> = lines(text).iter().map(|line| line.in_test).collect();
        assert_eq!(flags, [false, true, true, true, true, true, false]);
    }

    #[test]
    fn a_test_module_in_a_file_of_its_own_is_named() {
        let lines = lines("#[cfg(test)]\nmod cases;\nmod real;\n");
        assert_eq!(test_modules(&lines), ["cases"]);
    }
}
