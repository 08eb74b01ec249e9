//! Reads the files that a command names, with every mistake of all of them in one go.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;

use super::RunbookInput;
use super::Tell;
use crate::app::AppError;
use crate::inventory::{HostName, Inventory, Selector, SelectorError, refuse_doubtful};
use crate::lint;
use crate::report::ExitKind;
use crate::runbook::{
    FileReader, ParamSources, Runbook, WrittenChoice, check_limit, limit_error, resolve_params,
};
use crate::source::codes::PARAM_UNKNOWN;
use crate::source::{
    Diagnostics, FileId, Limits, Node, NodeKind, SourceMap, Span, Spanned, codes, parse, read_utf8, shorten,
};
use crate::value::Value;

/// A runbook with everything it needs.
pub(crate) struct Loaded {
    pub(crate) sources: SourceMap,
    pub(crate) runbook: Runbook,
    pub(crate) inventory: Inventory,
    pub(crate) params: IndexMap<String, Value>,
    pub(crate) limit: Option<Selector>,
    pub(crate) choice: WrittenChoice,
}

/// Reads a runbook, its inventory and its parameters, or shows what is wrong with them.
pub(crate) fn load(runbook: &Utf8Path, input: &RunbookInput, tell: &dyn Tell) -> Result<Loaded, AppError> {
    load_with(SourceMap::default(), Diagnostics::default(), runbook, input, Beside::default(), tell)
}

/// What another file says that was read before; the input is stronger.
#[derive(Default)]
pub(crate) struct Beside {
    /// Values for parameters.
    pub(crate) params: Option<Node>,
    /// Steps to take or to leave out.
    pub(crate) choice: WrittenChoice,
}

/// The same where another file was read before.
pub(crate) fn load_with(
    mut sources: SourceMap,
    mut diagnostics: Diagnostics,
    runbook: &Utf8Path,
    input: &RunbookInput,
    beside: Beside,
    tell: &dyn Tell,
) -> Result<Loaded, AppError> {
    let loaded_runbook = read_leniently(&mut sources, runbook, &mut diagnostics)?;
    let Some(inventory_path) = &input.inventory else {
        // A file of another kind needs no inventory.
        if loaded_runbook.is_none() && diagnostics.has_errors() {
            tell.diagnostics(&diagnostics, &sources);
            return Err(AppError::invalid());
        }
        return Err(
            AppError::new(ExitKind::Usage, "there is no inventory").hint("name one with `-i inventory.yaml`")
        );
    };
    let before_inventory = diagnostics.count_errors();
    let loaded_inventory = read_tree(&mut sources, inventory_path, &mut diagnostics)?
        .and_then(|(_, tree)| crate::inventory::parse_leniently(&tree, &mut diagnostics));
    let inventory_is_sound = diagnostics.count_errors() == before_inventory;
    let mut files: Vec<Node> = beside.params.into_iter().collect();
    for path in &input.params_file {
        let tree = read_tree(&mut sources, path, &mut diagnostics)?.map(|(_, tree)| tree);
        files.extend(tree.filter(|tree| holds_parameters(tree, &mut diagnostics)));
    }
    let typed = choice(&mut sources, &input.only, &input.skip);
    let choice = if typed.is_empty() { beside.choice } else { typed };
    // What a runbook with mistakes lacks may only be the consequence of them.
    if let Some(runbook) = loaded_runbook.as_ref().filter(|_| !diagnostics.has_errors()) {
        runbook.choose(&choice, &mut diagnostics);
    }
    let limit = limit(input.limit.as_deref(), &mut diagnostics);
    // What an inventory with mistakes does not have may only be the consequence of them.
    if let Some(inventory) = loaded_inventory.as_ref().filter(|_| inventory_is_sound) {
        if let Some(runbook) = &loaded_runbook {
            runbook.check_selection(inventory, &mut diagnostics);
        }
        if let Some(limit) = &limit {
            check_limit(limit, inventory, &mut diagnostics);
        }
    }
    let params = loaded_runbook.as_ref().and_then(|runbook| {
        let param_sources = ParamSources {
            inventory: loaded_inventory.as_ref(),
            files: files.iter().collect(),
            flags: input.params.clone(),
            incomplete: !inventory_is_sound || files.len() < input.params_file.len(),
        };
        resolve_params(runbook, &param_sources, &mut diagnostics)
    });
    // Now every value is known that does not come from a host.
    if let (Some(runbook), Some(inventory), Some(params)) = (&loaded_runbook, &loaded_inventory, &params) {
        let input =
            lint::LintInput { runbook, sources: &sources, params: Some(params), inventory: Some(inventory) };
        lint::check(&input, &mut diagnostics);
    }
    tell.diagnostics(&diagnostics, &sources);
    match (loaded_runbook, loaded_inventory, params) {
        (Some(runbook), Some(inventory), Some(params)) if !diagnostics.has_errors() => {
            Ok(Loaded { sources, runbook, inventory, params, limit, choice })
        }
        _ => Err(AppError::invalid()),
    }
}

