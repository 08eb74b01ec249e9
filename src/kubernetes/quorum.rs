//! How many etcd members and control planes must stay. Source: the Raft majority of etcd's FAQ (etcd.io/docs,
//! "Why an odd number of cluster members?"), counted over the configured members, whether they run or not.

/// Whether one more member may be taken out of service while the cluster keeps its majority. `healthy` counts the
/// healthy ones, the one to be taken out included. The error says why not, in words for people.
///
/// With one or two members the API is away whatever one does; that is an error here, and a policy that accepts it is
/// the caller's business.
pub fn quorum_allows(members: usize, healthy: usize) -> Result<(), String> {
    let majority = members / 2 + 1;
    let left = healthy.saturating_sub(1);
    match members {
        0 => Err("the cluster has no known etcd member".to_owned()),
        1 | 2 => Err(format!(
            "with {members} control plane{} the API is away while one is upgraded",
            if members == 1 { "" } else { "s" }
        )),
        _ if left >= majority => Ok(()),
        _ => Err(format!(
            "{left} of {members} etcd members would be left, and the majority is {majority}: the API would stop"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_others_must_be_a_majority() {
        for (members, healthy, allowed) in [
            (0, 0, false),
            (1, 1, false),
            (2, 2, false),
            (3, 3, true),
            (3, 2, false),
            (4, 4, true),
            (4, 3, false),
            (5, 4, true),
            (5, 3, false),
            (7, 5, true),
            (7, 4, false),
            (3, 0, false),
        ] {
            assert_eq!(quorum_allows(members, healthy).is_ok(), allowed, "{healthy} of {members}");
        }
    }
}
