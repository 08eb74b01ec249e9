//! Facts: what is true of a host and of the cluster, read without changing anything. Pure: the queries to send, and
//! what their answers mean.

mod access;
mod cluster;
mod etcd;
mod etcd_member;
mod host;
mod recording;

pub use access::{Access, access_probe, parse_access};
pub use cluster::{
    ClusterFacts, NodeFacts, NodeTable, cluster_probe, parse_cluster, parse_node_table, server_version,
};
pub use etcd::{EtcdFacts, etcd_probe, parse_etcd};
pub use etcd_member::{
    EtcdAccess, EtcdMember, etcd_member_probe, etcd_presence, read_etcd_member, runs_etcd,
};
pub(crate) use host::HOST_FACTS;
pub use host::{
    CGROUP, Disk, FactsError, HostFacts, PackageFacts, UnitFacts, cgroup_version, host_probe, identity_probe,
    parse_host, parse_identity,
};
pub use recording::{
    RecordedBudget, RecordedCluster, RecordedPod, Recording, parse_workloads, workloads_probe,
};