/// `--only` and `--skip`, each text as a file of its own, so that a mistake in it has a place.
pub(crate) fn choice(sources: &mut SourceMap, only: &[String], skip: &[String]) -> WrittenChoice {
    let mut written = |flag: &str, texts: &[String]| -> Vec<Spanned<String>> {
        let text = |text: &String| {
            let span = Span::new(sources.add(flag, text.as_str()), 0, text.len());
            Spanned { value: text.clone(), span }
        };
        texts.iter().map(text).collect()
    };
    WrittenChoice { only: written("--only", only), skip: written("--skip", skip) }
}

/// `--limit`, or what is wrong with it.
fn limit(text: Option<&str>, diagnostics: &mut Diagnostics) -> Option<Selector> {
    match Selector::parse(text?) {
        Ok(limit) => Some(limit),
        Err(error) => {
            diagnostics.push(limit_error(error));
            None
        }
    }
}

/// Stops where steps run commands on this machine and nobody allowed it.
pub(crate) fn refuse_commands(
    loaded: &Loaded,
    input: &RunbookInput,
    tell: &dyn Tell,
) -> Result<(), AppError> {
    let mut diagnostics = Diagnostics::default();
    if !input.allow_commands {
        loaded.runbook.refuse_controller_commands(&mut diagnostics);
    }
    tell.diagnostics(&diagnostics, &loaded.sources);
    if diagnostics.has_errors() { Err(AppError::invalid()) } else { Ok(()) }
}

/// Reads an inventory alone, or shows what is wrong with it.
pub(crate) fn load_inventory(path: &Utf8Path, tell: &dyn Tell) -> Result<Inventory, AppError> {
    inventory_with(path, tell, |_, _| {})
}

/// The same, and refuses what other commands leave to the machines to say.
pub(crate) fn check_inventory(path: &Utf8Path, tell: &dyn Tell) -> Result<Inventory, AppError> {
    inventory_with(path, tell, |inventory, diagnostics| {
        refuse_doubtful(inventory.hosts.values(), diagnostics);
    })
}

fn inventory_with(
    path: &Utf8Path,
    tell: &dyn Tell,
    check: impl FnOnce(&Inventory, &mut Diagnostics),
) -> Result<Inventory, AppError> {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let inventory = read_inventory(&mut sources, path, &mut diagnostics)?;
    if let Some(inventory) = &inventory {
        check(inventory, &mut diagnostics);
    }
    tell.diagnostics(&diagnostics, &sources);
    inventory.filter(|_| !diagnostics.has_errors()).ok_or_else(AppError::invalid)
}

/// A selector from the command line, or what is wrong with it.
pub(crate) fn selector(text: &str, what: &str) -> Result<Selector, AppError> {
    Selector::parse(text).map_err(|error| wrong_selector(what, &error))
}

