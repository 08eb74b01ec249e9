//! `kube: { etcd: … }` of an inventory: the etcd on hosts of its own.

use super::tables;
use crate::inventory::{EtcdHosts, Inventory, Selector};
use crate::source::codes::{BAD_SELECTOR, BAD_SETTING, SELECTS_NOTHING};
use crate::source::{Diagnostics, Entry, MapReader, Node};

pub(super) fn read(node: &Node, inventory: &Inventory, diagnostics: &mut Diagnostics) -> Option<EtcdHosts> {
    let mut kube = MapReader::open_table(node, &tables::KUBE, diagnostics)?;
    let etcd = kube.take("etcd");
    kube.finish("`kube`", diagnostics);
    let entry = etcd?;
    let mut reader = MapReader::open_table(&entry.value, &tables::ETCD, diagnostics)?;
    let hosts = reader.require("hosts", "`kube.etcd`", diagnostics);
    let mut path = |key: &str| reader.take(key).and_then(|entry| path(entry, diagnostics));
    let [cacert, cert, key] = ["cacert", "cert", "key"].map(&mut path);
    reader.finish("`kube.etcd`", diagnostics);
    let given = [&cacert, &cert, &key].iter().filter(|path| path.is_some()).count();
    if !matches!(given, 0 | 3) {
        let message = "`cacert`, `cert` and `key` belong together";
        diagnostics
            .error(BAD_SETTING, entry.key.span, message)
            .hint("write all three, or none where etcd speaks plain HTTP");
    }
    let hosts = select(&hosts?.value, inventory, diagnostics)?;
    let text = Option::unwrap_or_default;
    Some(EtcdHosts { hosts, cacert: text(cacert), cert: text(cert), key: text(key) })
}

fn path(entry: &Entry, diagnostics: &mut Diagnostics) -> Option<String> {
    let text = entry.value.text("an absolute path", diagnostics)?;
    if text.starts_with('/') && !text.contains('\0') {
        return Some(text.to_owned());
    }
    let message = format!("`{}` is no absolute path", crate::source::shorten(text));
    diagnostics
        .error(BAD_SETTING, entry.value.span, message)
        .hint("write a path on the host, such as `/etc/etcd/pki/ca.crt`");
    None
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
