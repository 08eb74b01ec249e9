//! What the guide shows works as it says: its files are taken out of the page and used.

use std::path::Path;

use super::support::rollbook::Rollbook;

/// Writes every block that begins with `# NAME.yaml` into `dir`.
fn extract(page: &str, dir: &Path) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = std::fs::read_to_string(page).expect("the page is there");
    for block in text.split("```yaml\n# ").skip(1) {
        let (name, rest) = block.split_once('\n').expect("a name and a file");
        let file = rest.split("```").next().expect("an end");
        std::fs::write(dir.join(name), file).expect("written");
    }
}

#[test]
fn the_first_runbook_of_the_guide_validates_and_rehearses() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    extract("docs/guide/first-runbook.md", dir.path());
    let rollbook = |args: &[&str]| Rollbook::new(args.iter().copied()).dir(dir.path()).run();
    rollbook(&["validate", "patch.yaml", "-i", "inventory.yaml"]).exits(0);
    rollbook(&["inventory", "list", "workers & !w4", "-i", "inventory.yaml"]).exits(0).shows("w3");
    let rehearsal = rollbook(&["rehearse", "patch.yaml", "-i", "inventory.yaml"]).exits(0);
    let out = rehearsal.stderr.lines().filter(|line| line.ends_with("goes out of service")).count();
    assert_eq!(out, 4, "{}", rehearsal.stderr);
}

#[test]
fn the_inventory_of_the_readme_is_one() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    extract("README.md", dir.path());
    let list = Rollbook::new(["inventory", "list", "workers", "-i", "inventory.yaml"])
        .dir(dir.path())
        .run()
        .exits(0);
    assert_eq!(list.stdout.lines().count(), 12, "{}", list.stdout);
}