/// The hosts that a selector from the command line names, or everything that is wrong with it.
pub(crate) fn selected(text: &str, what: &str, inventory: &Inventory) -> Result<Vec<HostName>, AppError> {
    let parsed = selector(text, what)?;
    let mistakes = parsed.mistakes(inventory);
    let problem = |error: SelectorError| (format!("{what}: {error}"), error.hint.unwrap_or_default());
    AppError::all(ExitKind::Invalid, mistakes.into_iter().map(problem))?;
    Ok(parsed.select(inventory).expect("invariant: a selector without mistakes selects"))
}

/// What is wrong with a selector from the command line.
pub(crate) fn wrong_selector(what: &str, error: &SelectorError) -> AppError {
    AppError::new(ExitKind::Invalid, format!("{what}: {error}"))
        .hint(error.hint.as_deref().unwrap_or_default())
}

/// A runbook as far as it can be read: where there are errors, good only to look for more of them.
pub(crate) fn read_leniently(
    sources: &mut SourceMap,
    path: &Utf8Path,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Runbook>, AppError> {
    let Some(file) = read_file(sources, path, diagnostics)? else { return Ok(None) };
    let root = directory_of(path).to_owned();
    Ok(crate::runbook::parse_leniently(sources, file, &Below { root }, diagnostics))
}

pub(crate) fn read_inventory(
    sources: &mut SourceMap,
    path: &Utf8Path,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Inventory>, AppError> {
    let tree = read_tree(sources, path, diagnostics)?;
    Ok(tree.and_then(|(_, tree)| crate::inventory::parse(&tree, diagnostics)))
}

pub(crate) fn read_tree(
    sources: &mut SourceMap,
    path: &Utf8Path,
    diagnostics: &mut Diagnostics,
) -> Result<Option<(FileId, Node)>, AppError> {
    let Some(file) = read_file(sources, path, diagnostics)? else { return Ok(None) };
    Ok(parse(sources, file, Limits::default(), diagnostics).map(|tree| (file, tree)))
}

/// A file's text as a source. A file that cannot be read is the controller's trouble; one that is no text is the
/// file's.
fn read_file(
    sources: &mut SourceMap,
    path: &Utf8Path,
    diagnostics: &mut Diagnostics,
) -> Result<Option<FileId>, AppError> {
    let bytes = bytes_of(path)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(sources.add(path, text))),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let byte = error.as_bytes()[at];
            let file = sources.add(path, String::from_utf8_lossy(error.as_bytes()));
            let message = format!("the byte 0x{byte:02x} is no UTF-8");
            diagnostics
                .error(codes::NOT_UTF8, Span::new(file, at, at + 1), message)
                .hint("save the file as UTF-8");
            Ok(None)
        }
    }
}

/// Files that people write are small. What is larger is an image or a log whose name was given by mistake.
const LARGEST: u64 = 32 << 20;

/// The bytes of a file that somebody names: a file, or a pipe that somebody writes to, as in `<(generate)`.
///
/// What comes from a pipe comes once, and some verbs look at a file twice, so it is kept.
pub(crate) fn bytes_of(path: &Utf8Path) -> anyhow::Result<Vec<u8>> {
    static FROM_PIPES: Mutex<BTreeMap<Utf8PathBuf, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut kept = FROM_PIPES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bytes) = kept.get(path) {
        return Ok(bytes.clone());
    }
    let is_pipe = is_from_a_pipe(path);
    let real = if path == "-" { Utf8Path::new("/dev/stdin") } else { path };
    let bytes = if is_pipe && real == path && !is_of_this_process(path) {
        from_named_pipe(path)
    } else {
        from_file(real, is_pipe)
    };
    let bytes = bytes.map_err(|reason| anyhow::anyhow!("cannot read {path}: {reason}"))?;
    if is_pipe {
        kept.insert(path.to_owned(), bytes.clone());
    }
    Ok(bytes)
}

