//! docs/conventions.md names tests: they exist.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_holds_a_convention_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/conventions.md")).expect("page");
    let mut count = 0;
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")) {
        // Every other part stands between backticks.
        for named in row.split('`').skip(1).step_by(2) {
            let Some((file, test)) = named.split_once(".rs: ") else { continue };
            let text = fs::read_to_string(root.join(format!("tests/{file}.rs"))).expect(file);
            assert!(text.contains(&format!("#[test]\nfn {test}(")), "there is no {named}");
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}
