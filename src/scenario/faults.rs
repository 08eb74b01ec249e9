//! What can go wrong in a rehearsal. One declaration of each fault gives its variant, its word, its reader, its part of the
//! reference page and of the schema.

use std::sync::LazyLock;

use super::Raw;
use crate::source::{Diagnostics, FromNode, MapReader, Node, words, written};
use crate::value::{Duration, Field, Type};

/// A fault as people write it.
#[derive(Clone, Debug)]
pub struct FaultInfo {
    /// Its word.
    pub word: &'static str,
    /// What happens, in a sentence.
    pub doc: &'static str,
    /// Its own fields.
    pub fields: Vec<Field>,
    /// Whom it befalls.
    pub on: FaultTarget,
}

/// Whom a fault befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultTarget {
    /// Hosts, whenever it is.
    Hosts,
    /// A step of hosts.
    Step,
    /// The controller, once the run has begun.
    Controller,
}

/// Declares [`FaultKind`] and [`FAULTS`]: whom a fault befalls, its variant, its word, and its keys as in [`written!`].
macro_rules! faults {
    ($(
        $(#[doc = $doc:literal])+
        $on:ident $name:ident $word:literal $({
            $(
                $(#[doc = $key_doc:literal])+
                $key:ident $(($written:literal))? : $ty:ty $(as ($as:expr))? $(where ($by:expr))? $(= $default:expr)?
            ),+ $(,)?
        })?
    )+) => {
        /// What goes wrong.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum FaultKind {
            $($(#[doc = $doc])+ $name $({ $($(#[doc = $key_doc])+ $key: $ty),+ })?),+
        }

        /// Faults by their words.
        pub static FAULTS: LazyLock<Vec<FaultInfo>> = LazyLock::new(|| vec![$(FaultInfo {
            word: $word,
            doc: concat!($($doc),+).trim_ascii_start(),
            fields: vec![$($(Field {
                name: written!(@name $key $($written)?),
                ty: written!(@ty $ty $(, $as)?),
                required: written!(@required $ty $(, $default)?),
                default: written!(@default $ty $(, $default)?),
                doc: concat!($($key_doc),+).trim_ascii_start(),
            }),+)?],
            on: FaultTarget::$on,
        }),+]);

        impl FaultKind {
            /// The word for it.
            pub fn word(&self) -> &'static str {
                match self { $(Self::$name { .. } => $word),+ }
            }

            /// Reads the keys of the fault that has this word.
            pub(super) fn read(
                word: &str,
                reader: &mut MapReader<'_>,
                errors: &mut Diagnostics,
            ) -> Option<Self> {
                match word {
                    $($word => {
                        $($(
                            let required = written!(@required $ty $(, $default)?);
                            let name = written!(@name $key $($written)?);
                            let what = concat!("a fault `", $word, "`");
                            let entry =
                                if required { reader.require(name, what, errors) } else { reader.take(name) };
                            let $key = entry.and_then(|entry| {
                                let ty = written!(@ty $ty $(, $as)?);
                                written!(@read $ty, entry, ty, errors $(, $by)?)
                            });
                            let $key = $key.or_else(|| written!(@absent $ty $(, $default)?));
                        )+)?
                        Some(Self::$name $({ $($key: $key?),+ })?)
                    })+
                    _ => None,
                }
            }
        }
    };
}

faults! {
    /// The step's commands do nothing and never end; their time limit ends them.
    Step NeverFinishes "never_finishes"
    /// The step's commands do nothing and fail after a second.
    Step Fails "fails" {
        /// Their exit code.
        exit: u8 as (whole(1, 255, "an exit code from 1 to 255")) = 1,
        /// What they say on standard error.
        stderr: Option<Raw>,
        /// How many of them, from the first one on.
        times: u32 as (whole(1, 1000, "a number from 1 to 1000")) = 1,
    }
    /// A pod stands on the node whose PodDisruptionBudget never lets it go.
    Hosts BudgetBlocks "budget_blocks"
    /// A pod stands on the node that never ends once it is evicted.
    Hosts PodStuck "pod_stuck"
    /// A pod stands on the node that no controller would replace.
    Hosts BarePod "bare_pod"
    /// The connection is lost, and none can be made; what runs on the host goes on.
    Hosts LinkLost "link_lost" {
        /// How long it lasts; for ever where it is left out.
        lasting ("for"): Option<Duration>,
    }
    /// The machine loses its power in the middle of whatever it does. It boots when the power is back.
    Hosts PowerLost "power_lost" {
        /// How long it lasts; for ever where it is left out.
        lasting ("for"): Option<Duration>,
    }
    /// Package repositories do not answer the host.
    Hosts MirrorDies "mirror_dies" {
        /// How long it lasts; for ever where it is left out.
        lasting ("for"): Option<Duration>,
    }
    /// The host's repositories lack versions of a package.
    Hosts PackageMissing "package_missing" {
        /// The package.
        package: Raw,
        /// Beginning of the versions that are missing; all where it is left out.
        version: Raw = Raw::default(),
    }
    /// Somebody else holds a lock of the package tools.
    Hosts LockHeld "lock_held" {
        /// dpkg's lock, for which apt waits, or that of apt's lists, for which it does not.
        lock: HeldLock = HeldLock::Dpkg,
        /// Who holds it, as apt names it.
        by: Raw = Raw::from("process 4321 (unattended-upgr)"),
        /// How long it lasts; for ever where it is left out.
        lasting ("for"): Option<Duration>,
    }
    /// Somebody has asked logind to be told of a shutdown.
    Hosts ShutdownInhibited "shutdown_inhibited" {
        /// Who.
        by: Raw = Raw::from("backup"),
        /// Whether it blocks the shutdown or delays it for some seconds.
        mode: InhibitorMode = InhibitorMode::Block,
        /// How long it lasts; for ever where it is left out.
        lasting ("for"): Option<Duration>,
    }
    /// The kubelet dies whenever it is started; one that runs goes on.
    Hosts KubeletDoesNotStart "kubelet_does_not_start"
    /// A component of the control plane crashes again and again once kubeadm has replaced it and said SUCCESS.
    Hosts CrashLoop "crash_loop" {
        /// Which.
        component: Component = Component::Scheduler,
    }
    /// The control plane's API server has only just started: it forbids everything until it has read its rules.
    /// With other control planes whose API server answers, nobody notices.
    Hosts ApiServerStarts "api_server_starts" {
        /// How long it lasts; for ever where it is left out.
        lasting ("for"): Option<Duration>,
    }
    /// Somebody else cordons the node.
    Hosts NodeCordoned "node_cordoned" {
        /// How long it lasts; for ever where it is left out.
        lasting ("for"): Option<Duration>,
    }
    /// Somebody else uncordons the node, as `kubectl uncordon` does, regardless of who cordoned it: pods may come back.
    Hosts NodeUncordoned "node_uncordoned"
    /// Somebody deletes the node, as `kubectl delete node` does; the machine goes on. Once its kubelet is restarted,
    /// by whatever or when the time is over, the node is back under its name, with another UID, and takes pods.
    Hosts NodeDeleted "node_deleted" {
        /// How long it lasts; for ever where it is left out.
        lasting ("for"): Option<Duration>,
    }
    /// The node's kubelet dies, and cannot be started.
    Hosts NodeNotReady "node_not_ready" {
        /// How long it lasts; for ever where it is left out.
        lasting ("for"): Option<Duration>,
    }
    /// The machine's clock jumps; what it dated before keeps its date.
    Hosts ClockJumps "clock_jumps" {
        /// By how much: `1h`, or `-1h` for backwards.
        by: ClockJump,
    }
    /// Swap is on, with which a kubelet does not start.
    Hosts SwapOn "swap_on"
    /// The machine says that it wants a reboot.
    Hosts RebootRequired "reboot_required"
    /// Its packages of the distribution are as new as the repository has them. Other simulated machines have
    /// pending updates, a kernel among them, after which they want a reboot.
    Hosts UpToDate "up_to_date"
    /// Rollbook itself is killed, as by `kill -9`.
    Controller ControllerKilled "controller_killed" {
        /// `resume`: another one goes on with the run at once, in the same rehearsal. `leave`: the rehearsal ends there with exit code 137, and `rollbook resume` goes on with it.
        then: AfterKill = AfterKill::Resume,
    }
    /// Somebody asks the run to stop. A second such fault asks it to stop at once.
    Controller Stopped "stopped" {
        /// How.
        by: StopSignal = StopSignal::CtrlC,
    }
    /// The next time that the run waits for a person, at a gate or a pause, the answer is no. Without it, a rehearsal approves everything at once.
    Controller ApprovalRefused "approval_refused"
}

/// A lock of the package tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldLock {
    /// dpkg's, for which apt waits.
    Dpkg,
    /// That of apt's lists, for which it does not.
    Lists,
}
words!(HeldLock { "dpkg" => Dpkg, "lists" => Lists });

/// What an inhibitor does to a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InhibitorMode {
    /// It does not come about.
    Block,
    /// It comes some seconds later.
    Delay,
}
words!(InhibitorMode { "block" => Block, "delay" => Delay });

