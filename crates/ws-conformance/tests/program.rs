//! The program as its callers see it: exit codes, what it says, and what it writes.

#![expect(
    clippy::disallowed_methods,
    reason = "the ban on clocks and sockets is for the libraries; this drives a program"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// A place that nobody listens at.
fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ws-conformance"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    program(arguments).output().expect("the program starts")
}

/// What was said of an error, where the suite could not run.
fn could_not_run(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    said
}

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a folder for the test");
    path
}

#[test]
fn a_selection_without_a_case_is_no_pass() {
    let url = format!("ws://{}", nobody());
    let table = [["--section", "40", "--over", "h1"], ["--section", "31", "--over", "h1"]];
    for selection in table {
        let arguments = [&["--server", &url][..], &selection].concat();
        let said = could_not_run(&run(&arguments));
        assert!(said.contains("no case is selected"), "{selection:?}: {said}");
    }
}

#[test]
fn a_section_that_judges_nobody_of_the_run_is_an_error() {
    let url = format!("ws://{}", nobody());
    let server = ["--server", &url, "--section"];
    let said = could_not_run(&run(&[&server[..], &["1,31"]].concat()));
    assert!(said.contains("31 judges clients, and there is none in this run"), "{said}");
    let client = ["--client", "true {url}", "--section"];
    let said = could_not_run(&run(&[&client[..], &["1.1.1,30.1"]].concat()));
    assert!(said.contains("30.1 judges servers, and there is none in this run"), "{said}");
    // With one of each both are judged by what is theirs.
    let said = could_not_run(&run(&[&client[..], &["31.1.1,30.1.1", "--server", &url]].concat()));
    assert!(said.contains("nobody listens"), "{said}");
}

#[test]
fn a_number_that_no_case_has_is_an_error_that_names_those_there_are() {
    let url = format!("ws://{}", nobody());
    let groups = "there is no case 99: the groups are 1 to 7, 9";
    let table: [(&[&str], &str); 6] = [
        (&["--server", &url, "--section", "99"], groups),
        (&["--server", &url, "--section", "1,99"], groups),
        (&["--server", &url, "--exclude", "99"], groups),
        (
            &["--server", &url, "--case", "7.9.10"],
            "there is no case 7.9.10: 7.9 has 7.9.1 to 7.9.9",
        ),
        (&["--list", "--section", "99"], groups),
        (&["--self-test", "--section", "99"], groups),
    ];
    for (arguments, what) in table {
        let said = could_not_run(&run(arguments));
        assert!(said.contains(what), "{arguments:?}: {said}");
    }
}

