//! Lays the board out for a terminal of a given size. Pure: the same board, size and time give the same lines, none of
//! them wider than the terminal, and fewer of them than it has rows.

use console::{Alignment, measure_text_width, pad_str, truncate_str};

use super::board::{AtGate, AtWork, Board, Doing, Failed, PhaseLine, Soak};
use crate::value::{Duration, Timestamp};

/// What a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalStyle {
    /// Colours.
    pub color: bool,
    /// Characters beyond ASCII.
    pub unicode: bool,
}

/// Columns and rows of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TerminalSize {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

#[derive(Clone, Copy)]
enum Paint {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl TerminalStyle {
    fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Red => "1;31",
            Paint::Green => "32",
            Paint::Yellow => "33",
            Paint::Cyan => "36",
        };
        if self.color && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// The sign in `unicode`, or the one in ASCII.
    fn sign(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { unicode } else { ascii }
    }
}

/// The lines to show, top to bottom.
pub(super) fn frame(board: &Board, now: Timestamp, size: TerminalSize, look: TerminalStyle) -> Vec<String> {
    let mut room = Room { left: size.rows.saturating_sub(1) };
    let mut lines = room.take(vec![head(board, now, look)], 1);
    let foot = room.take(foot(board, look), 1);
    let phases = phases(board, now, size, look);
    // A small terminal shows the open phase only.
    let phases = if phases.len() + 2 <= room.left { phases } else { open_phase(board, now, size, look) };
    let most = room.left;
    lines.extend(room.take(phases, most));
    // Failures are kept on the screen, but never all of it.
    let third = if board.at_work.is_empty() { room.left } else { room.left.div_ceil(3) };
    let failed = room.take(failures(&board.failed, third, look), third);
    lines.extend(at_work(board, now, room.left, look));
    lines.extend(failed);
    lines.extend(foot);
    let tail = look.sign("…", "~");
    lines.iter().map(|line| truncate_str(line, size.columns.saturating_sub(1), tail).into_owned()).collect()
}

/// Rows that are not used yet.
struct Room {
    left: usize,
}

impl Room {
    fn take(&mut self, mut lines: Vec<String>, most: usize) -> Vec<String> {
        lines.truncate(most.min(self.left));
        self.left -= lines.len();
        lines
    }
}

fn head(board: &Board, now: Timestamp, look: TerminalStyle) -> String {
    let passed = board.began.map_or(Duration::ZERO, |began| now.since(began));
    format!("{}  {}", look.paint(Paint::Bold, &board.title), clock(passed))
}

fn foot(board: &Board, look: TerminalStyle) -> Vec<String> {
    board.stopping.iter().map(|stopping| look.paint(Paint::Yellow, stopping)).collect()
}

fn phases(board: &Board, now: Timestamp, size: TerminalSize, look: TerminalStyle) -> Vec<String> {
    let columns = Columns::of(&board.phases);
    board.phases.iter().flat_map(|phase| phase_lines(board, phase, columns, now, size, look)).collect()
}

fn open_phase(board: &Board, now: Timestamp, size: TerminalSize, look: TerminalStyle) -> Vec<String> {
    let columns = |phase| Columns::of(std::slice::from_ref(phase));
    board.phase().map(|phase| phase_lines(board, phase, columns(phase), now, size, look)).unwrap_or_default()
}

/// How wide names and numbers of hosts are, so that what follows them stands in one column.
#[derive(Clone, Copy)]
struct Columns {
    name: usize,
    hosts: usize,
}

impl Columns {
    fn of(phases: &[PhaseLine]) -> Self {
        let most = |width: fn(&PhaseLine) -> usize| phases.iter().map(width).max().unwrap_or(0);
        Self {
            name: most(|phase| measure_text_width(&phase.name)).min(30),
            hosts: most(|phase| phase.hosts.to_string().len()),
        }
    }
}

fn phase_lines(
    board: &Board,
    phase: &PhaseLine,
    columns: Columns,
    now: Timestamp,
    size: TerminalSize,
    look: TerminalStyle,
) -> Vec<String> {
    let width = columns.name;
    let name = pad_str(&phase.name, width, Alignment::Left, Some(look.sign("…", "~")));
    let count = format!("{:>3}/{:<2$}", phase.ended, phase.hosts, columns.hosts);
    let failed = match phase.failed {
        0 => String::new(),
        failed => look.paint(Paint::Red, &format!("  {failed} failed")),
    };
    let (Some(began), over) = (phase.began, phase.over) else {
        let sign = look.sign("·", ".");
        return vec![look.paint(Paint::Dim, &format!("{sign} {name} {count}"))];
    };
    if let Some((ended, ok)) = over {
        let sign = if ok {
            look.paint(Paint::Green, look.sign("✓", "+"))
        } else {
            look.paint(Paint::Red, look.sign("✗", "x"))
        };
        return vec![format!("{sign} {name} {count}{failed}  {}", clock(ended.since(began)))];
    }
    let sign = look.paint(Paint::Cyan, look.sign("▶", ">"));
    let left = board.left(now).map(|left| format!("  about {} left", roughly(left))).unwrap_or_default();
    let line = format!("{sign} {name} {}{count}{failed}{left}", bar(phase, size, look));
    let below = below(board);
    if below.is_empty() { vec![line] } else { vec![line, format!("  {:width$}   {below}", "")] }
}

