//! The values that templates see. Cheap to extend: a host's scope shares the run's.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::machine;
use crate::value::Value;

/// Namespaces with their values. A child sees its parents' names; shadowing a name is a bug.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    parent: Option<Arc<Scope>>,
    roots: Vec<Root>,
}

/// One namespace. Its form for the template engine is made on first use and then shared by every rendering.
#[derive(Clone)]
struct Root {
    name: String,
    value: Value,
    engine: OnceLock<minijinja::Value>,
}

/// Without the second form of the same value.
impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Root").field(&self.name).field(&self.value).finish()
    }
}

impl Scope {
    /// No names at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sees everything of `parent`.
    pub fn child(parent: &Arc<Self>) -> Self {
        Self { parent: Some(Arc::clone(parent)), roots: Vec::new() }
    }

    /// Defines a namespace, or replaces the one of this name that was defined here.
    pub fn set(&mut self, root: &str, value: Value) {
        let root = Root { name: root.to_owned(), value, engine: OnceLock::new() };
        match self.roots.iter_mut().find(|existing| existing.name == root.name) {
            Some(existing) => *existing = root,
            None => self.roots.push(root),
        }
    }

    /// The value of a namespace.
    pub fn get(&self, root: &str) -> Option<&Value> {
        self.root(root).map(|root| &root.value)
    }

    /// The value of a dotted name, if all of it is there.
    pub fn lookup(&self, root: &str, path: &[String]) -> Option<&Value> {
        path.iter().try_fold(self.get(root)?, |value, key| value.get(key))
    }

    /// The value of a namespace for the template engine.
    pub(super) fn engine_value(&self, root: &str) -> Option<minijinja::Value> {
        let root = self.root(root)?;
        Some(root.engine.get_or_init(|| machine::to_engine(&root.value)).clone())
    }

    fn root(&self, name: &str) -> Option<&Root> {
        let own = self.roots.iter().find(|root| root.name == name);
        own.or_else(|| self.parent.as_deref().and_then(|parent| parent.root(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_sees_its_parents_names() {
        let mut run = Scope::new();
        run.set("params", Value::Map([("a".to_owned(), Value::Int(1))].into_iter().collect()));
        let run = Arc::new(run);
        let mut host = Scope::child(&run);
        host.set("host", Value::Null);
        assert_eq!(host.lookup("params", &["a".to_owned()]), Some(&Value::Int(1)));
        assert_eq!(host.lookup("params", &["b".to_owned()]), None);
        assert_eq!(run.get("host"), None);
    }
}