/// A component of a control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// etcd.
    Etcd,
    /// The API server.
    ApiServer,
    /// The controllers.
    ControllerManager,
    /// The scheduler.
    Scheduler,
}
words!(Component {
    "etcd" => Etcd,
    "kube-apiserver" => ApiServer,
    "kube-controller-manager" => ControllerManager,
    "kube-scheduler" => Scheduler,
});

impl Component {
    /// Its name.
    pub fn name(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, component)| *component == self);
        found.map_or("", |(name, _)| name)
    }
}

/// What comes after a controller that was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterKill {
    /// Another one goes on at once.
    Resume,
    /// The rehearsal ends.
    Leave,
}
words!(AfterKill { "resume" => Resume, "leave" => Leave });

/// How a run is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// Ctrl-C.
    CtrlC,
    /// SIGTERM.
    Sigterm,
}
words!(StopSignal { "ctrl_c" => CtrlC, "sigterm" => Sigterm });

fn whole(least: i64, most: i64, called: &'static str) -> Type {
    Type::Whole { least, most: Some(most) }.called(called)
}

/// By how much a clock jumps, in milliseconds: `1h`, `-90s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockJump(pub i64);

impl FromNode for ClockJump {
    fn ty() -> Type {
        Type::Str.called("a jump such as 1h or -1h")
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        node.parsed(&ty.expected(), errors, jump).map(Self)
    }
}

fn jump(text: &str) -> Option<i64> {
    let (sign, length) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let millis = i64::try_from(Duration::parse(length)?.as_millis()).ok()?;
    (millis != 0).then_some(sign * millis)
}