fn from_file(path: &Utf8Path, may_be_pipe: bool) -> Result<Vec<u8>, String> {
    let kind = std::fs::metadata(path).map_err(|error| error.to_string())?.file_type();
    if kind.is_dir() {
        return Err("it is a directory".to_owned());
    }
    if !kind.is_file() && !may_be_pipe {
        return Err("it is no regular file".to_owned());
    }
    all_of(File::open(path))
}

fn all_of(file: std::io::Result<File>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = file.and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LARGEST { Err("it is larger than 32 MiB".to_owned()) } else { Ok(bytes) }
}

/// A pipe that has a name, whose writer may begin after us. One that nobody writes to would be waited for forever.
fn from_named_pipe(path: &Utf8Path) -> Result<Vec<u8>, String> {
    const PATIENCE: Duration = Duration::from_secs(1);
    let (sender, opened) = mpsc::channel();
    let name = path.to_owned();
    // It opens once there is a writer.
    std::thread::spawn(move || sender.send(File::open(name)));
    let file = opened.recv_timeout(PATIENCE);
    all_of(file.map_err(|_| "it is a pipe to which nobody writes".to_owned())?)
}

/// Whether a path names a pipe: standard input, what the shell opened for this process, or one with a name.
fn is_from_a_pipe(path: &Utf8Path) -> bool {
    let is_fifo = || std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo());
    path == "-" || is_of_this_process(path) || is_fifo()
}

fn is_of_this_process(path: &Utf8Path) -> bool {
    path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd") || path == "/dev/stdin"
}

/// The directory that paths in a file are relative to: its own; of text that came from nowhere, the working directory.
pub(crate) fn directory_of(path: &Utf8Path) -> &Utf8Path {
    let own = path.parent().filter(|_| path != "-" && !is_of_this_process(path));
    own.filter(|own| !own.as_str().is_empty()).unwrap_or(Utf8Path::new("."))
}

/// Reads included files, which must lie below the runbook's directory, also after symbolic links.
struct Below {
    root: Utf8PathBuf,
}

impl FileReader for Below {
    fn read(&self, from: &Utf8Path, path: &str) -> Result<(Utf8PathBuf, String), String> {
        let (path, bytes) = self.bytes(from, path)?;
        let text = read_utf8(bytes).map_err(|error| format!("{path}: {error}"))?;
        Ok((path, text))
    }

    fn bytes(&self, from: &Utf8Path, path: &str) -> Result<(Utf8PathBuf, Vec<u8>), String> {
        let directory = directory_of(from);
        let wanted = if directory == "." { Utf8PathBuf::from(path) } else { directory.join(path) };
        let real = |path: &Utf8Path| {
            path.canonicalize_utf8().map_err(|error| match path.read_link_utf8() {
                Ok(target) => format!("cannot read {path}, a link to {target}: {error}"),
                Err(_) => format!("cannot read {path}: {error}"),
            })
        };
        let (resolved, root) = (real(&wanted)?, real(&self.root)?);
        if !resolved.starts_with(&root) {
            return Err(format!("{wanted} lies outside {root}, the runbook's directory"));
        }
        let bytes =
            from_file(&resolved, false).map_err(|reason| format!("cannot read {resolved}: {reason}"))?;
        Ok((wanted, bytes))
    }
}

/// Refuses a file of another kind once, not each of its keys.
fn holds_parameters(tree: &Node, diagnostics: &mut Diagnostics) -> bool {
    let NodeKind::Map(entries) = &tree.kind else { return true };
    let find = |key: &str| entries.iter().find(|entry| entry.key.value == key);
    let (Some(version), Some(kind)) = (find("apiVersion"), find("kind")) else { return true };
    let Some(kind) = kind.value.scalar() else { return true };
    let message = format!("this file is no list of parameters but has `kind: {}`", shorten(kind));
    let error = diagnostics.error(PARAM_UNKNOWN, version.key.span, message);
    error.hint("name a file of lines such as `target: 1.31.4` with `--params-file`");
    false
}
