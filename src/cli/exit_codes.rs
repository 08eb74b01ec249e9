//! The exit codes in `--help` and on their reference page, from their one table.

use crate::report::ExitKind;

/// "0 done · 1 … · 2 …", by number.
pub(super) fn line() -> String {
    let mut all = ExitKind::ALL.to_vec();
    all.sort_unstable();
    let each: Vec<String> = all.iter().map(|exit| format!("{} {}", exit.code(), exit.words())).collect();
    each.join(" · ")
}

/// The reference page.
pub(super) fn page() -> String {
    let row = |exit: &ExitKind| format!("| {} | {} |\n", exit.code(), exit.sentence());
    let rows: String = ExitKind::ALL.iter().map(row).collect();
    format!(
        "# Exit codes\n\nThe first that applies. The cause stands in the summary as `stopped_by`.\n\n\
         | code | meaning |\n|---|---|\n{rows}\n`allow_failure` gives 0 and a warning that names the step.\n"
    )
}
