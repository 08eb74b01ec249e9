//! What authors of runbooks ask for.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};

use super::{Format, key_value};

#[derive(Debug, Args)]
pub(in crate::cli) struct Validate {
    /// Runbooks or inventories, told apart by `kind:`. A fragment is checked with each runbook that
    /// includes it.
    #[arg(required = true, value_name = "FILE")]
    pub(in crate::cli) files: Vec<Utf8PathBuf>,
    /// Also check selectors and parameters against this inventory.
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) inventory: Option<Utf8PathBuf>,
    /// Also check that `plan` would accept this choice of steps.
    #[arg(long, value_name = "WORDS")]
    pub(in crate::cli) only: Vec<String>,
    /// Likewise.
    #[arg(long, value_name = "WORDS")]
    pub(in crate::cli) skip: Vec<String>,
    /// Warnings count as errors.
    #[arg(long)]
    pub(in crate::cli) strict: bool,
    /// How to print what is found.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Steps {
    /// A step kind, such as `drain`.
    pub(in crate::cli) kind: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Schema {
    /// Of which file.
    #[arg(value_parser = crate::cli::schema::kinds())]
    pub(in crate::cli) kind: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Explain {
    /// A code, such as RB0103, or its name; with --host, a name of the host.
    pub(in crate::cli) code: Option<String>,
    /// Explain what the name means for this host.
    #[arg(long, value_name = "HOST", requires = "code")]
    pub(in crate::cli) host: Option<String>,
    /// The runbook, for parameters, constants and steps.
    #[arg(long, value_name = "FILE", requires = "host")]
    pub(in crate::cli) runbook: Option<Utf8PathBuf>,
    /// The inventory file.
    #[arg(short, long, value_name = "FILE", requires = "host")]
    pub(in crate::cli) inventory: Option<Utf8PathBuf>,
    /// A parameter; may be given several times.
    #[arg(short, long = "param", value_name = "KEY=VALUE", value_parser = key_value, requires = "runbook")]
    pub(in crate::cli) params: Vec<(String, String)>,
    /// A YAML file of parameters; may be given several times.
    #[arg(long, value_name = "FILE", requires = "runbook")]
    pub(in crate::cli) params_file: Vec<Utf8PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// What the runbook is for; asked for on a terminal.
    #[arg(value_enum)]
    pub(in crate::cli) kind: Option<NewKind>,
    /// Name of the runbook and of its file [default: the kind].
    #[arg(long)]
    pub(in crate::cli) name: Option<String>,
    /// Hosts, separated by commas, with ranges such as `w[1:12].example.com`; the workers of a
    /// cluster.
    #[arg(long, value_name = "HOSTS")]
    pub(in crate::cli) hosts: Option<String>,
    /// Control planes of a cluster, in the same form.
    #[arg(long, value_name = "HOSTS")]
    pub(in crate::cli) control_planes: Option<String>,
    /// User to log in as [default: ssh decides].
    #[arg(long)]
    pub(in crate::cli) user: Option<String>,
    /// The unit to restart.
    #[arg(long, value_name = "UNIT")]
    pub(in crate::cli) service: Option<String>,
    /// The Kubernetes version to reach.
    #[arg(long, value_name = "VERSION")]
    pub(in crate::cli) target: Option<String>,
    /// Directory to write to; created if it does not exist.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(in crate::cli) dir: Utf8PathBuf,
    /// Never prompt; implied without a terminal.
    #[arg(long)]
    pub(in crate::cli) no_input: bool,
}

/// What a new runbook is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum NewKind {
    /// Upgrade a kubeadm cluster by one minor version.
    KubeadmUpgrade,
    /// Upgrade the packages of a cluster's hosts, and reboot where that is asked for.
    OsPatch,
    /// The same on machines without Kubernetes.
    OsPatchHosts,
    /// Restart a unit on every host, one host first.
    ServiceRestart,
}

impl NewKind {
    /// Every kind, in the order in which they are offered.
    pub(in crate::cli) const ALL: [Self; 4] =
        [Self::KubeadmUpgrade, Self::OsPatch, Self::OsPatchHosts, Self::ServiceRestart];

    /// As typed.
    pub(in crate::cli) fn word(self) -> &'static str {
        match self {
            Self::KubeadmUpgrade => "kubeadm-upgrade",
            Self::OsPatch => "os-patch",
            Self::OsPatchHosts => "os-patch-hosts",
            Self::ServiceRestart => "service-restart",
        }
    }

    /// In a sentence.
    pub(in crate::cli) fn doc(self) -> &'static str {
        match self {
            Self::KubeadmUpgrade => "upgrade a kubeadm cluster by one minor version",
            Self::OsPatch => "upgrade the packages of a cluster's hosts, and reboot where that is asked for",
            Self::OsPatchHosts => "the same on machines without Kubernetes",
            Self::ServiceRestart => "restart a unit on every host, one host first",
        }
    }

    /// Whether its hosts are the control planes and workers of a cluster.
    pub(in crate::cli) fn is_for_cluster(self) -> bool {
        matches!(self, Self::KubeadmUpgrade | Self::OsPatch)
    }
}
