//! The long flags of the programs of an upgrade, all of them in any version since 1.20, so that one which is misspelt can be
//! told from one that is rare. Sources: `kubectl options` and the help of every subcommand, kubeadm's reference,
//! apt-get(8) and apt(8), `etcdctl help`.

/// The flags of kubectl whose value may be the next word, as far as a runbook is likely to write them so.
pub(crate) const KUBECTL_WITH_VALUES: [&str; 28] = [
    "--kubeconfig",
    "--context",
    "--cluster",
    "--user",
    "--server",
    "--request-timeout",
    "--namespace",
    "--selector",
    "--output",
    "--as",
    "--as-group",
    "--as-uid",
    "--token",
    "--field-selector",
    "--field-manager",
    "--filename",
    "--grace-period",
    "--patch",
    "--patch-file",
    "--pod-selector",
    "--timeout",
    "--type",
    "-n",
    "-s",
    "-l",
    "-o",
    "-f",
    "-p",
];

/// A program, its verbs, and its flags without hyphens before them. Behind another verb, which may be that of a
/// plugin, nothing is known.
struct Known {
    programs: &'static [&'static str],
    verbs: &'static str,
    flags: &'static str,
}

const KNOWN: [Known; 4] = [
    Known {
        programs: &["kubectl"],
        verbs: "annotate api-resources api-versions apply attach auth autoscale certificate cluster-info config cordon cp \
                create debug delete describe diff drain edit events exec explain expose get kustomize label logs patch \
                port-forward proxy replace rollout run scale set taint top uncordon version wait",
        flags: "accept-hosts accept-paths add-dir-header address affinity aggregation-rule all all-containers \
                all-namespaces all-pods allow-missing-template-keys alsologtostderr annotation annotations api-group \
                api-prefix api-version append-hash append-server-path applyset arguments-only as as-group as-uid \
                as-user-extra attach audience auth-provider auth-provider-arg bound-object-kind bound-object-name \
                bound-object-uid cache-dir cached cascade categories cert certificate-authority chunk-size class \
                clear client client-certificate client-key cluster cluster-ip clusterip clusterrole command \
                concurrency container containers context copy-to cpu cpu-percent create-annotation current \
                current-replicas custom default-backend delete-emptydir-data delete-local-data description \
                detach-keys disable-compression disable-eviction disable-filter docker-email docker-password \
                docker-server docker-username dry-run duration edit embed-certs enable-alpha-plugins enable-helm \
                enforce-namespace env exec-api-version exec-arg exec-command exec-env expose external-ip \
                external-name field-manager field-selector filename flatten follow for force force-conflicts from \
                from-env-file from-file from-literal global-default grace-period group hard helm-command help \
                ignore-daemonsets ignore-errors ignore-not-found image image-pull-policy include-uninitialized \
                insecure-skip-tls-verify insecure-skip-tls-verify-backend keep-annotations keep-init-containers \
                keep-labels keep-liveness keep-readiness keep-startup keepalive key keys kubeconfig kuberc kustomize \
                label-columns labels leave-stdin-open limit-bytes limits list load-balancer-ip load-restrictor local \
                log-backtrace-at log-dir log-file log-file-max-size log-flush-frequency log-level logtostderr \
                match-server-version max max-log-requests max-unavailable memory merge min min-available minify \
                mount name name-only namespace namespaced namespaces network network-name no-headers no-preserve \
                node-port non-resource-url now one-output openapi-patch output output-directory output-format \
                output-patch output-version output-watch-events override-type overrides overwrite password patch \
                patch-file pod-running-timeout pod-selector port preemption-policy prefix previous privileged \
                profile profile-output protocol proxy-url prune prune-allowlist prune-whitelist quiet raw record \
                recursive reject-methods reject-paths remove-extra-permissions remove-extra-subjects replace \
                replicas request-timeout requests resolve resource resource-name resource-version restart retries \
                reuse-values reverse revision rm role rule same-node save-config schedule scopes selector server \
                server-print server-side service-account serviceaccount session-affinity set-image set-raw-bytes \
                share-processes short show-all show-all-containers show-events show-kind show-labels \
                show-managed-fields show-swap since since-time skip-headers skip-log-headers \
                skip-wait-for-delete-timeout sort-by stderrthreshold stdin subresource sum tail target target-port \
                tcp template timeout timestamps tls-server-name to-revision token tty type types unix-socket \
                use-protocol-buffers user username v validate value verb verbs version vmodule wait \
                warnings-as-errors watch watch-only windows-line-endings www www-prefix",
    },
    Known {
        programs: &["kubeadm"],
        verbs: "alpha certs config init join kubeconfig reset token upgrade version",
        flags: "add-dir-header allow-deprecated-api allow-experimental-api allow-experimental-upgrades \
                allow-missing-template-keys allow-release-candidate-upgrades api-server-manifest \
                apiserver-advertise-address apiserver-bind-port apiserver-cert-extra-sans cert-dir certificate-key \
                certificate-renewal cleanup-tmp-dir client-name component-configs config context-lines control-plane \
                control-plane-endpoint controller-manager-manifest cri-socket csr-dir csr-only description \
                discovery-file discovery-token discovery-token-ca-cert-hash \
                discovery-token-unsafe-skip-ca-verification dry-run etcd-upgrade experimental-control-plane \
                experimental-output experimental-patches experimental-upload-certs feature-gates force groups help \
                ignore-preflight-errors image-pull-timeout image-repository kubeconfig kubelet-config \
                kubelet-version kubernetes-version log-dir log-file log-file-max-size new-config node-name \
                old-config one-output org output patches pod-network-cidr print-config print-join-command rootfs \
                scheduler-manifest service-cidr service-dns-domain show-managed-fields skip-certificate-key-print \
                skip-headers skip-log-headers skip-phases skip-token-print tls-bootstrap-token token token-ttl ttl \
                upload-certs usages use-api v validity-period version yes",
    },
    Known {
        programs: &["apt", "apt-get"],
        verbs: "autoremove autoclean clean dist-upgrade download full-upgrade install list purge reinstall remove \
                search show update upgrade",
        flags: "all-versions allow-change-held-packages allow-downgrades allow-insecure-repositories \
                allow-releaseinfo-change allow-remove-essential allow-unauthenticated arch-only assume-no assume-yes \
                audit auto-remove autoremove build build-profiles cli-version color comment compile config-file \
                default-release diff-only download download-only dry-run dsc-only error-on fix-broken fix-missing \
                fix-policy force-yes format full help host-architecture ignore-hold ignore-missing indep-only \
                install-recommends install-suggests installed just-print list-cleanup mark-auto names-only no-act \
                no-allow-insecure-repositories no-auto-remove no-color no-download no-install-recommends \
                no-install-suggests no-list-cleanup no-pager no-remove no-show-upgraded no-strict-pinning no-upgrade \
                only-source only-upgrade option planner print-uris purge quiet recon reinstall remove-essential \
                sandbox show-progress show-upgraded simulate snapshot solver strict-pinning tar-only target-release \
                trivial-only update upgradable verbose verbose-versions version with-new-pkgs with-source \
                without-new-pkgs yes",
    },
    Known {
        programs: &["etcdctl"],
        verbs: "alarm auth check compaction defrag del endpoint get lease member move-leader put role snapshot user \
                version watch",
        flags: "auth-jwt-token bump-revision ca-file cacert cert cert-file cluster command-timeout consistency \
                count-only data-dir debug discovery-srv discovery-srv-name dry-run endpoints exclude-tls-certs \
                fields from-key help hex ignore-lease ignore-value initial-advertise-peer-urls initial-cluster \
                initial-cluster-token insecure-discovery insecure-skip-tls-verify insecure-transport interactive \
                keepalive-time keepalive-timeout key key-file keys-only learner lease limit load mark-compacted \
                max-create-rev max-mod-rev max-recv-bytes max-request-bytes max-txn-ops min-create-rev min-mod-rev \
                name new-user-password no-password no-sync order output password peer-urls peers physical prefix \
                prev-kv print-value-only progress-notify range-end rev revision-compact skip-hash-check sort-by \
                timeout total-timeout user username version wal-dir watch-progress-notify write-out",
    },
];

