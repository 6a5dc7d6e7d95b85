//! The command line.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use lexopt::prelude::*;
use ws_conformance::{
    Carrier, CaseId, Effort, Selection, Settings, Target, all_cases, parse_reasons, parse_sections,
};

use crate::outputs::Outputs;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
ws-conformance judges any WebSocket server or client

  ws-conformance --server ws://127.0.0.1:9001     judge an echo server (ws or wss)
  ws-conformance --client 'my_client {url}'       judge an echo client, started once per case;
                                                  split at spaces, without a shell or quotes
  ws-conformance --listen 127.0.0.1:9001          wait for a driver (/getCaseCount, /runCase …);
                                                  groups 1 to 13 unless --section or --full
  ws-conformance --self-test                      judge the suite itself by seeded faults
  ws-conformance --list | --coverage              the chosen cases | RFC rows and their cases
  ws-conformance --attack NAME --server URL       attack a server, and say how that ended; without
                                                  --server the client that calls; without NAME
                                                  list the attacks

which cases
  --section 1,6.4,20    only these sections        --case 6.4.1     the same for one case
  --exclude 9,12        without these sections     --exclude-from FILE  the same; in each line a
                                                   number and the reason, which reports repeat
  --known-failures FILE  such cases are played and reported, but count only when they pass
  --over h1             h2, h3: the carrier; best: the cases of falling back
  --quick               samples of costly cases    --full           all, with long patience

how
  --jobs N              cases at a time (4)        --agent NAME     the name in the reports; of
                                                   several peers the first name is the first one's
  --wait SECONDS        for a reaction (2)         --patience SECONDS  for a deadline (20)
  --startup SECONDS     for a server that still starts (0)
  --strict              NON-STRICT fails too       --silent         no progress
  --header 'NAME: VALUE'  in each request to a server; may be repeated
  --tls                 clients call by wss; over h3 and best they always do
  --ca-out FILE         writes the certificate that such clients are to trust
  --scale N             an attack of an Nth of its size (1)
  --version             of this program

reports
  --json FILE           index of all cases         --junit FILE     for CI
  --html FILE.html|DIR  a page to read; a folder also gets a JSON file for each case

exit code: 0 passed, 1 a case FAILED (with --strict also NON-STRICT), 2 could not run, or not
every case that was selected was judged (a driver has to play all of them)
";

/// Whom to judge.
#[derive(Debug)]
pub(crate) enum Peer {
    Server(Target),
    Client(String),
    Driver(SocketAddr),
}

/// What to do.
#[derive(Debug, Default)]
pub(crate) enum Action {
    #[default]
    Judge,
    SelfTest,
    Coverage,
    List,
    Version,
    /// Lists the attacks.
    Attacks,
    Attack(String),
    Help,
}

/// The command line, read.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) action: Action,
    pub(crate) peers: Vec<Peer>,
    pub(crate) selection: Selection,
    pub(crate) settings: Settings,
    /// The names of the peers in turn; the last one stands for all the others.
    pub(crate) agents: Vec<String>,
    pub(crate) strict: bool,
    /// The files of cases with reasons, by the option that named each.
    files: Vec<(&'static str, String)>,
    /// By how much an attack is smaller than it is written.
    pub(crate) scale: usize,
    pub(crate) outputs: Outputs,
}