/// Asks the driver's resource at `address`, by a handshake and nothing more.
fn ask(address: &str, resource: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the program listens");
    let request = format!(
        "GET {resource} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("a request is taken");
    let _ = stream.read(&mut [0; 1000]);
    stream
}

/// The program as it waits for a driver, its output behind the address, and the address.
fn listening(arguments: &[&str]) -> (Child, BufReader<ChildStdout>, String) {
    let listen = ["--listen", "127.0.0.1:0", "--wait", "0.5"];
    let mut child = program(&[&listen[..], arguments].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut bound = String::new();
    lines.read_line(&mut bound).expect("the address");
    let address = bound.trim().trim_start_matches("listening ws://").to_owned();
    (child, lines, address)
}

/// Lets a driver ask for `resources` and then stop: the table and the index, which must be no pass.
fn drive(name: &str, resources: &[&str]) -> (String, String) {
    let json = folder(name).join("index.json");
    let path = json.to_str().expect("a path in UTF-8");
    let (mut child, mut lines, address) = listening(&["--section", "1.1,2.1", "--json", path]);
    let asked: Vec<TcpStream> = resources.iter().map(|resource| ask(&address, resource)).collect();
    drop(ask(&address, "/stopServer"));
    let mut said = String::new();
    lines.read_to_string(&mut said).expect("the table");
    let status = child.wait().expect("the program ends");
    assert_eq!(status.code(), Some(2), "{said}");
    drop(asked);
    (said, fs::read_to_string(&json).expect("an index"))
}

#[test]
fn a_log_of_a_drivers_run_gets_a_line_for_each_tenth() {
    let (mut child, mut lines, address) = listening(&["--section", "1,2,3,4,5,7"]);
    for _ in 0..11 {
        drop(ask(&address, "/runCase?case=1&agent=a"));
    }
    drop(ask(&address, "/stopServer"));
    let (mut said, mut log) = (String::new(), String::new());
    lines.read_to_string(&mut said).expect("the table");
    child.stderr.take().expect("a pipe").read_to_string(&mut log).expect("the log");
    child.wait().expect("the program ends");
    assert!(log.contains("\n11 of 101 cases\n"), "{log}");
}

#[test]
fn what_a_driver_did_not_play_is_reported_and_is_no_pass() {
    let (said, index) = drive("driver", &[]);
    assert!(said.contains("9 of the 9 came to no judgement"), "{said}");
    assert_eq!(index.matches("UNJUDGED").count(), 18, "{index}");
}

#[test]
fn a_case_that_is_being_played_when_a_driver_stops_is_reported() {
    let (said, index) = drive("played", &["/runCase?case=2&agent=slow"]);
    assert!(said.contains("8 of the 9 came to no judgement"), "{said}");
    assert!(index.contains("\"slow\": {") && index.contains("FAILED"), "{index}");
}

#[test]
fn peers_of_one_name_are_told_apart() {
    let reports = folder("names");
    let (json, html) = (reports.join("index.json"), reports.join("html"));
    let (json, html) = (json.to_str().expect("UTF-8"), html.to_str().expect("UTF-8"));
    let client = ["--client", "true {url}", "--client", "true {url}"];
    let rest = ["--agent", "X", "--case", "1.1.1", "--json", json, "--html", html];
    let output = run(&[&client[..], &rest].concat());
    assert_eq!(output.status.code(), Some(1));
    let index = fs::read_to_string(json).expect("an index");
    assert!(index.contains("\"X\": {") && index.contains("\"X (2)\": {"), "{index}");
    let detailed = |name: &str| reports.join("html").join(name).is_file();
    assert!(detailed("x_case_1_1_1.json") && detailed("x__2__case_1_1_1.json"));
}

#[test]
fn a_report_that_cannot_be_written_is_known_before_the_run() {
    let folder = folder("unwritable");
    fs::write(folder.join("file"), "").expect("a file");
    let path = folder.join("file").join("index.json");
    let path = path.to_str().expect("UTF-8");
    for option in ["--json", "--junit", "--html"] {
        let said = could_not_run(&run(&["--client", "true {url}", option, path]));
        assert!(said.contains(path), "{option}: {said}");
    }
    let missing = folder.join("new").join("index.json");
    let path = missing.to_str().expect("UTF-8");
    let output = run(&["--client", "true {url}", "--case", "1.1.1", "--json", path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(missing.is_file());
}

#[test]
fn a_client_that_ends_without_a_call_is_not_waited_for() {
    let said = could_not_run(&run(&["--client", "true", "--case", "1.1.1"]));
    assert!(said.contains("{url}"), "{said}");
    let began = std::time::SystemTime::now();
    let output = run(&["--client", "ls {url}", "--case", "1.1.1"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("ended without a call") && said.contains("ls: "), "{said}");
    assert!(began.elapsed().is_ok_and(|took| took.as_secs() < 8), "waited for a dead client");
}

#[test]
fn a_server_that_never_answers_is_given_up_on() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("an address");
    for scheme in ["ws", "wss"] {
        let url = format!("{scheme}://{address}");
        let said = could_not_run(&run(&["--server", &url, "--case", "1.1.1", "--wait", "0.5"]));
        assert!(said.contains("did not answer three handshakes"), "{said}");
    }
    drop(silent);
    let url = format!("wss://{}", nobody());
    let said = could_not_run(&run(&["--server", &url, "--over", "h3", "--case", "1.1.1"]));
    let what = if cfg!(feature = "h3") { "nobody" } else { "built without h3" };
    assert!(said.contains(what), "{said}");
}

#[test]
fn a_header_that_the_cases_are_about_is_refused() {
    for header in ["Host: x", "sec-websocket-protocol: chat", "no name", " X: y", ": z"] {
        let said = could_not_run(&run(&["--server", "ws://127.0.0.1:1", "--header", header]));
        assert!(said.contains("suite's own") || said.contains("NAME: VALUE"), "{said}");
    }
}

/// A server that says these octets to whoever calls, once it has read something, and hangs up.
fn saying(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a call");
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer);
        }
    });
    format!("ws://{address}/chat")
}

#[test]
fn a_server_that_opens_no_websocket_at_all_is_not_judged_by_each_case() {
    let not_found = saying(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let said = could_not_run(&run(&["--server", &not_found, "--case", "1.1.1"]));
    assert!(said.contains("opens no WebSocket") && said.contains("404 Not Found"), "{said}");
    let said = could_not_run(&run(&["--server", &saying(b""), "--case", "1.1.1"]));
    assert!(said.contains("ended without an answer"), "{said}");
    let said = could_not_run(&run(&["--server", &saying(b"SSH-2.0-x\r\n"), "--case", "1.1.1"]));
    assert!(said.contains("SSH-2.0-x"), "{said}");
    let in_tls = not_found.replace("ws:", "wss:");
    let said = could_not_run(&run(&["--server", &in_tls, "--case", "1.1.1"]));
    assert!(said.contains("opens no WebSocket"), "{said}");
}

#[test]
fn a_server_that_still_starts_is_waited_for() {
    let address = nobody();
    let url = format!("ws://{address}");
    let said = could_not_run(&run(&["--server", &url, "--case", "1.1.1", "--startup", "0.5"]));
    assert!(said.contains("nobody listens") && said.contains("so it was for 0.5 s"), "{said}");
    let late = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        let listener = TcpListener::bind(address).expect("the port is free still");
        // A port that is passed on to a server before that listens: calls end without an answer.
        for stream in listener.incoming().take(7) {
            drop(stream);
        }
        listener
    });
    let child = program(&["--server", &url, "--case", "1.1.1", "--startup", "60"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    serve_all(late.join().expect("no panic"), "", b"\x03\xE8");
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0));
}

