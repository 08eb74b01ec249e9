//! The page of inventories and selectors.

use super::markdown::{row, section, yaml};
use crate::inventory::tables;

const HEAD: &str = "# Inventories

An inventory is one YAML file: hosts, groups of them, and how they are reached. `rollbook inventory list`, `show`, `graph`
and `check` show what it means.
";

const INVENTORY: &str = r#"
apiVersion: rollbook/v1
kind: Inventory
metadata: { name: prod-eu1 }
connection: { user: ops, jump: bastion.example.com }
vars: { site: eu1 }
hosts:
  cp[1:3].example.com: { labels: { role: control-plane } }
  w[01:12].example.com: { labels: { role: worker } }
  w13.example.com:
    address: 10.4.2.13
    node_name: w13
    labels: { role: worker, zone: c }
    vars: { slow_disk: true }
groups:
  control_plane: { select: "label(role=control-plane)" }
  workers: { select: "label(role=worker)" }
  canaries: { hosts: ["w[01:02].example.com"], vars: { canary: true } }
params: { drain_timeout: 20m }
"#;

/// A selector of the example's fleet, how many hosts it gives, and what it means. A test evaluates each.
const SELECTORS: [(&str, usize, &str); 11] = [
    ("workers", 13, "A group."),
    ("w13.example.com", 1, "A host."),
    ("all", 16, "Every host."),
    ("w0*", 9, "Hosts, or groups, whose names match a glob of `*` and `?`."),
    ("w[01:03].example.com", 3, "A range of host names; both ends are included."),
    ("label(zone=c)", 1, "Hosts with this value of a label."),
    ("label(zone)", 1, "Hosts that have the label."),
    (
        "workers & !canaries",
        11,
        "Those of the first that the second does not have; `!` binds tighter than `&`.",
    ),
    ("canaries | control_plane", 5, "Those of both; `&` binds tighter than `\\|`."),
    (
        "control_plane[0]",
        1,
        "The first, in the inventory's order. Slices stand after a group or a closing parenthesis.",
    ),
    ("(workers & !canaries)[1:]", 10, "All but the first: zero-based, the end is not included."),
];

pub(super) fn page() -> String {
    let mut out = format!("{HEAD}{}", yaml(INVENTORY));
    for table in tables() {
        out.push_str(&section(table));
    }
    out.push_str(
        "\n## Selectors\n\n`hosts:` of a phase, `select:` of a group, `--limit` and several commands take a selector. A name, glob or \
         label that matches nothing is an error. A slice of a group may be empty, and a phase over it then has no hosts. In the \
         inventory above:\n\n| selector | hosts | |\n|---|---|---|\n",
    );
    for (selector, count, doc) in SELECTORS {
        row(&mut out, &[&format!("`{}`", selector.replace('|', "\\|")), &count.to_string(), doc]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Selector, parse};
    use crate::source::{Diagnostics, Limits, SourceMap};

    #[test]
    fn every_selector_of_the_page_gives_so_many_hosts() {
        let (mut sources, mut diagnostics) = (SourceMap::default(), Diagnostics::default());
        let file = sources.add("page.yaml", INVENTORY);
        let tree = crate::source::parse(&sources, file, Limits::default(), &mut diagnostics).unwrap();
        let inventory = parse(&tree, &mut diagnostics).unwrap();
        for (selector, count, _) in SELECTORS {
            let hosts = Selector::parse(selector).and_then(|parsed| parsed.select(&inventory));
            assert_eq!(hosts.map(|hosts| hosts.len()), Ok(count), "{selector}");
        }
    }
}
