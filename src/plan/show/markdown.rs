//! A plan for a merge request or a ticket. The same words as the text, in Markdown.

use std::fmt::{self, Write};

use super::bodies::{Apart, Bodies};
use super::labels::for_people;
use super::text::{Detail, PlanStyle, Text, abridged, choice, shown_value};
use crate::plan::{Expected, Plan, PlannedPhase};

/// The plan as Markdown, with how long it is expected to take.
pub fn markdown(plan: &Plan, digest: &str, detail: Detail, expected: &Expected) -> String {
    let mut out = String::new();
    write(&for_people(plan), (digest, expected), detail, &mut out)
        .expect("invariant: writing to a string works");
    out
}

fn write(
    plan: &Plan,
    (digest, expected): (&str, &Expected),
    detail: Detail,
    out: &mut String,
) -> fmt::Result {
    writeln!(out, "# Plan: {} on {}", plain(&plan.runbook), plain(&plan.inventory))?;
    if !plan.params.is_empty() {
        writeln!(out, "\n| parameter | value |\n|---|---|")?;
    }
    for (name, value) in &plan.params {
        writeln!(out, "| {} | {} |", plain(name), plain(&shown_value(value)))?;
    }
    let terms = of(plan, detail, &mut String::new()).terms_of_plan();
    for line in choice(plan).into_iter().chain(terms) {
        writeln!(out, "\n{}", plain(&line))?;
    }
    for warning in &plan.warnings {
        let hint = if warning.hint.is_empty() { String::new() } else { format!(" ({})", warning.hint) };
        writeln!(out, "\n> **warning:** {}{}", plain(&warning.message), plain(&hint))?;
    }
    for (index, planned) in plan.phases.iter().enumerate() {
        let header = of(plan, detail, &mut String::new()).timed_header(index, planned, expected);
        writeln!(out, "\n## {}", plain(&header))?;
        if let Some(terms) = of(plan, detail, &mut String::new()).terms_of_phase(planned) {
            writeln!(out, "\n{}", plain(&terms))?;
        }
        phase(plan, planned, detail, out)?;
    }
    let mut totals = String::new();
    of(plan, detail, &mut totals).totals(digest, expected)?;
    for line in totals.lines() {
        writeln!(out, "\n{}", plain(line.trim_start()))?;
    }
    Ok(())
}

fn phase(plan: &Plan, phase: &PlannedPhase, detail: Detail, out: &mut String) -> fmt::Result {
    for (batch, group) in super::text::alike(phase) {
        let mut lines = String::new();
        let mut text = of(plan, detail, &mut lines);
        let names: Vec<String> = group.iter().map(|tasks| text.host(tasks.host)).collect();
        text.tasks(group[0])?;
        let apart = std::mem::take(&mut text.apart);
        let batch = batch.filter(|_| phase.batches.len() > 1);
        let batch = batch.map(|batch| format!("**batch {}:** ", batch + 1)).unwrap_or_default();
        writeln!(out, "\n{batch}{}\n", plain(&abridged(&names)))?;
        block(&lines, &apart, out)?;
    }
    for (line, check) in of(plan, detail, &mut String::new()).between(phase) {
        // A sentence of its own.
        writeln!(out, "\nA{}", plain(line.strip_prefix('a').unwrap_or(&line)))?;
        let mut lines = String::new();
        let mut text = of(plan, detail, &mut lines);
        text.check(check)?;
        let apart = std::mem::take(&mut text.apart);
        if !lines.is_empty() {
            writeln!(out)?;
            block(&lines, &apart, out)?;
        }
    }
    Ok(())
}

/// Lines as they are, and the long texts that stand apart from them.
fn block(lines: &str, apart: &[Apart], out: &mut String) -> fmt::Result {
    let lines: Vec<&str> = lines.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
    let fence = fence(&lines);
    writeln!(out, "{fence}text\n{}\n{fence}", lines.join("\n"))?;
    apart.iter().try_for_each(|apart| folded(apart, out))
}

/// A long text, which opens where it is wanted.
fn folded(Apart { title, lines }: &Apart, out: &mut String) -> fmt::Result {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let fence = fence(&lines);
    writeln!(out, "\n<details><summary>{}</summary>\n", in_html(title))?;
    writeln!(out, "{fence}text\n{}\n{fence}\n\n</details>", lines.join("\n"))
}

/// Text inside of HTML on one line.
fn in_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\n', " ")
}

fn of<'a>(plan: &'a Plan, detail: Detail, out: &'a mut String) -> Text<'a> {
    Text::new(plan, PlanStyle { detail, color: false }, Bodies::Folded, out)
}

/// Longer than any run of backticks inside, so that no command ends the block.
fn fence(lines: &[&str]) -> String {
    let longest = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// Text outside of blocks: what Markdown or HTML would take for markup is escaped.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '*' | '_' | '`' | '[' | ']' | '|' | '\\' => out.extend(['\\', character]),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_plan_becomes_markup() {
        assert_eq!(plain("a_b | <b>\n*c* [d](e)"), "a\\_b \\| &lt;b> \\*c\\* \\[d\\](e)");
        assert_eq!(fence(&["~ run ```` x", "`y`"]), "`````");
        assert_eq!(fence(&["~ run"]), "```");
    }
}
