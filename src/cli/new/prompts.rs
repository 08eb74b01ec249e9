//! What somebody wants of a new runbook: from flags, else asked on a terminal, else the usual.

use std::collections::BTreeSet;

use crate::app::AppError;
use crate::cli::args::{New as Args, NewKind};
use crate::cli::terminal::Terminal;
use crate::inventory::{HostName, expand};
use crate::report::ExitKind;
use crate::value::KubeVersion;

/// What is wanted.
pub(super) struct Wishes {
    pub(super) kind: NewKind,
    pub(super) name: String,
    /// As written, ranges and all.
    pub(super) hosts: Vec<String>,
    /// Of a cluster.
    pub(super) control_planes: Vec<String>,
    /// Empty for ssh's own choice.
    pub(super) user: String,
    pub(super) service: String,
    pub(super) target: String,
    /// Whether nobody named the hosts.
    pub(super) is_example: bool,
}

/// A question with its flag, the answer where none is given, and what an answer must be.
struct Prompt<'a> {
    flag: &'a str,
    given: Option<&'a String>,
    words: &'a str,
    usual: &'a str,
    check: fn(&str) -> Result<(), String>,
}

impl Wishes {
    /// Asks only where somebody is there to answer.
    pub(super) fn ask(args: &Args, terminal: &Terminal) -> Result<Self, AppError> {
        let asks = terminal.is_interactive() && !args.no_input;
        let kind = kind(args.kind, asks, terminal)?;
        let answer = |question: Prompt<'_>| answer(&question, asks, terminal);
        let name = answer(Prompt {
            flag: "--name",
            given: args.name.as_ref(),
            words: "Name of the runbook",
            usual: kind.word(),
            check: is_name,
        })?;
        let in_cluster = kind.is_for_cluster();
        refuse_strangers(args, kind)?;
        let control_planes = if in_cluster {
            answer(Prompt {
                flag: "--control-planes",
                given: args.control_planes.as_ref(),
                words: "Control planes, separated by commas",
                usual: "cp[1:3].example.com",
                check: are_hosts,
            })?
        } else {
            String::new()
        };
        let hosts = answer(Prompt {
            flag: "--hosts",
            given: args.hosts.as_ref(),
            words: if in_cluster { "Workers, separated by commas" } else { "Hosts, separated by commas" },
            usual: if in_cluster { "w[1:4].example.com" } else { "host[1:4].example.com" },
            check: are_hosts,
        })?;
        let user = answer(Prompt {
            flag: "--user",
            given: args.user.as_ref(),
            words: "Who logs in; nothing for ssh's own choice",
            usual: "",
            check: is_user,
        })?;
        let mut answers = Self {
            kind,
            name,
            is_example: hosts.contains(".example.com"),
            hosts: parts(&hosts),
            control_planes: parts(&control_planes),
            user,
            service: String::new(),
            target: String::new(),
        };
        match kind {
            NewKind::KubeadmUpgrade => {
                answers.target = answer(Prompt {
                    flag: "--target",
                    given: args.target.as_ref(),
                    words: "Kubernetes version to reach",
                    usual: "1.31.4",
                    check: is_version,
                })?;
            }
            NewKind::OsPatch | NewKind::OsPatchHosts => {}
            NewKind::ServiceRestart => {
                answers.service = answer(Prompt {
                    flag: "--service",
                    given: args.service.as_ref(),
                    words: "Unit to restart",
                    usual: "nginx.service",
                    check: is_unit,
                })?;
            }
        }
        answers.refuse_twins()?;
        Ok(answers)
    }

    fn refuse_twins(&self) -> Result<(), AppError> {
        let mut seen = BTreeSet::new();
        let written = self.control_planes.iter().chain(&self.hosts);
        for host in written.flat_map(|part| expand(part).unwrap_or_default()) {
            if !seen.insert(host.clone()) {
                return Err(AppError::new(ExitKind::Usage, format!("`{host}` is named twice")));
            }
        }
        Ok(())
    }
}

