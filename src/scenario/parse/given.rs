//! What a scenario says is on hosts from the beginning: packages of repositories, files, open ports.

use super::{Raw, absolute, selector_type};
use crate::inventory::Selector;
use crate::scenario::{Given, GivenWhat};
use crate::source::{Diagnostics, FromNode, Node, NodeKind, Spanned, written};
use crate::value::Type;

written! {
    /// An item of `packages`.
    pub(in crate::scenario) struct Package at "packages[]", called "a package" {
        /// The package.
        name: Raw as (Type::Str.called("a name")),
        /// All versions that repositories offer, with their revisions. No other version is taken to be there.
        versions: Versions,
        /// What apt shows as their repository.
        repository: Option<Raw>,
        /// The version that is installed from the beginning.
        installed: Option<PackageVersion>,
        /// A selector of the inventory; all hosts where it is left out.
        host: Option<Spanned<Selector>> as (selector_type()),
    }
}

written! {
    /// An item of `files`.
    pub(in crate::scenario) struct File at "files[]", called "a file" {
        /// An absolute path.
        path: String as (Type::Str.called("an absolute path")) where (absolute),
        /// What it holds.
        content: Raw = Raw::default(),
        /// A selector of the inventory; all hosts where it is left out.
        host: Option<Spanned<Selector>> as (selector_type()),
    }
}

written! {
    /// An item of `ports`.
    pub(in crate::scenario) struct Port at "ports[]", called "a port" {
        /// The number.
        port: u16 as (Type::Whole { least: 1, most: Some(65535) }.called("a number from 1 to 65535")),
        /// A selector of the inventory; all hosts where it is left out.
        host: Option<Spanned<Selector>> as (selector_type()),
    }
}

impl From<Package> for Given {
    fn from(written: Package) -> Self {
        let what = GivenWhat::Package {
            name: written.name.0,
            versions: written.versions.0,
            repository: written
                .repository
                .map_or_else(|| "the scenario".to_owned(), |repository| repository.0),
            installed: written.installed.map(|installed| installed.0),
        };
        Self { hosts: written.host, what }
    }
}

impl From<File> for Given {
    fn from(written: File) -> Self {
        let what = GivenWhat::File { path: written.path, content: written.content.0 };
        Self { hosts: written.host, what }
    }
}

impl From<Port> for Given {
    fn from(written: Port) -> Self {
        Self { hosts: written.host, what: GivenWhat::Port(written.port) }
    }
}

/// A version of a package: what apt would take for one.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct PackageVersion(String);

impl FromNode for PackageVersion {
    fn ty() -> Type {
        Type::Str.called("a version of a package, such as 1.7.24-1")
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        let known = |c: char| c.is_ascii_alphanumeric() || ".+~:-".contains(c);
        node.parsed(&ty.expected(), errors, |text| {
            let good = text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(known);
            good.then(|| Self(text.to_owned()))
        })
    }
}

/// Versions of a package, one at least.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct Versions(Vec<String>);

impl FromNode for Versions {
    fn ty() -> Type {
        Type::OneOrMore(Box::new(Type::Str)).called("a list of versions")
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        let items = node.items(&ty.expected(), errors)?;
        if items.is_empty() {
            errors.wrong_type(node, "one version or more");
        }
        Some(Self(items.iter().filter_map(|item| version(item, errors)).collect()))
    }
}

fn version(node: &Node, errors: &mut Diagnostics) -> Option<String> {
    PackageVersion::from_node(node, &PackageVersion::ty(), errors).map(|version| version.0)
}

/// Packages and the versions that they have afterwards.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct Installs(pub(super) Vec<(String, String)>);

impl FromNode for Installs {
    fn ty() -> Type {
        Type::Str.mapped().called("a mapping from packages to versions")
    }

    fn from_node(node: &Node, _: &Type, errors: &mut Diagnostics) -> Option<Self> {
        Some(Self(versions(node, errors)))
    }
}

/// A mapping from packages to versions.
fn versions(node: &Node, errors: &mut Diagnostics) -> Vec<(String, String)> {
    let NodeKind::Map(entries) = &node.kind else {
        errors.wrong_type(node, "a mapping from packages to versions");
        return Vec::new();
    };
    let pair = |entry: &crate::source::Entry| Some((entry.key.value.clone(), version(&entry.value, errors)?));
    entries.iter().filter_map(pair).collect()
}
