//! `apt-mark`: holds.

use super::super::command::Invocation;
use super::super::process::{Output, ProcessStep};
use super::super::world::World;
use super::not_played;

/// `apt-mark hold|unhold|showhold PACKAGE…`.
pub(in super::super) fn mark(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    let operands = command.operands(&["-o"]);
    let Some((verb, names)) = operands.split_first() else { return ProcessStep::Exit(100) };
    let assumes = world.assumed.is_on;
    let packages = &mut world.hosts[command.host].packages;
    match *verb {
        "showhold" => {
            let wanted = |held: &&str| names.is_empty() || names.contains(held);
            packages.held().filter(wanted).for_each(|held| out.line(held));
            return ProcessStep::Exit(0);
        }
        "hold" | "unhold" => {}
        "showauto" | "showmanual" => return ProcessStep::Exit(0),
        other => {
            let known = ["auto", "manual", "minimize-manual", "showinstall", "showremove"];
            return not_played(world, command, other, &known, out);
        }
    }
    let mut found = false;
    for name in names {
        if packages.installed(name).is_some() {
            found = true;
        } else if assumes && packages.is_unheard(name) {
            found = true;
            out.assume(format!("package {name} is installed"));
        } else {
            out.complain(format!("E: Unable to locate package {name}"));
        }
    }
    if !found {
        out.complain("E: No packages found");
        return ProcessStep::Exit(100);
    }
    if !command.root {
        out.complain("dpkg: error: requested operation requires superuser privilege");
        out.complain("E: Executing dpkg failed. Are you root?");
        return ProcessStep::Exit(100);
    }
    for name in names {
        let text = match *verb {
            "hold" if packages.hold(name) => format!("{name} set on hold."),
            "hold" => format!("{name} was already set on hold."),
            _ if packages.unhold(name) => format!("Canceled hold on {name}."),
            _ => format!("{name} was already not on hold."),
        };
        out.line(text);
    }
    ProcessStep::Exit(0)
}
