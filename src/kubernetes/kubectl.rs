//! How kubectl is called.

use serde::{Deserialize, Serialize};

use crate::value::Duration;

/// How kubectl is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubeCx {
    /// Path of the kubeconfig where kubectl runs; empty for kubectl's own default.
    pub kubeconfig: String,
    /// Context; empty for the current one.
    pub context: String,
    /// `--request-timeout` of every call.
    pub request_timeout: Duration,
    /// Whether kubectl needs root to read the kubeconfig.
    pub r#become: bool,
}

impl KubeCx {
    /// `kubectl` with its global flags, to which the verb is appended.
    pub fn argv(&self) -> Vec<String> {
        let mut argv = vec!["kubectl".to_owned()];
        if !self.kubeconfig.is_empty() {
            argv.push(format!("--kubeconfig={}", self.kubeconfig));
        }
        if !self.context.is_empty() {
            argv.push(format!("--context={}", self.context));
        }
        argv.push(format!("--request-timeout={}s", self.request_timeout.as_secs().max(1)));
        argv
    }
}
