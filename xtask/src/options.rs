//! Reads the options of a command: `--name value`, `--name=value` and bare `--name`.

use std::str::FromStr;

use lexopt::{Arg, Parser};

/// What was given, in order.
#[derive(Debug, Default)]
pub(crate) struct Options {
    values: Vec<(String, String)>,
    flags: Vec<String>,
}

impl Options {
    /// Parses `arguments`; names in `valued` take a value, names in `bare` take none, and
    /// everything else is an error.
    pub(crate) fn parse(
        arguments: Vec<String>,
        valued: &[&str],
        bare: &[&str],
    ) -> Result<Self, String> {
        let mut options = Self::default();
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
            let Arg::Long(name) = argument else {
                return Err(format!("{}; try --help", argument.unexpected()));
            };
            let name = name.to_owned();
            if valued.contains(&name.as_str()) {
                let value = parser.value().map_err(|error| error.to_string())?;
                options.values.push((name, value.to_string_lossy().into_owned()));
            } else if bare.contains(&name.as_str()) {
                options.flags.push(name);
            } else {
                return Err(format!("unknown option --{name}; try --help"));
            }
        }
        Ok(options)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|flag| flag == name)
    }

    /// The last value given for `name`.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut given = self.values.iter().rev().filter(|(given, _)| given == name);
        given.next().map(|(_, value)| value.as_str())
    }

    /// The last value given for `name`, as a number.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, String> {
        let parse =
            |text: &str| text.parse().map_err(|_| format!("--{name} takes a number, not {text:?}"));
        self.value(name).map(parse).transpose()
    }

    /// Every value given for `name`; a value may also be a list separated by commas.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let given = self.values.iter().filter(|(given, _)| given == name);
        given.flat_map(|(_, value)| value.split(',')).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let arguments = line.split_whitespace().map(String::from).collect();
        Options::parse(arguments, &["only"], &["full"])
    }

    #[test]
    fn values_may_be_repeated_or_listed() {
        let options = parse("--only fmt,tidy --full --only=docs").expect("valid options");
        assert_eq!(options.all("only"), ["fmt", "tidy", "docs"]);
        assert_eq!(options.value("only"), Some("docs"));
        assert!(options.has("full"));
    }

    #[test]
    fn an_unknown_option_is_refused() {
        let message = parse("--fast").expect_err("--fast is not an option");
        assert_eq!(message, "unknown option --fast; try --help");
    }
}
