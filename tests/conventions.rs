//! docs/conventions.md and tests/e2e/long.txt name tests: they exist.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_holds_a_convention_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/conventions.md")).expect("page");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let mut points = Vec::new();
    for row in rows {
        let Ok(number) = row.split('|').nth(1).unwrap_or_default().trim().parse::<u32>() else { continue };
        let mut held_by = 0;
        // Every other part stands between backticks.
        for named in row.split('`').skip(1).step_by(2) {
            let Some((file, test)) = named.split_once(".rs: ") else { continue };
            let text = fs::read_to_string(root.join(format!("tests/{file}.rs"))).expect(file);
            assert!(text.contains(&format!("#[test]\nfn {test}(")), "there is no {named}");
            held_by += 1;
        }
        assert!(held_by > 0, "no test holds {row}");
        points.push(number);
    }
    assert_eq!(points, Vec::from_iter(1..=30));
}

#[test]
fn every_test_that_is_left_to_test_all_exists() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e");
    let list = fs::read_to_string(directory.join("long.txt")).expect("list");
    for name in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (module, test) = name.split_once("::").expect("module::test");
        let text = [format!("{module}.rs"), format!("{module}/mod.rs")]
            .iter()
            .find_map(|file| fs::read_to_string(directory.join(file)).ok())
            .unwrap_or_else(|| panic!("there is no module {module}"));
        assert!(text.contains(&format!("#[test]\nfn {test}(")), "there is no test {name}");
    }
}
