//! What kubectl says to a roll, at each place where it may run.

use super::HostFinding;
use crate::facts::{Access, FactsError};

/// Of what was answered, or why nothing was.
pub(super) fn of_access(access: &Result<Access, FactsError>) -> Vec<HostFinding> {
    let access = match access {
        Ok(access) => access,
        Err(error) => return vec![HostFinding::Problem(error.to_string())],
    };
    let mut findings = Vec::new();
    if !access.denied.is_empty() {
        let text = format!("kubectl may not do what a roll needs: {}", access.denied.join(", "));
        findings.push(HostFinding::Problem(text));
    }
    if let Some(apart) = access.minors_apart().filter(|apart| *apart > 1) {
        findings.push(HostFinding::Note(format!(
            "kubectl {} is {apart} minors away from the API server's {}; one is supported",
            access.client, access.server
        )));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_a_problem_and_an_old_kubectl_is_a_note() {
        let access = |client: &str, denied: &[&str]| {
            Ok(Access {
                client: client.to_owned(),
                server: "v1.31.4".to_owned(),
                denied: denied.iter().map(|need| (*need).to_owned()).collect(),
            })
        };
        assert_eq!(of_access(&access("v1.30.0", &[])), []);
        assert!(
            matches!(of_access(&access("v1.29.0", &[])).as_slice(), [HostFinding::Note(text)] if text.contains("2 minors"))
        );
        let denied = of_access(&access("v1.31.0", &["patch nodes"]));
        assert!(matches!(denied.as_slice(), [HostFinding::Problem(text)] if text.ends_with("patch nodes")));
    }
}
