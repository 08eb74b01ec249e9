//! `rollbook steps`: the reference of step kinds, from the one registry.

use std::fmt::Write;

use super::args::Steps as Args;
use super::outcome::Outcome;
use super::terminal::Terminal;
use crate::app::AppError;
use crate::report::ExitKind;
use crate::source::nearest;
use crate::step::{StepKind, all, find};

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    let Some(name) = &args.kind else { return terminal.data(&list()) };
    match find(name) {
        Some(kind) => terminal.data(&page(kind)),
        None => {
            let near = nearest(name, all().iter().map(|kind| kind.name()));
            let hint = near.map_or_else(
                || "`rollbook steps` lists them".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            Err(AppError::new(ExitKind::Usage, format!("there is no step kind `{name}`")).hint(hint))
        }
    }
}

fn list() -> String {
    let width = all().iter().map(|kind| kind.name().len()).max().unwrap_or(0);
    let mut out = String::new();
    for kind in all() {
        writeln!(out, "{:width$}  {}", kind.name(), kind.doc().summary)
            .expect("invariant: writing to a string works");
    }
    out
}

/// A kind's reference page as Markdown; `docs/reference/steps` holds the same text.
pub(super) fn page(kind: &dyn StepKind) -> String {
    let doc = kind.doc();
    let mut out = format!(
        "# {}\n\n{}.\n\n{}\n\n## Fields\n\n",
        kind.name(),
        doc.summary.trim_end_matches('.'),
        doc.body.trim()
    );
    for field in kind.fields() {
        let need = match (&field.required, &field.default) {
            (true, _) => "required".to_owned(),
            (false, Some(default)) => format!("default {default}"),
            (false, None) => "optional".to_owned(),
        };
        writeln!(out, "- `{}` ({}; {need}): {}", field.name, field.ty.expected(), field.doc)
            .expect("invariant: writing to a string works");
    }
    if kind.fields().is_empty() {
        out.push_str("None.\n");
    }
    writeln!(out, "\n## Example\n\n```yaml\n{}\n```", doc.example.trim_end())
        .expect("invariant: writing to a string works");
    out
}