/// "batch 2/4, out of service 2/2".
fn below(board: &Board) -> String {
    let batch = board.batch.map(|(batch, all)| format!("batch {batch}/{all}"));
    let budget = board.budget.map(|(out, slots)| format!("out of service {out}/{slots}"));
    batch.into_iter().chain(budget).collect::<Vec<_>>().join(", ")
}

fn bar(phase: &PhaseLine, size: TerminalSize, look: TerminalStyle) -> String {
    let width = match size.columns {
        0..60 => return String::new(),
        60..120 => 10,
        _ => 30,
    };
    let full = (width * phase.ended).checked_div(phase.hosts).unwrap_or(width);
    let (done, open) = (look.sign("█", "#").repeat(full), look.sign("░", "-").repeat(width - full));
    format!("{}{} ", look.paint(Paint::Cyan, &done), look.paint(Paint::Dim, &open))
}

fn at_work(board: &Board, now: Timestamp, rows: usize, look: TerminalStyle) -> Vec<String> {
    let ask = |text: &String| look.paint(Paint::Yellow, &format!("  waits for approval: {text}"));
    let mut lines: Vec<String> = board.asks.values().map(ask).collect();
    lines.extend(board.gate.iter().map(|gate| gate_line(gate, now, look)));
    lines.extend(board.soak.iter().map(|soak| soak_line(soak, now, look)));
    let mut hosts: Vec<&AtWork> = board.at_work.values().collect();
    // Those that are out of service matter most; among them the one that has been at it for longest.
    hosts.sort_by_key(|host| (!host.out, matches!(host.doing, Doing::Waits(_)), host.since));
    let width = hosts.iter().map(|host| measure_text_width(&host.name)).max().unwrap_or(0).min(40);
    let room = rows.saturating_sub(lines.len());
    let shown = if hosts.len() > room { room.saturating_sub(1) } else { hosts.len() };
    lines.extend(hosts[..shown].iter().map(|host| host_line(host, width, now, look)));
    if hosts.len() > shown && room > 0 {
        lines.push(look.paint(Paint::Dim, &format!("  and {} more at work", hosts.len() - shown)));
    }
    lines.truncate(rows);
    lines
}

fn gate_line(gate: &AtGate, now: Timestamp, look: TerminalStyle) -> String {
    let left = gate.until.map(|until| format!(", {} left", clock(until.since(now)))).unwrap_or_default();
    match &gate.failed_check {
        Some(failed_check) => look.paint(Paint::Yellow, &format!("  at the gate{left}: {failed_check}")),
        None => format!("  at the gate{left}: {}", gate.what),
    }
}

fn soak_line(soak: &Soak, now: Timestamp, look: TerminalStyle) -> String {
    let left = clock(soak.until.since(now));
    match &soak.failed_check {
        Some(failed_check) => {
            look.paint(Paint::Yellow, &format!("  {left} of the soak left, and not well: {failed_check}"))
        }
        None => format!("  {left} of the soak left"),
    }
}

fn host_line(host: &AtWork, width: usize, now: Timestamp, look: TerminalStyle) -> String {
    let name = pad_str(&host.name, width, Alignment::Left, Some(look.sign("…", "~")));
    let name = if host.out { look.paint(Paint::Yellow, &name) } else { name.into_owned() };
    let passed = clock(now.since(host.since));
    let doing = match &host.doing {
        Doing::Idle => String::new(),
        Doing::Looks => look.paint(Paint::Dim, "looks what is to be done"),
        Doing::Step(title) => title.clone(),
        Doing::Waits(why) => look.paint(Paint::Dim, why),
    };
    let said = host.said.last().map(|said| look.paint(Paint::Dim, &format!("  {said}"))).unwrap_or_default();
    format!("  {name}  {passed}  {doing}{said}")
}

/// The newest failures, each with as much of its output as there is room for.
fn failures(failed: &[Failed], rows: usize, look: TerminalStyle) -> Vec<String> {
    let mut blocks: Vec<Vec<String>> = Vec::new();
    let mut used = 0;
    for host in failed.iter().rev() {
        let step = if host.step.is_empty() { String::new() } else { format!("  {}", host.step) };
        let word = look.paint(Paint::Red, "FAILED");
        let mut block = vec![format!("{word} {}{step}: {}", host.name, host.why)];
        let bar = look.sign("│", "|");
        block.extend(host.said.iter().map(|said| look.paint(Paint::Dim, &format!("       {bar} {said}"))));
        if used == rows {
            break;
        }
        block.truncate(rows - used);
        used += block.len();
        blocks.push(block);
    }
    blocks.into_iter().rev().flatten().collect()
}

/// "12:34", "1:02:03".
fn clock(duration: Duration) -> String {
    let secs = duration.as_secs();
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{secs:02}") } else { format!("{minutes:02}:{secs:02}") }
}

/// "40 s", "12 min", "3 h 10 min": an estimate is not told to the second.
fn roughly(duration: Duration) -> String {
    let secs = duration.as_secs();
    match secs {
        0..60 => format!("{} s", secs.div_ceil(10) * 10),
        60..5400 => format!("{} min", secs.div_ceil(60)),
        _ => format!("{} h {} min", secs / 3600, secs / 60 % 60 / 10 * 10),
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
