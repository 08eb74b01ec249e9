//! What may be written in a scenario: the tables from which the reference page is made, and a schema can be.

use std::sync::LazyLock;

use super::parse::{Command, ExpectedNode, ExpectedStep, File, Metadata, Package, Port};
use crate::source::FromNode;
use crate::value::{Field, Type};

fn words(words: &[&str]) -> Type {
    Type::Enum(words.iter().map(|word| (*word).to_owned()).collect())
}

/// Top of the file.
pub static TOP: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let list = || Type::List(Box::new(Type::Map(Box::new(Type::Any))));
    vec![
        Field::required("apiVersion", words(&["rollbook/v1"]), "The format."),
        Field::required("kind", words(&["Scenario"]), "What the file is."),
        Field::required("metadata", Metadata::ty(), "`name`, and a `description`."),
        Field::optional(
            "runbook",
            Type::Str,
            "The runbook, relative to the scenario's directory; one on the command line is stronger.",
        ),
        Field::optional("inventory", Type::Str, "The inventory, in the same form; `-i` overrides it."),
        Field::optional(
            "params",
            Type::Map(Box::new(Type::Any)),
            "Values for the runbook's parameters; `--params-file` and `-p` are stronger.",
        ),
        Field::optional("limit", Type::Str, "As `--limit`, which is stronger."),
        Field::optional(
            "only",
            Type::List(Box::new(Type::Str)),
            "As `--only`: tags, ids of steps or includes, names of phases. `--only` and `--skip` are stronger than both.",
        ),
        Field::optional("skip", Type::List(Box::new(Type::Str)), "As `--skip`."),
        Field::optional("seed", Type::Int, "As `--seed`, which is stronger; 1 where neither is given."),
        Field::optional("kubernetes", Type::Version, "As `--kubernetes`, which is stronger."),
        Field::optional("faults", list(), "What goes wrong; see below."),
        Field::optional("commands", Command::ty().listed(), "How commands of the runbook answer; see below."),
        Field::optional(
            "packages",
            Package::ty().listed(),
            "Packages that the simulation does not know, by repository; see below.",
        ),
        Field::optional("files", File::ty().listed(), "Files that are there from the beginning; see below."),
        Field::optional("ports", Port::ty().listed(), "Ports that are open from the beginning; see below."),
        Field::optional(
            "expect",
            Type::Map(Box::new(Type::Any)),
            "What must come of it; see below. `rehearse --check` needs it.",
        ),
    ]
});

/// Fields of every fault.
pub static COMMON: LazyLock<Vec<Field>> = LazyLock::new(|| {
    vec![
        Field::required("fault", Type::Str, "What goes wrong: one of the words below."),
        Field::optional(
            "host",
            Type::Str,
            "A selector of the inventory: the hosts it affects. Faults of the controller need none.",
        ),
        Field::optional(
            "step",
            Type::Str,
            "It strikes when this step begins on the host, once on each: a step's kind, id or name.",
        ),
        Field::optional("phase", Type::Str, "Only steps of this phase; with `step`."),
        Field::optional(
            "after_event",
            Type::Int,
            "It strikes when the journal holds this many events; with 0, between the plan and the run.",
        ),
        Field::optional(
            "after",
            Type::Duration,
            "It strikes so long after the step began, after the event, or, with neither, after the run began.",
        ),
    ]
});

/// `expect`.
pub static EXPECT: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let steps = || ExpectedStep::ty().listed();
    vec![
        Field::optional("exit", Type::Int, "The exit code."),
        Field::optional(
            "stopped_by",
            Type::Str,
            "Text in the summary's `stopped_by`; `none` where the run must go to its end.",
        ),
        Field::optional(
            "hosts",
            Type::Map(Box::new(words(&super::expect::HostEnd::WORDS))),
            "How hosts end, by selector: the gravest end of each in any phase.",
        ),
        Field::optional(
            "left",
            Type::Str,
            "A selector: exactly these hosts are left out of service or half-changed. `none` for no host.",
        ),
        Field::optional("ran", steps(), "Steps that must have run."),
        Field::optional("did_not_run", steps(), "Steps that must not have run."),
        Field::optional(
            "slots",
            Type::Int,
            "So many hosts at most hold a slot of the budget at the same time.",
        ),
        Field::optional("says", Type::List(Box::new(Type::Str)), "Texts that people must be told."),
        Field::optional("nodes", ExpectedNode::ty().mapped(), "How nodes stand at the end, by selector."),
    ]
});
