//! How kubectl is called where no runbook says it: by the command line.

use super::args::KubectlArgs;
use super::load::{selector, wrong_selector};
use crate::app::AppError;
use crate::inventory::{HostName, Inventory};
use crate::report::ExitKind;
use crate::step::KubeCx;
use crate::value::Duration;

/// The group whose hosts kubectl usually runs on.
pub(super) const USUAL: &str = "control_plane";

impl KubectlArgs {
    /// Where kubectl runs: as somebody says, else on the control planes where the inventory has them. `none` is no cluster.
    pub(super) fn place<'a>(&'a self, inventory: &Inventory) -> Option<&'a str> {
        let usual = inventory.groups.contains_key(USUAL).then_some(USUAL);
        self.via.as_deref().or(usual).filter(|via| *via != "none")
    }

    /// The call and the hosts that it may run on; `None` where there is no cluster.
    pub(super) fn call(&self, inventory: &Inventory) -> Result<Option<(KubeCx, Vec<HostName>)>, AppError> {
        let call =
            KubectlOptions { kubeconfig: self.kubeconfig.as_deref(), context: self.context.as_deref() };
        self.place(inventory).map(|via| call.on(via, inventory)).transpose()
    }

    /// What was given, as it is typed.
    pub(super) fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let flags = [("--via", &self.via), ("--kubeconfig", &self.kubeconfig), ("--context", &self.context)];
        flags.into_iter().filter_map(|(flag, value)| Some((flag, value.as_deref()?)))
    }
}

/// What the command line says beside the place.
#[derive(Clone, Copy, Debug)]
pub(super) struct KubectlOptions<'a> {
    pub(super) kubeconfig: Option<&'a str>,
    pub(super) context: Option<&'a str>,
}

/// Where kubectl runs by default.
const CONTROL_PLANE: &str = "control_plane";

impl KubectlOptions<'_> {
    /// The call and the hosts that it may run on: those of a selector, or none for `controller`, which is this machine.
    pub(super) fn on(self, via: &str, inventory: &Inventory) -> Result<(KubeCx, Vec<HostName>), AppError> {
        let on_hosts = via != "controller";
        // Nobody wrote it: what is missing is the group, not what a flag says.
        if via == CONTROL_PLANE && !inventory.groups.contains_key(CONTROL_PLANE) {
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