/// A flag that means nothing for a kind would be silently ignored.
fn refuse_strangers(args: &Args, kind: NewKind) -> Result<(), AppError> {
    for (flag, is_given, fits) in [
        ("--control-planes", args.control_planes.is_some(), kind.is_for_cluster()),
        ("--target", args.target.is_some(), kind == NewKind::KubeadmUpgrade),
        ("--service", args.service.is_some(), kind == NewKind::ServiceRestart),
    ] {
        if is_given && !fits {
            return Err(AppError::new(
                ExitKind::Usage,
                format!("{flag} has no meaning for `{}`", kind.word()),
            ));
        }
    }
    Ok(())
}

fn kind(given: Option<NewKind>, asks: bool, terminal: &Terminal) -> Result<NewKind, AppError> {
    if let Some(kind) = given {
        return Ok(kind);
    }
    let words = NewKind::ALL.map(NewKind::word);
    if !asks {
        return Err(AppError::new(ExitKind::Usage, "nobody is there to ask what the runbook is for")
            .hint(format!("name one of {}", words.map(|word| format!("`{word}`")).join(", "))));
    }
    for (number, kind) in (1..).zip(NewKind::ALL) {
        terminal.say(&format!("  {number}  {:16} {}", kind.word(), kind.doc()));
    }
    loop {
        let Some(answer) = terminal.ask("What is it for?", "1") else { return Err(left()) };
        let by_number =
            answer.parse::<usize>().ok().and_then(|number| NewKind::ALL.get(number.wrapping_sub(1)));
        match by_number.or_else(|| NewKind::ALL.iter().find(|kind| kind.word() == answer)) {
            Some(kind) => return Ok(*kind),
            None => terminal.say("write its number or its word"),
        }
    }
}

/// A wrong flag ends it; a wrong answer is asked for again.
fn answer(question: &Prompt<'_>, asks: bool, terminal: &Terminal) -> Result<String, AppError> {
    if let Some(given) = question.given {
        return match (question.check)(given) {
            Ok(()) => Ok(given.clone()),
            Err(reason) => Err(AppError::new(ExitKind::Usage, format!("{}: {reason}", question.flag))),
        };
    }
    if !asks {
        return Ok(question.usual.to_owned());
    }
    loop {
        let Some(answer) = terminal.ask(question.words, question.usual) else { return Err(left()) };
        match (question.check)(&answer) {
            Ok(()) => return Ok(answer),
            Err(reason) => terminal.say(&reason),
        }
    }
}

/// Whoever asked has gone.
fn left() -> AppError {
    AppError::told(ExitKind::Usage)
}

fn parts(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn is_name(text: &str) -> Result<(), String> {
    let clean = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
    if begins && text.len() <= 60 && text.chars().all(clean) && !["inventory", "check"].contains(&text) {
        return Ok(());
    }
    Err("a name is made of small letters, digits and hyphens, such as `edge-restart`".to_owned())
}

fn are_hosts(text: &str) -> Result<(), String> {
    let parts = parts(text);
    if parts.is_empty() {
        return Err("name at least one host".to_owned());
    }
    for part in &parts {
        let names = expand(part).map_err(|(_, message)| format!("`{part}`: {message}"))?;
        for name in names {
            HostName::parse(&name).map_err(|message| format!("`{name}` is no host name: {message}"))?;
        }
    }
    Ok(())
}

fn is_user(text: &str) -> Result<(), String> {
    let clean = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !text.starts_with('-') && text.chars().all(clean) {
        return Ok(());
    }
    Err("a user name is made of letters, digits, `.`, `_` and `-`".to_owned())
}

fn is_unit(text: &str) -> Result<(), String> {
    let clean = |c: char| c.is_ascii_alphanumeric() || "._-@:\\".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(clean) {
        return Ok(());
    }
    Err("a unit is named like `nginx.service`".to_owned())
}

fn is_version(text: &str) -> Result<(), String> {
    let wrong = |_| "write a version with its patch, such as 1.31.4".to_owned();
    KubeVersion::parse(text).map(|_| ()).map_err(wrong)
}