impl Options {
    /// Reads the arguments of the process.
    pub(crate) fn parse() -> Result<Self, lexopt::Error> {
        let mut options = Self {
            action: Action::default(),
            peers: Vec::new(),
            selection: Selection::default(),
            settings: Settings::default(),
            agents: Vec::new(),
            strict: false,
            files: Vec::new(),
            scale: 1,
            outputs: Outputs::default(),
        };
        let (mut effort, mut wait, mut patience, mut jobs) = (Effort::Normal, None, None, None);
        let (mut silent, mut carrier) = (false, Carrier::H1);
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("server") => {
                    let target = parser.value()?.parse_with(str::parse::<Target>)?;
                    options.peers.push(Peer::Server(target));
                }
                Long("client") => options.peers.push(Peer::Client(parser.value()?.string()?)),
                Long("listen") => options.peers.push(Peer::Driver(parser.value()?.parse()?)),
                Long("self-test") => options.action = Action::SelfTest,
                Long("coverage") => options.action = Action::Coverage,
                Long("list") if matches!(options.action, Action::Attacks) => {}
                Long("list") => options.action = Action::List,
                Long("version") | Short('V') => options.action = Action::Version,
                Long("attack") => {
                    // The name is what follows, if that is no option.
                    options.action = match parser.values() {
                        Ok(words) => Action::Attack(name_of(words)?),
                        Err(_) => Action::Attacks,
                    };
                }
                Long("scale") => options.scale = parser.value()?.parse::<usize>()?.max(1),
                Long("help") | Short('h') => options.action = Action::Help,
                Long("section" | "case") => {
                    let sections = parser.value()?.parse_with(sections)?;
                    options.selection.sections.extend(sections);
                }
                Long("exclude") => {
                    let sections = parser.value()?.parse_with(sections)?;
                    options.selection.excluded.extend(sections);
                }
                Long("exclude-from") => {
                    let excused = options.reasons("exclude-from", &mut parser)?;
                    options.selection.excused.extend(excused);
                }
                Long("known-failures") => {
                    let known = options.reasons("known-failures", &mut parser)?;
                    options.settings.known_failures.extend(known);
                }
                Long("over") => {
                    carrier = parser.value()?.parse_with(str::parse::<Carrier>)?;
                }
                Long("quick") => effort = Effort::Quick,
                Long("full") => effort = Effort::Full,
                Long("strict") => options.strict = true,
                Long("silent") => silent = true,
                Long("tls") => options.settings.tls = true,
                Long("ca-out") => options.settings.ca_out = Some(parser.value()?.into()),
                Long("jobs") => jobs = Some(parser.value()?.parse()?),
                Long("wait") => wait = Some(seconds(&mut parser)?),
                Long("startup") => options.settings.startup = seconds(&mut parser)?,
                Long("patience") => patience = Some(seconds(&mut parser)?),
                Long("agent") => options.agents.push(parser.value()?.string()?),
                Long("header") => {
                    let line = parser.value()?.parse_with(header)?;
                    options.settings.headers.push(line);
                }
                Long("json") => options.outputs.json = Some(parser.value()?.into()),
                Long("junit") => options.outputs.junit = Some(parser.value()?.into()),
                Long("html") => options.outputs.html = Some(parser.value()?.into()),
                other => return Err(other.unexpected()),
            }
        }
        let defaults = Settings::new(effort);
        options.settings.effort = effort;
        options.settings.wait = wait.unwrap_or(defaults.wait);
        options.settings.patience = patience.unwrap_or(defaults.patience);
        options.settings.jobs = jobs.unwrap_or(defaults.jobs);
        options.settings.progress = !silent;
        options.settings.carrier = carrier;
        let drives = options.peers.iter().any(|peer| matches!(peer, Peer::Driver(_)));
        if drives && options.selection.sections.is_empty() && effort != Effort::Full {
            // A driver of the field expects every handshake to succeed.
            options.selection.sections = sections("1,2,3,4,5,6,7,9,10,12,13")?;
        }
        if matches!(options.action, Action::Judge) && options.peers.is_empty() {
            return Err("nobody to judge: give --server, --client or --listen".into());
        }
        Ok(options)
    }
}

impl Options {
    /// Reads the file of cases with reasons that this option names.
    fn reasons(
        &mut self,
        option: &'static str,
        parser: &mut lexopt::Parser,
    ) -> Result<Vec<(CaseId, String)>, lexopt::Error> {
        let path = parser.value()?.string()?;
        let naming = |why: String| format!("{path}: {why}");
        let text = fs::read_to_string(&path).map_err(|error| naming(error.to_string()))?;
        let reasons = parse_reasons(&text, &all_cases()).map_err(naming)?;
        self.files.push((option, path));
        Ok(reasons)
    }
}

impl fmt::Display for Options {
    /// What decided how the peers were judged, as a command line has it. Of a header only the name is
    /// told: its value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { carrier, effort, wait, patience, jobs, tls, headers, .. } = &self.settings;
        write!(f, "--over {carrier}")?;
        let flags = [
            (*effort == Effort::Quick, "quick"),
            (*effort == Effort::Full, "full"),
            (self.strict, "strict"),
            (*tls, "tls"),
        ];
        for (_, flag) in flags.into_iter().filter(|(given, _)| *given) {
            write!(f, " --{flag}")?;
        }
        let Selection { sections, excluded, .. } = &self.selection;
        for (option, sections) in [("section", sections), ("exclude", excluded)] {
            let numbers: Vec<String> = sections.iter().map(CaseId::to_string).collect();
            if !numbers.is_empty() {
                write!(f, " --{option} {}", numbers.join(","))?;
            }
        }
        for (option, path) in &self.files {
            write!(f, " --{option} {path}")?;
        }
        let (wait, patience) = (wait.as_secs_f64(), patience.as_secs_f64());
        write!(f, " --wait {wait} --patience {patience} --jobs {jobs}")?;
        for header in headers {
            let name = header.split(':').next().unwrap_or_default();
            write!(f, " --header '{name}: …'")?;
        }
        Ok(())
    }
}

/// The name of an attack, which is easier to pass on without spaces.
fn name_of(words: lexopt::ValuesIter<'_>) -> Result<String, lexopt::Error> {
    let words: Result<Vec<String>, _> = words.map(ValueExt::string).collect();
    Ok(words?.join(" ").replace('_', " "))
}

/// A list of numbers, of which each is that of a case or a section.
fn sections(list: &str) -> Result<Vec<CaseId>, String> {
    parse_sections(list, &all_cases())
}

/// A header line, which must not be more than that, nor one that the cases are about.
fn header(line: &str) -> Result<String, String> {
    let name = line.split_once(':').map_or("", |(name, _)| name);
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) || line.contains(['\r', '\n', '\0']) {
        return Err("a header is written NAME: VALUE".into());
    }
    let lower = name.to_ascii_lowercase();
    if ["host", "upgrade", "connection"].contains(&&*lower) || lower.starts_with("sec-websocket-") {
        return Err(format!("{name} is the suite's own"));
    }
    Ok(line.to_owned())
}

fn seconds(parser: &mut lexopt::Parser) -> Result<Duration, lexopt::Error> {
    let seconds: f64 = parser.value()?.parse()?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string().into())
}
