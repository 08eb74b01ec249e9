//! The live display: a block at the bottom of the terminal that says where the run stands, and the plain lines
//! scrolling by above it. `board` folds events, `frame` lays out, `screen` draws.

mod board;
mod frame;
mod screen;

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Plain, Reporter, Verbosity};
use crate::engine::{Stamped, State};
use crate::plan::{HostId, Plan};
use crate::value::{self, Timestamp};

pub use frame::TerminalStyle;

use board::Board;
use frame::{TerminalSize, frame};
use screen::Screen;

/// Between two frames while nothing happens: seconds pass.
const TICK: Duration = Duration::from_millis(250);
/// Between two frames however much happens.
const LEAST: Duration = Duration::from_millis(50);

/// Shows a run on a terminal.
pub struct Live {
    shared: Arc<Mutex<Display>>,
    lines: Plain<PlainLines>,
    buffer: PlainLines,
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

struct Display {
    board: Option<Board>,
    screen: Screen<Box<dyn Write + Send>>,
    look: TerminalStyle,
    size: fn() -> (u16, u16),
    /// The last event: when it was, by both clocks.
    last: Option<(Instant, Timestamp)>,
    speed: f64,
    drawn: Option<Instant>,
    /// Lines that are to stay, and were not printed yet.
    above: String,
    /// Somebody is asked on this terminal: the block makes room for the question and the answer.
    gives_way: bool,
}

impl Live {
    /// Draws on `out`, a terminal of the size that `size` gives as rows and columns. Time passes `speed` times as fast
    /// as on the wall.
    pub fn new(
        out: Box<dyn Write + Send>,
        size: fn() -> (u16, u16),
        look: TerminalStyle,
        verbose: bool,
        speed: f64,
    ) -> Self {
        let buffer = PlainLines::default();
        let display = Display {
            board: None,
            screen: Screen::new(out),
            look,
            size,
            last: None,
            speed,
            drawn: None,
            above: String::new(),
            gives_way: false,
        };
        let shared = Arc::new(Mutex::new(display));
        let ticker = ticker(Arc::clone(&shared));
        Self { shared, lines: Plain::new(buffer.clone(), Verbosity::of_display(verbose)), buffer, ticker }
    }

    /// For the terminal on which questions are asked: while one is open, nothing is drawn over it.
    #[must_use]
    pub fn giving_way(self) -> Self {
        locked(&self.shared).gives_way = true;
        self
    }
}

/// Redraws while nothing happens. Where no thread can be had, seconds stand still and all else works.
fn ticker(shared: Arc<Mutex<Display>>) -> Option<(Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = channel();
    let tick = move || {
        while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            locked(&shared).draw();
        }
    };
    let thread = std::thread::Builder::new().name("display".to_owned()).spawn(tick).ok()?;
    Some((stop, thread))
}

fn locked(shared: &Mutex<Display>) -> MutexGuard<'_, Display> {
    // A frame is drawn anew each time: what a panic left half-way does no harm.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Display {
    fn draw(&mut self) {
        let (Some(board), Some((real, at))) = (&self.board, self.last) else { return };
        let passed = real.elapsed().mul_f64(self.speed);
        let passed = value::Duration::from_millis(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX));
        let (rows, columns) = (self.size)();
        let size = TerminalSize { columns: columns.into(), rows: rows.into() };
        let block =
            if self.is_asking() { Vec::new() } else { frame(board, at.after(passed), size, self.look) };
        self.screen.show(&std::mem::take(&mut self.above), &block, size.columns);
        self.drawn = Some(Instant::now());
    }

    fn is_asking(&self) -> bool {
        self.gives_way && self.board.as_ref().is_some_and(|board| !board.asks.is_empty())
    }

    /// Takes the block away and leaves what is to stay.
    fn end(&mut self) {
        let (_, columns) = (self.size)();
        self.screen.show(&std::mem::take(&mut self.above), &[], columns.into());
        self.board = None;
    }
}

impl Reporter for Live {
    fn event(&mut self, plan: &Plan, state: &State, event: &Stamped) {
        self.lines.event(plan, state, event);
        let mut display = locked(&self.shared);
        display.above.push_str(&self.buffer.take());
        let was_asking = display.is_asking();
        display.board.get_or_insert_with(|| Board::new(plan)).take(plan, state, event);
        display.last = Some((Instant::now(), event.at));
        // A question comes right after its event.
        let turns = display.is_asking() != was_asking;
        if turns || display.drawn.is_none_or(|drawn| drawn.elapsed() >= LEAST) {
            display.draw();
        }
    }

    fn output(&mut self, host: HostId, said: &[String]) {
        if let Some(board) = &mut locked(&self.shared).board {
            board.hear(host, said.to_vec());
        }
    }

    fn listens(&self) -> bool {
        true
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.ticker.take() {
            drop(stop);
            // It panicked, or it ended: either way it draws no more.
            let _ = thread.join();
        }
        locked(&self.shared).end();
    }
}

/// Where the plain lines gather until the next frame.
#[derive(Clone, Default)]
struct PlainLines(Arc<Mutex<Vec<u8>>>);

impl PlainLines {
    fn take(&self) -> String {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&std::mem::take(&mut *bytes)).into_owned()
    }
}

impl Write for PlainLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
