//! Objects that somebody made through kubectl, such as Leases: kept as they came, with resource versions that make a
//! late writer lose.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Which object: resource in the singular and lower case, namespace, name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectKey {
    /// `lease`, `configmap`.
    pub(super) resource: String,
    /// Its namespace.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Objects(BTreeMap<ObjectKey, Value>);

/// Why a write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteRefusal {
    /// It is there already.
    AlreadyExists,
    /// It is not there.
    NotFound,
    /// It was changed since it was read.
    Conflict,
}

impl ObjectKey {
    /// Of an object as it is written in a file.
    pub(super) fn of(object: &Value, namespace: &str) -> Option<Self> {
        let resource = object.get("kind")?.as_str()?.to_ascii_lowercase();
        let metadata = object.get("metadata")?;
        let name = metadata.get("name")?.as_str()?.to_owned();
        let namespace = metadata.get("namespace").and_then(Value::as_str).unwrap_or(namespace).to_owned();
        Some(Self { resource, namespace, name })
    }
}

impl Objects {
    /// An object.
    pub(super) fn get(&self, key: &ObjectKey) -> Option<&Value> {
        self.0.get(key)
    }

    /// Makes a new one.
    pub(super) fn create(
        &mut self,
        key: ObjectKey,
        object: Value,
        revision: u64,
    ) -> Result<(), WriteRefusal> {
        if self.0.contains_key(&key) {
            return Err(WriteRefusal::AlreadyExists);
        }
        self.put(key, object, revision);
        Ok(())
    }

    /// Puts one in the place of another, which must be the one that was read where a resource version is given.
    pub(super) fn replace(
        &mut self,
        key: ObjectKey,
        object: Value,
        revision: u64,
    ) -> Result<(), WriteRefusal> {
        let current = self.0.get(&key).ok_or(WriteRefusal::NotFound)?;
        let (read, is) = (resource_version(&object), resource_version(current));
        if read.is_some() && read != is {
            return Err(WriteRefusal::Conflict);
        }
        self.put(key, object, revision);
        Ok(())
    }

    /// Makes one, or changes the parts of it that are given.
    pub(super) fn apply(&mut self, key: ObjectKey, mut object: Value, revision: u64) {
        if let Some(current) = self.0.get(&key) {
            let mut merged = current.clone();
            super::kubectl::merge(&mut merged, &object);
            object = merged;
        }
        self.put(key, object, revision);
    }

    /// Takes one away; whether it was there.
    pub(super) fn delete(&mut self, key: &ObjectKey) -> bool {
        self.0.remove(key).is_some()
    }

    fn put(&mut self, key: ObjectKey, mut object: Value, revision: u64) {
        if let Some(root) = object.as_object_mut() {
            let metadata = root.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
            metadata["namespace"] = Value::from(key.namespace.clone());
            metadata["resourceVersion"] = Value::from(revision.to_string());
            if metadata.get("uid").is_none() {
                metadata["uid"] = Value::from(format!("00000000-0000-4000-8000-{revision:012}"));
            }
        }
        self.0.insert(key, object);
    }
}

fn resource_version(object: &Value) -> Option<&str> {
    object.get("metadata")?.get("resourceVersion")?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_late_writer_loses() {
        let key =
            ObjectKey { resource: "lease".into(), namespace: "kube-system".into(), name: "rollbook".into() };
        let object =
            json!({"kind": "Lease", "metadata": {"name": "rollbook"}, "spec": {"holderIdentity": "a"}});
        let mut objects = Objects::default();
        assert_eq!(objects.create(key.clone(), object.clone(), 1), Ok(()));
        assert_eq!(objects.create(key.clone(), object, 2), Err(WriteRefusal::AlreadyExists));
        let read = objects.get(&key).expect("created").clone();
        assert_eq!(objects.replace(key.clone(), read.clone(), 3), Ok(()));
        assert_eq!(objects.replace(key, read, 4), Err(WriteRefusal::Conflict));
    }
}
