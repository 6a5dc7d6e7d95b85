//! The session through its public surface: what comes in as bytes, what leaves as bytes, and when.

mod closing;
mod deadlines;
#[cfg(feature = "deflate")]
mod deflate;
mod goodbye;
mod rest;
mod sending;
mod support;

#[test]
fn every_test_passes_however_the_input_is_cut() {
    if std::env::var_os(support::CUT).is_some() {
        return; // This is one of the runs below.
    }
    let tests = std::env::current_exe().expect("the tests themselves");
    for cut in ["bytes", "1", "2", "3"] {
        let output = std::process::Command::new(&tests)
            .env(support::CUT, cut)
            .output()
            .expect("the tests run again");
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "cut {cut}:\n{report}");
    }
}
