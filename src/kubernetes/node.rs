//! Nodes: the one template that reads them, and what a row says.

use super::rows::{RowError, pairs, plain, rows, unquote};

/// `-o` argument that prints one line per node of a list. What the kubelet or a user writes freely is quoted: a node
/// that lies about its machine id must not be able to print the line of another node.
pub const NODES: &str = concat!(
    "go-template={{range .items}}",
    r#"{{.metadata.name}}{{"\t"}}{{.metadata.uid}}{{"\t"}}"#,
    r#"{{range .status.conditions}}{{if eq .type "Ready"}}{{printf "%q" .status}}{{end}}{{end}}{{"\t"}}"#,
    r#"{{.spec.unschedulable}}{{"\t"}}"#,
    r#"{{with .metadata.annotations}}{{with index . "rollbook.dev/cordoned-by"}}{{printf "%q" .}}{{end}}{{end}}{{"\t"}}"#,
    r#"{{with .metadata.annotations}}{{with index . "rollbook.dev/kubeadm-node"}}{{printf "%q" .}}{{end}}{{end}}{{"\t"}}"#,
    r#"{{with .status.nodeInfo}}{{printf "%q" .kubeletVersion}}{{"\t"}}{{printf "%q" .machineID}}{{"\t"}}"#,
    r#"{{printf "%q" .bootID}}{{"\t"}}{{printf "%q" .containerRuntimeVersion}}{{else}}{{"\t\t\t"}}{{end}}{{"\t"}}"#,
    r#"{{range $key, $value := .metadata.labels}}{{$key}}={{$value}},{{end}}{{"\n"}}{{end}}"#,
);

/// The beginning of the option that asks for one node of a list, before its name.
pub const ONE_NODE: &str = "--field-selector=metadata.name=";

/// One node, as slices of the text that it was read from: a look before every slot reads all nodes of a cluster, and
/// most of what a row says is not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeRow<'t> {
    /// `metadata.name`.
    pub name: &'t str,
    /// `metadata.uid`.
    pub uid: &'t str,
    /// Status of the condition Ready: "True", "False", "Unknown", or empty where the kubelet never reported.
    pub ready: &'t str,
    /// `spec.unschedulable`.
    pub cordoned: bool,
    /// The run that owns the cordon; empty where no run does.
    pub cordoned_by: &'t str,
    /// The version up to which `kubeadm upgrade node` has run; empty where it is not known.
    pub kubeadm_node: &'t str,
    /// `status.nodeInfo.kubeletVersion`.
    pub kubelet_version: &'t str,
    /// `status.nodeInfo.machineID`.
    pub machine_id: &'t str,
    /// `status.nodeInfo.bootID`.
    pub boot_id: &'t str,
    /// `status.nodeInfo.containerRuntimeVersion`.
    pub runtime: &'t str,
    /// Labels as the template prints them.
    labels: &'t str,
}

impl<'t> NodeRow<'t> {
    /// Labels, as key and value.
    pub fn labels(&self) -> impl Iterator<Item = (&'t str, &'t str)> {
        pairs(self.labels)
    }

    /// Whether the condition Ready is true.
    pub fn is_ready(&self) -> bool {
        self.ready == "True"
    }

    /// Ready, `NotReady` or `Unknown`, as people say it.
    pub fn condition(&self) -> &'static str {
        match self.ready {
            "True" => "Ready",
            "Unknown" => "Unknown",
            _ => "NotReady",
        }
    }

    /// Whether it carries a label of a control plane: `master` up to 1.23, `control-plane` from 1.20.
    pub fn is_control_plane(&self) -> bool {
        self.labels().any(|(key, _)| CONTROL_PLANE_LABELS.contains(&key))
    }
}

/// Labels that kubeadm puts on control planes. The first is gone since 1.24 (kubeadm#2200), the second came with 1.20.
pub const CONTROL_PLANE_LABELS: [&str; 2] =
    ["node-role.kubernetes.io/master", "node-role.kubernetes.io/control-plane"];

/// Reads the rows of [`NODES`].
pub fn parse_nodes(text: &str) -> Result<Vec<NodeRow<'_>>, RowError> {
    // A row is rarely shorter, with what kubeadm and a cloud put on a node.
    let mut nodes = Vec::with_capacity(text.len() / 256);
    for row in rows::<11>(text, "a node") {
        let [name, uid, ready, unschedulable, by, kubeadm, kubelet, machine, boot, runtime, labels] = row?;
        if !is_node_name(name) {
            return Err(RowError::new("a node's name is expected", name));
        }
        nodes.push(NodeRow {
            name,
            uid: plain(uid),
            ready: unquote(ready),
            cordoned: unschedulable == "true",
            cordoned_by: unquote(by),
            kubeadm_node: unquote(kubeadm),
            kubelet_version: unquote(kubelet),
            machine_id: unquote(machine),
            boot_id: unquote(boot),
            runtime: unquote(runtime),
            labels,
        });
    }
    Ok(nodes)
}

/// Whether this can be a node's name: a lowercase DNS subdomain of at most 253 characters. Anything else never gets
/// into a command, where a leading hyphen would make it an option.
pub fn is_node_name(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    // A label begins and ends with a letter or digit; so does the name, as if it stood between two dots.
    let mut before = b'.';
    for byte in name.bytes() {
        let fits = match byte {
            b'.' => inside(before),
            b'-' => before != b'.',
            _ => inside(byte),
        };
        if !fits {
            return false;
        }
        before = byte;
    }
    inside(before) && name.len() <= 253
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_no_node_name() {
        for name in ["w1", "w01.eu1.example.com", "10-0-0-1"] {
            assert!(is_node_name(name), "{name}");
        }
        for name in [
            "", "-n", "--all", "w1 w2", "W1", "w1-", "w1-.x", "w1.-x", ".w1", "w1.", "w1..x", ".", "w1\n",
            "w1/x", "ẃ1", "a$(b)", "$X",
        ] {
            assert!(!is_node_name(name), "{name:?}");
        }
        assert!(!is_node_name(&"a".repeat(254)));
    }

    #[test]
    fn rows_of_a_real_api_server_are_read() {
        // Printed by kubectl 1.32.4 against an API server 1.20.2; the machine id holds a line break.
        let text = "w1\t4c273ddc-20cf-45a9-84eb-2ce2d2b6ee16\t\"True\"\ttrue\t\"R1\"\t\t\"v1.20.2\"\t\"m\\n1\"\t\"b\"\t\
                    \"containerd://1\"\tkubernetes.io/hostname=w1,node-role.kubernetes.io/master=,zone=a,\n\
                    w2\tu2\t\"True\"\t<no value>\t\t\t\"v1.20.2\"\t%!q(<nil>)\t\"b\"\t\"containerd://1\"\t\n";
        let nodes = parse_nodes(text).expect("two rows");
        assert_eq!(nodes[0].cordoned_by, "R1");
        assert_eq!(nodes[0].machine_id, "m\\n1");
        assert!(nodes[0].labels().any(|label| label == ("zone", "a")));
        assert!(nodes[0].cordoned && nodes[0].is_control_plane() && nodes[0].is_ready());
        assert!(!nodes[1].cordoned && !nodes[1].is_control_plane());
        assert_eq!((nodes[1].machine_id, nodes[1].labels().count()), ("", 0));
    }

    #[test]
    fn a_line_that_is_no_node_is_refused() {
        for text in ["w1\n", "Error from server\n", "--all\tu\t\"True\"\t\t\t\t\t\t\t\t\n"] {
            assert!(parse_nodes(text).is_err(), "{text:?}");
        }
    }
}
