//! The grammar of `Sec-WebSocket-Extensions`, RFC 6455 §9.1, read strictly.

use super::http::is_token_octet;

/// One extension of a header: its name and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) parameters: Vec<(String, Option<String>)>,
}

impl Element {
    /// The values of the parameter; an inner `None` where it stands without a value.
    pub(crate) fn parameter(&self, name: &str) -> Vec<Option<&str>> {
        let named = self.parameters.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_deref()).collect()
    }
}

/// Parses the combined value of the header; the error says what breaks the grammar.
pub(crate) fn parse(header: &str) -> Result<Vec<Element>, String> {
    let mut reader = Reader { rest: header };
    let mut elements = Vec::new();
    loop {
        reader.skip_space();
        while reader.take(',') {
            reader.skip_space();
        }
        if reader.rest.is_empty() {
            break;
        }
        elements.push(reader.element()?);
        reader.skip_space();
        if !reader.rest.is_empty() && !reader.rest.starts_with(',') {
            return Err(format!("unexpected {:?} after an extension", reader.rest));
        }
    }
    if elements.is_empty() { Err("the header names no extension".into()) } else { Ok(elements) }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self, wanted: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(wanted) else { return false };
        self.rest = rest;
        true
    }

    fn token(&mut self) -> Result<&'a str, String> {
        let end = self.rest.bytes().position(|octet| !is_token_octet(octet));
        let (token, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if token.is_empty() {
            return Err(format!("a token was expected at {:?}", self.rest));
        }
        self.rest = rest;
        Ok(token)
    }

    fn element(&mut self) -> Result<Element, String> {
        let name = self.token()?.to_owned();
        let mut parameters = Vec::new();
        loop {
            self.skip_space();
            if !self.take(';') {
                return Ok(Element { name, parameters });
            }
            self.skip_space();
            let key = self.token()?.to_owned();
            self.skip_space();
            let value = if self.take('=') {
                self.skip_space();
                Some(self.value()?)
            } else {
                None
            };
            parameters.push((key, value));
        }
    }

    /// A token, or a quoted string that is a token once unquoted.
    fn value(&mut self) -> Result<String, String> {
        if !self.take('"') {
            return self.token().map(str::to_owned);
        }
        let mut value = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    let is_token = !value.is_empty() && value.bytes().all(is_token_octet);
                    return if is_token {
                        Ok(value)
                    } else {
                        Err(format!("the quoted value {value:?} is no token"))
                    };
                }
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                other => value.push(other),
            }
        }
        Err("a quoted value is not closed".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: WS-9.1-01, WS-4.3-01, PMD-7.1.x-01
    #[test]
    fn the_grammar_is_read_strictly() {
        let valid = [
            ("permessage-deflate", 1),
            ("a;b;c=1, , d ; e = \"10\"", 2),
            (", a", 1),
            ("a;x=\"\\1\\0\"", 1),
        ];
        for (header, count) in valid {
            assert_eq!(parse(header).map(|list| list.len()), Ok(count), "{header}");
        }
        for header in
            ["", ",", "a;", "a;;b", "a b", "a;b=", "a;=3", "a;b=\"x", "a;b=\"\"", "a;b=\"c d\""]
        {
            assert!(parse(header).is_err(), "{header}");
        }
    }

    #[test]
    fn quoted_values_are_unescaped() {
        let list = parse("pmd; server_max_window_bits=\"1\\0\"; x").expect("a valid header");
        let element = list.first().expect("one element");
        assert_eq!(element.parameter("server_max_window_bits"), [Some("10")]);
        assert_eq!(element.parameter("x"), [None]);
    }
}