/// Letters that may be wrong, missing, too many or exchanged.
const MOST: usize = 2;

/// The flag that a program nearly has, for one that it does not have: `--all-namespaces` for `--all-namespace`.
pub fn meant(program: &str, verb: &str, flag: &str) -> Option<&'static str> {
    let known = KNOWN.iter().find(|known| known.programs.contains(&program))?;
    let name = flag.strip_prefix("--")?;
    if !known.verbs.split_whitespace().any(|known| known == verb) || name.len() < 4 {
        return None;
    }
    let mut nearest: Option<(usize, &'static str)> = None;
    for candidate in known.flags.split_whitespace() {
        if candidate == name || name.strip_prefix("no-") == Some(candidate) {
            return None;
        }
        // A hyphen that is missing or too many is no letter; short names need to be nearly right.
        let distance = strsim::damerau_levenshtein(&candidate.replace('-', ""), &name.replace('-', ""));
        if distance <= MOST.min(candidate.len() / 4) && nearest.is_none_or(|(least, _)| distance < least) {
            nearest = Some((distance, candidate));
        }
    }
    nearest.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_flag_is_told_from_a_rare_one() {
        let cases = [
            ("kubectl", "get", "--all-namespace", Some("all-namespaces")),
            ("kubectl", "get", "--allnamespaces", Some("all-namespaces")),
            ("kubectl", "drain", "--ignore-daemonset", Some("ignore-daemonsets")),
            ("kubectl", "drain", "--ignore-deamonsets", Some("ignore-daemonsets")),
            ("kubectl", "drain", "--delete-empty-dir-data", Some("delete-emptydir-data")),
            ("kubectl", "drain", "--delete-local-data", None),
            ("kubectl", "get", "--show-labels", None),
            ("kubectl", "get", "--as", None),
            ("kubectl", "neat", "--all-namespace", None),
            ("kubeadm", "upgrade", "--ignore-preflight-error", Some("ignore-preflight-errors")),
            ("kubeadm", "upgrade", "--etcd-upgrade", None),
            ("apt-get", "install", "--allow-change-held-package", Some("allow-change-held-packages")),
            ("apt-get", "install", "--no-install-recommend", Some("no-install-recommends")),
            ("etcdctl", "snapshot", "--ca-cert", Some("cacert")),
            ("etcdctl", "snapshot", "--endpoint", Some("endpoints")),
            ("helm", "upgrade", "--instal", None),
        ];
        for (program, verb, flag, expected) in cases {
            assert_eq!(meant(program, verb, flag), expected, "{program} {verb} {flag}");
        }
    }
}