/// Runs the program against a server that answers nothing; the header of the run that came to it.
fn authorization_of(arguments: &[&str]) -> Option<String> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}", listener.local_addr().expect("an address"));
    let asked = std::thread::spawn(move || {
        let mut heads = listener.incoming().map_while(Result::ok).flat_map(|stream| {
            let lines = BufReader::new(stream).lines().map_while(Result::ok);
            lines.take_while(|line| !line.is_empty()).collect::<Vec<String>>()
        });
        heads.find(|line| line.starts_with("Authorization") || line == "no more")
    });
    let header = ["--header", "Authorization: Bearer 12345"];
    run(&[&["--server", &url][..], &header, arguments].concat());
    if let Ok(mut last) = TcpStream::connect(url.trim_start_matches("ws://")) {
        let _ = last.write_all(b"no more\r\n");
    }
    asked.join().expect("no panic").filter(|line| line != "no more")
}

/// Of an attack what comes first is the neighbour; what the attack itself sends is looked at by a
/// test beside it.
#[test]
fn a_header_goes_along_with_the_first_request_of_a_run_and_of_the_neighbour_of_an_attack() {
    for arguments in [["--case", "1.1.1"], ["--attack", "nothing sent"]] {
        let line = authorization_of(&arguments);
        assert_eq!(line.as_deref(), Some("Authorization: Bearer 12345"), "{arguments:?}");
    }
}

#[test]
fn cases_are_left_out_by_a_file_that_gives_a_reason_for_each() {
    let folder = folder("known");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let known =
        file("known", "# known\n\n1.1.1  issue 7: no empty texts\n1.2 no binary yet\n30 -\n");
    let html = folder.join("report.html");
    let page = html.to_str().expect("UTF-8");
    let client = ["--client", "true {url}", "--section", "1", "--html", page];
    let output = run(&[&client[..], &["--exclude-from", &known]].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("1.1.1  not played, 1 case: issue 7: no empty texts"), "{said}");
    assert!(said.contains("1.2  not played, 8 cases: no binary yet"), "{said}");
    assert!(said.contains("7 cases against a client"), "{said}");
    // No case of section 30 was chosen.
    assert!(!said.contains("30  not played"), "{said}");
    let report = fs::read_to_string(&html).expect("a page");
    assert!(report.contains("issue 7: no empty texts"));
    for (name, text, what) in [
        ("bare", "1.1.1\n", "line 1: 1.1.1 has no reason"),
        ("none", "\n1.99 gone\n", "line 2: there is no case 1.99"),
        ("word", "all of them\n", "line 1: \"all\" is no case number"),
    ] {
        let said =
            could_not_run(&run(&[&client[..], &["--exclude-from", &file(name, text)]].concat()));
        assert!(said.contains(what), "{said}");
    }
    let said = could_not_run(&run(&[&client[..], &["--exclude-from", "/no/such/file"]].concat()));
    assert!(said.contains("/no/such/file"), "{said}");
}

/// Serves WebSockets one after the other at the URL that is given: `fields` are in each answer, an
/// empty message comes back, and a close frame is answered with this body.
fn echoing_nothing(fields: &'static str, body: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    serve_all(listener, fields, body);
    format!("ws://{address}/")
}

fn serve_all(listener: TcpListener, fields: &'static str, body: &'static [u8]) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Who breaks off has no more to be told.
            let _ = serve_nothing(&mut stream.expect("a call"), fields, body);
        }
    });
}

fn serve_nothing(stream: &mut TcpStream, fields: &str, body: &[u8]) -> std::io::Result<()> {
    let mut accept = Sha1::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if let Some(key) = line.strip_prefix("Sec-WebSocket-Key: ") {
            accept.update(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
        }
        if line.is_empty() {
            break;
        }
    }
    let accept = STANDARD.encode(accept.finalize());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{fields}\r\n"
    );
    stream.write_all(answer.as_bytes())?;
    loop {
        let mut head = [0; 6];
        stream.read_exact(&mut head)?;
        let mut payload = vec![0; usize::from(head[1] & 0x7F)];
        stream.read_exact(&mut payload)?;
        if head[0] & 0x0F == 8 {
            let length = u8::try_from(body.len()).expect("a short body");
            return stream.write_all(&[&[0x88, length], body].concat());
        }
        stream.write_all(&[head[0], 0])?;
    }
}

