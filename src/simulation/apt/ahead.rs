//! The look at packages as they will be once other sources are in place, on a simulated host: the records that arrive on
//! standard input, and the same framed answers that a real host's shell gives. Nothing of the host changes.

use super::super::assumed;
use super::super::command::{self, Invocation};
use super::super::process::{Output, ProcessStep};
use super::super::releases;
use super::super::sources;
use super::super::world::World;

/// `$0` of the script.
pub(in super::super) const NAME: &str = "rollbook-look-ahead";
/// What stands for its own directory of lists, which is gone at the end.
const LISTS: &str = "ahead";
/// How long fetching takes. Always the same: a plan must not change what a seed gives the run after it.
const FETCH: i64 = 3000;

/// What is asked.
#[derive(Debug, Default)]
struct AheadRequest {
    /// Path and text of every file as it will be.
    sources: Vec<(String, String)>,
    runs: Vec<Vec<String>>,
}

impl AheadRequest {
    fn read(stdin: &str) -> Option<Self> {
        let mut ask = Self::default();
        let mut lines = stdin.lines();
        while let Some(head) = lines.next() {
            let mut words = head.splitn(3, ' ');
            let (what, count) = (words.next()?, words.next()?.parse::<usize>().ok()?);
            let taken: Vec<&str> = (0..count).map_while(|_| lines.next()).collect();
            match what {
                "source" => ask.sources.push((words.next()?.to_owned(), taken.join("\n") + "\n")),
                "run" => ask.runs.push(taken.into_iter().map(str::to_owned).collect()),
                "key" => {}
                _ => return None,
            }
        }
        Some(ask)
    }
}

/// Whether a command line is this look.
pub(in super::super) fn is_look(command: &Invocation) -> bool {
    command.program() == "sh" && command.args().get(2).is_some_and(|name| name == NAME)
}

/// Looks.
pub(in super::super) fn look(command: &Invocation) -> ProcessStep {
    let Some(ask) = AheadRequest::read(&command.stdin) else { return ProcessStep::Exit(92) };
    let command = command.clone();
    ProcessStep::after(FETCH, move |world, out| {
        let update = fetch(world, &command, &ask);
        let failed = update.1 != 0;
        answer(out, &update.0, update.1);
        if !failed {
            assumed::before_looks(world, command.host, ask.runs.iter());
            for run in &ask.runs {
                let (output, code) = run_one(world, &command, run);
                answer(out, &output, code);
            }
            world.hosts[command.host].packages.forget(LISTS);
        }
        ProcessStep::Exit(0)
    })
}

/// Only the new files are fetched; of all others the lists are there or not, as the host has them.
fn fetch(world: &mut World, command: &Invocation, ask: &AheadRequest) -> (Output, i32) {
    let host = &mut world.hosts[command.host];
    let mut output = Output::default();
    let new: Vec<_> = ask.sources.iter().flat_map(|(path, text)| sources::parse(path, text)).collect();
    for source in &new {
        let error = if host.active_faults.mirror_dead {
            Some(format!(
                "Failed to fetch {}InRelease  Could not connect to mirror: Connection timed out",
                source.uri
            ))
        } else if source.minor.is_some_and(|minor| !releases::has_minor(minor)) {
            Some(format!("The repository '{}  Release' does not have a Release file.", source.uri))
        } else {
            None
        };
        if let Some(error) = error {
            output.complain(format!("E: {error}"));
            return (output, 100);
        }
    }
    let mut files = host.files.clone();
    for (path, text) in &ask.sources {
        files.put(path, text.clone(), "644", world.now);
    }
    let there =
        |source: &sources::SuiteSource| new.contains(source) || host.packages.has_lists_of("", source);
    let lists = sources::read(&files, None).into_iter().filter(there).collect();
    host.packages.fetched(LISTS.to_owned(), lists);
    (output, 0)
}

fn run_one(world: &mut World, command: &Invocation, run: &[String]) -> (Output, i32) {
    let mut argv = run.to_vec();
    if matches!(argv.first().map(String::as_str), Some("apt-get" | "apt-cache")) {
        argv.splice(1..1, ["-o".to_owned(), format!("Dir::State::lists={LISTS}")]);
    }
    let mut output = Output::default();
    let next = command::run(world, &command.with_argv(&argv), &mut output);
    let ProcessStep::Exit(code) = next else {
        panic!("a query of a look ahead changes something: {run:?}");
    };
    (output, code)
}

fn answer(out: &mut Output, output: &Output, code: i32) {
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    out.line(format!("@ {code} {} {}", stdout.lines().count(), stderr.lines().count()));
    for line in stdout.lines().chain(stderr.lines()) {
        out.line(line);
    }
}
