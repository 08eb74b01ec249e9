//! The cases, in the order in which they begin: the longest first, as several run side by side. Each brings up a lab of its
//! own and takes it down.

mod audit;
mod budget;
mod crash;
mod durable;
mod etcd;
mod etcd_hosts;
mod failures;
mod full_disk;
mod idle;
mod inhibited;
mod instance;
mod killed;
mod launcher;
mod lies;
mod lost;
mod patched;
mod plan;
mod prints;
mod refusals;
mod replaced;
mod rollbook;
mod shapes;
mod starting;
mod uncordoned;
mod upgrade;
mod watch;

use crate::lab::Stage;

/// With one control plane the API is away while it is upgraded.
const ACCEPT: &[&str] = &["--accept-control-plane-outage"];

/// Which cases are run, and how far they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// What every change must pass.
    Core,
    /// Before a release.
    Full,
}

/// One case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// From which on it is run.
    pub(crate) level: Level,
    /// What holds when it passes.
    pub(crate) says: &'static str,
    pub(crate) run: fn(&Stage, Level),
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "upgrade",
        level: Level::Core,
        says: "3 control planes and 2 workers go from one minor to the next within their budget, and a second run does nothing",
        run: upgrade::one_minor_after_the_other,
    },
    Case {
        name: "failures",
        level: Level::Core,
        says: "a blocked drain, a kubelet that does not start and a power cut stop the roll; a later run finishes it",
        run: failures::stop_and_finish,
    },
    Case {
        name: "refusals",
        level: Level::Core,
        says: "what must not start is refused before anything changes",
        run: refusals::nothing_changes,
    },
    Case {
        name: "budget",
        level: Level::Full,
        says: "nodes that others took out count against the budget, and stay as they are",
        run: budget::others_spend_the_budget,
    },
    Case {
        name: "lies",
        level: Level::Full,
        says: "tools that lie or ask are found out before the next drain: kubeadm, a dead mirror, locks, foreign holds, conffiles",
        run: lies::are_found_out,
    },
    Case {
        name: "crash",
        level: Level::Full,
        says: "a scheduler that crashes after kubeadm's SUCCESS stops the roll at the first control plane",
        run: crash::a_scheduler_crashes_after_success,
    },
    Case {
        name: "planes",
        level: Level::Full,
        says: "a cluster of three control planes and no worker is upgraded",
        run: shapes::control_planes_only,
    },
    Case {
        name: "batches",
        level: Level::Full,
        says: "four workers go in batches of one, of half, and the rest, though the repository dies in the second",
        run: shapes::batches_of_one_and_half,
    },
    Case {
        name: "plan",
        level: Level::Full,
        says: "a plan writes nothing, and one control plane and one worker are upgraded just as it shows",
        run: plan::shows_what_its_run_does,
    },
    Case {
        name: "lost",
        level: Level::Full,
        says: "power, controller and record are lost between apt's end and the kubelet's restart; a new run does the rest",
        run: lost::a_new_run_finishes_what_is_left,
    },
    Case {
        name: "absent",
        level: Level::Full,
        says: "the API of a single control plane is away for longer than the lock of the cluster lives",
        run: lost::a_lock_outlives_the_api,
    },
    Case {
        name: "launcher",
        level: Level::Full,
        says: "an op is a unit: deaf processes end with it, a lost link is taken up again, a power cut leaves a doubt",
        run: launcher::runs_as_a_unit,
    },
    Case {
        name: "killed",
        level: Level::Full,
        says: "a controller killed in a minute of apt-get goes on, apt-get ran once; a secret stands nowhere on the host",
        run: killed::a_controller_in_the_middle,
    },
    Case {
        name: "uncordoned",
        level: Level::Full,
        says: "a node that somebody uncordons between its drain and its reboot is drained again, also after both ways out were followed",
        run: uncordoned::a_node_is_drained_again,
    },
    Case {
        name: "replaced",
        level: Level::Full,
        says: "a saved plan is not rolled where a worker's node was deleted since, nor where another one has its name; a new plan is",
        run: replaced::a_plan_is_for_the_nodes_that_it_saw,
    },
    Case {
        name: "starting",
        level: Level::Full,
        says: "an API server that starts, and forbids everything meanwhile, is waited for: reboots, waits and a resumed run",
        run: starting::a_forbidden_api_is_waited_for,
    },
    Case {
        name: "patched",
        level: Level::Full,
        says: "the operating system is patched, planned with old package lists: nothing runs that was not announced",
        run: patched::as_announced_with_old_lists,
    },
    Case {
        name: "full-disk",
        level: Level::Full,
        says: "hosts only: apt on a disk that fills up fails with words about the disk, and goes on with room again",
        run: full_disk::is_what_a_person_reads,
    },
    Case {
        name: "idle",
        level: Level::Full,
        says: "hosts only: what a run gave a host that was idle for longer than ssh keeps a connection is gone when it ends",
        run: idle::nothing_stays_on_an_idle_host,
    },
    Case {
        name: "instance",
        level: Level::Full,
        says: "a host's own kubelet configuration differs from the cluster's by design: a second run does nothing",
        run: instance::a_second_run_does_nothing,
    },
    Case {
        name: "etcd-hosts",
        level: Level::Full,
        says: "hosts only: members of an etcd on hosts of its own reboot one at a time, and none while another is down",
        run: etcd_hosts::members_go_one_at_a_time,
    },
    Case {
        name: "inhibited",
        level: Level::Full,
        says: "hosts only: a reboot waits for what blocks a shutdown by logind's word and for apt's locks, and no longer than it may",
        run: inhibited::a_reboot_waits,
    },
    Case {
        name: "durable",
        level: Level::Full,
        says: "what controller and launcher had written when an op began outlives a power cut",
        run: durable::what_is_written_is_there,
    },
];