#[test]
fn known_failures_do_not_count_and_one_that_passes_does() {
    let folder = folder("known_failures");
    let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    let judge = |lines: &str, rest: &[&str]| {
        fs::write(folder.join("known"), lines).expect("a file");
        let url = echoing_nothing("", b"\x03\xE8");
        let known = path("known");
        let all = ["--server", &url, "--wait", "0.5", "--known-failures", &known, "--jobs", "1"];
        let output = run(&[&all, rest].concat());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said, log)
    };
    // It gives back what is empty and nothing else.
    let cases = ["--case", "1.1.1,1.1.2", "--json", &path("index.json")];
    let (code, said, log) = judge("1.1.2 issue 12: only empty texts\n", &cases);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("[known to fail: issue 12: only empty texts]"), "{said}");
    assert!(said.contains("1 failed as known"), "{said}");
    assert!(log.contains("[known to fail: issue 12"), "while the run goes on: {log}");
    let index = fs::read_to_string(folder.join("index.json")).expect("an index");
    assert!(index.contains("\"knownFailure\": \"issue 12: only empty texts\""), "{index}");
    assert!(index.contains(&format!("--known-failures {}", path("known"))), "{index}");
    let (code, said, _) = judge("1.1 no texts\n", &cases);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("[passes unexpectedly, known to fail: no texts]"), "{said}");
    let (code, said, _) = judge("", &cases);
    assert_eq!(code, Some(1), "{said}");
    for (lines, what) in
        [("1.1.1\n", "line 1: 1.1.1 has no reason"), ("1.99 x", "no case 1.99: 1 ")]
    {
        let (code, _, log) = judge(lines, &cases);
        assert_eq!(code, Some(2), "{log}");
        assert!(log.contains(what), "{log}");
    }
}

#[test]
fn a_page_about_a_hostile_server_has_none_of_its_markup() {
    let folder = folder("hostile");
    let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    let fields = "Server: <script>alert(1)</script>\r\nX-Image: <img src=x onerror=alert(2)>\r\n";
    let body = b"\x03\xE8</code></pre><script>alert(3)</script>\x1b[2J";
    let url = echoing_nothing(fields, body);
    let (page, junit, html) = (path("page.html"), path("junit.xml"), path("folder"));
    for file in [&page, &html] {
        let arguments = ["--server", &url, "--section", "1.1.1,1.1.2,7.1.1,30.1", "--wait", "0.5"];
        let files = ["--jobs", "1", "--html", file, "--junit", &junit];
        let output = run(&[&arguments[..], &files].concat());
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!said.contains('\u{1b}'), "{said:?}");
    }
    for file in [page, junit, path("folder/index.html")] {
        let text = fs::read_to_string(&file).expect("a report");
        assert!(!text.contains("<script") && !text.contains("<img"), "{file}");
        assert!(!text.contains('\u{1b}') && text.contains("&lt;script&gt;alert(3)"), "{file}");
    }
}

#[test]
fn the_list_is_of_the_chosen_cases_and_says_whom_they_judge() {
    let listed = |arguments: &[&str]| {
        let output = run(&[&["--list"][..], arguments].concat());
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let list = listed(&["--section", "20.1,20.2", "--exclude", "20.1.8"]);
    assert_eq!(list.lines().count(), 15, "{list}");
    assert_eq!(list.matches("[judges servers]").count(), 7, "{list}");
    assert_eq!(list.matches("[judges clients]").count(), 8, "{list}");
    assert!(listed(&[]).lines().count() > 900);
}

#[test]
fn the_attacks_are_listed_without_a_name_and_for_one_that_there_is_not() {
    for arguments in [&["--attack"][..], &["--attack", "--list"], &["--attack", "--scale", "4"]] {
        let output = run(arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(said.contains("\n  inflate bomb\n") && said.contains("\n  no answer\n"), "{said}");
    }
    let url = format!("ws://{}", nobody());
    for arguments in
        [&["--attack", "inflate_bom", "--server", &url][..], &["--attack", "h2 resets"]]
    {
        let said = could_not_run(&run(arguments));
        assert!(
            said.contains("there is no attack \"") && said.contains("\n  inflate bomb\n"),
            "{said}"
        );
    }
    let said = could_not_run(&run(&["--attack", "inflate", "bomb", "--server", &url]));
    assert!(!said.contains("there is no attack"), "{said}");
}

#[test]
fn the_version_is_told() {
    let output = run(&["--version"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said, format!("ws-conformance {}\n", env!("CARGO_PKG_VERSION")));
}
