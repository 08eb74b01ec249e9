//! How kubectl is called where no runbook says it: by the command line.

use super::args::KubectlArgs;
use crate::app::kube::KubectlChoice;

impl KubectlArgs {
    /// As use cases take it.
    pub(super) fn request(&self) -> KubectlChoice {
        let Self { via, kubeconfig, context } = self;
        KubectlChoice { via: via.clone(), kubeconfig: kubeconfig.clone(), context: context.clone() }
    }

    /// What was given, as it is typed.
    pub(super) fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let flags = [("--via", &self.via), ("--kubeconfig", &self.kubeconfig), ("--context", &self.context)];
        flags.into_iter().filter_map(|(flag, value)| Some((flag, value.as_deref()?)))
    }
}
