//! `kube: { etcd: … }` of an inventory: the etcd on hosts of its own.

use crate::inventory::{EtcdHosts, Inventory, Selector};
use crate::source::codes::{BAD_SELECTOR, BAD_SETTING, SELECTS_NOTHING};
use crate::source::{Diagnostics, FromNode, Keyed, Node, written};
use crate::value::Type;

written! {
    /// What of Kubernetes runs on hosts of its own.
    pub(super) struct Kube at "kube", called "`kube`" {
        /// An etcd that is not stacked on the control planes.
        etcd: Option<Keyed<Etcd>>,
    }
}

written! {
    /// An etcd on hosts of its own. No two of its members are out of service together, and none while another one is not
    /// healthy. etcd itself is asked, by etcdctl on the member's host.
    pub(super) struct Etcd at "kube.etcd", called "`kube.etcd`" {
        /// The hosts of its members.
        hosts: Node as (Type::Str.called("a selector such as `etcd` or `label(role=etcd)`")),
        /// Certificate of etcd's authority on those hosts. Without it etcdctl uses plain HTTP on 127.0.0.1:2379, with it
        /// HTTPS.
        cacert: Option<HostPath>,
        /// A client's certificate on those hosts.
        cert: Option<HostPath>,
        /// Its key.
        key: Option<HostPath>,
    }
}

/// An absolute path on a host.
#[derive(Clone, Debug)]
pub(super) struct HostPath(String);

impl FromNode for HostPath {
    fn ty() -> Type {
        Type::Str.called("an absolute path")
    }

    fn from_node(node: &Node, ty: &Type, diagnostics: &mut Diagnostics) -> Option<Self> {
        let text = node.text(&ty.expected(), diagnostics)?;
        if text.starts_with('/') && !text.contains('\0') {
            return Some(Self(text.to_owned()));
        }
        let message = format!("`{}` is no absolute path", crate::source::shorten(text));
        diagnostics
            .error(BAD_SETTING, node.span, message)
            .hint("write a path on the host, such as `/etc/etcd/pki/ca.crt`");
        None
    }
}

pub(super) fn read(node: &Node, inventory: &Inventory, diagnostics: &mut Diagnostics) -> Option<EtcdHosts> {
    let written = Kube::from_node(node, &Kube::ty(), diagnostics)?.etcd?;
    let Etcd { hosts, cacert, cert, key } = written.value?;
    let given = [&cacert, &cert, &key].iter().filter(|path| path.is_some()).count();
    if !matches!(given, 0 | 3) {
        let message = "`cacert`, `cert` and `key` belong together";
        diagnostics
            .error(BAD_SETTING, written.key, message)
            .hint("write all three, or none where etcd speaks plain HTTP");
    }
    let hosts = select(&hosts, inventory, diagnostics)?;
    let text = |path: Option<HostPath>| path.map(|path| path.0).unwrap_or_default();
    Some(EtcdHosts { hosts, cacert: text(cacert), cert: text(cert), key: text(key) })
}

fn select(
    node: &Node,
    inventory: &Inventory,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<crate::inventory::HostName>> {
    let text = node.text("a selector such as `label(role=etcd)`", diagnostics)?;
    let (code, error) = match Selector::parse(text) {
        Err(error) => (BAD_SELECTOR, error),
        Ok(selector) => match selector.select(inventory) {
            Ok(hosts) => return Some(hosts),
            Err(error) => (SELECTS_NOTHING, error),
        },
    };
    diagnostics.error(code, node.at(error.offset), error.message).hints.extend(error.hint);
    None
}
