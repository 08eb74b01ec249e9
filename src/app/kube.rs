//! How kubectl is called where no runbook says it.

use super::AppError;
use super::load::{selector, wrong_selector};
use crate::inventory::{HostName, Inventory};
use crate::kubernetes::KubeCx;
use crate::report::ExitKind;
use crate::value::Duration;

/// The group whose hosts kubectl usually runs on.
pub(crate) const USUAL: &str = "control_plane";

/// Where and how kubectl runs, as far as somebody says it.
#[derive(Clone, Debug, Default)]
pub(crate) struct KubectlChoice {
    /// Hosts of the inventory, `controller` for this machine, `none` for no cluster.
    pub(crate) via: Option<String>,
    /// Its kubeconfig there, if not the usual one.
    pub(crate) kubeconfig: Option<String>,
    /// Its context, if not the current one.
    pub(crate) context: Option<String>,
}

impl KubectlChoice {
    /// Where kubectl runs: as somebody says, else on the control planes where the inventory has them. `none` is no cluster.
    pub(crate) fn place<'a>(&'a self, inventory: &Inventory) -> Option<&'a str> {
        let usual = inventory.groups.contains_key(USUAL).then_some(USUAL);
        self.via.as_deref().or(usual).filter(|via| *via != "none")
    }

    /// The call and the hosts that it may run on; `None` where there is no cluster.
    pub(crate) fn call(&self, inventory: &Inventory) -> Result<Option<(KubeCx, Vec<HostName>)>, AppError> {
        let call =
            KubectlOptions { kubeconfig: self.kubeconfig.as_deref(), context: self.context.as_deref() };
        self.place(inventory).map(|via| call.on(via, inventory)).transpose()
    }
}

/// What is said beside the place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KubectlOptions<'a> {
    pub(crate) kubeconfig: Option<&'a str>,
    pub(crate) context: Option<&'a str>,
}

impl KubectlOptions<'_> {
    /// The call and the hosts that it may run on: those of a selector, or none for `controller`, which is this machine.
    pub(crate) fn on(self, via: &str, inventory: &Inventory) -> Result<(KubeCx, Vec<HostName>), AppError> {
        let on_hosts = via != "controller";
        // Nobody wrote it: what is missing is the group, not what a flag says.
        if via == USUAL && !inventory.groups.contains_key(USUAL) {
            let message = "the inventory has no group `control_plane`, on which kubectl runs where nothing else is said";
            return Err(AppError::new(ExitKind::Invalid, message).hint(
                "name the hosts where kubectl runs: `--via SELECTOR`, or `--via controller` for this machine",
            ));
        }
        let hosts = if on_hosts {
            let parsed = selector(via, "--via")?;
            parsed.select(inventory).map_err(|error| wrong_selector("--via", &error))?
        } else {
            Vec::new()
        };
        if on_hosts && hosts.is_empty() {
            return Err(AppError::new(ExitKind::Invalid, format!("--via: `{via}` has no hosts"))
                .hint("name the control planes: `--via SELECTOR`"));
        }
        let kubeconfig = match self.kubeconfig {
            // Commands of this machine run in no directory of the user's.
            Some(path) if !on_hosts => {
                camino::absolute_utf8(path).map_err(anyhow::Error::from)?.into_string()
            }
            Some(path) => path.to_owned(),
            None if on_hosts => "/etc/kubernetes/admin.conf".to_owned(),
            None => String::new(),
        };
        let cx = KubeCx {
            kubeconfig,
            context: self.context.unwrap_or_default().to_owned(),
            request_timeout: Duration::from_secs(10),
            r#become: on_hosts,
        };
        Ok((cx, hosts))
    }
}
