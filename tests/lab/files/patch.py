#!/usr/bin/env python3
"""patch.py TREE - the one change to Kubernetes' source; safe to run again.

kubeadm keeps three versions as literals (one edit per release in Kubernetes' own tree). Make them strings that
-ldflags -X can set, so that a kubeadm stamped v1.21.0 has v1.21's limits: which clusters it upgrades, which it refuses.
"""
import sys

path = f"{sys.argv[1]}/cmd/kubeadm/app/constants/constants.go"
s = open(path).read()
for old, new in [
    ('MinimumControlPlaneVersion = version.MustParseSemantic("v1.19.0")', "MinimumControlPlaneVersion = version.MustParseSemantic(labMinimum)"),
    ('MinimumKubeletVersion = version.MustParseSemantic("v1.19.0")', "MinimumKubeletVersion = version.MustParseSemantic(labMinimum)"),
    ('CurrentKubernetesVersion = version.MustParseSemantic("v1.20.0")', "CurrentKubernetesVersion = version.MustParseSemantic(labCurrent)"),
]:
    if new not in s:
        if old not in s:
            sys.exit(f"{path}: no {old!r}")
        s = s.replace(old, new, 1)
if "labMinimum = " not in s:
    s += '\n// set by -ldflags -X\nvar (\n\tlabMinimum = "v1.19.0"\n\tlabCurrent = "v1.20.0"\n)\n'
open(path, "w").write(s)
