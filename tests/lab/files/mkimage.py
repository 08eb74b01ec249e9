#!/usr/bin/env python3
"""mkimage.py OUT.tar NAME[,NAME...] ENTRYPOINT SRC=DEST... -- a docker-archive image with one layer of files."""
import hashlib, io, json, os, sys, tarfile

out, names, entry, *files = sys.argv[1:]
layer = io.BytesIO()
with tarfile.open(fileobj=layer, mode="w") as t:
    seen = set()
    def mkdirs(p):
        parts = p.strip("/").split("/")
        for i in range(1, len(parts) + 1):
            q = "/".join(parts[:i])
            if q and q not in seen:
                seen.add(q)
                ti = tarfile.TarInfo(q); ti.type = tarfile.DIRTYPE; ti.mode = 0o1777 if q == "tmp" else 0o755
                t.addfile(ti)
    mkdirs("tmp"); mkdirs("etc")
    for f in files:
        src, dst = f.split("=")
        mkdirs(os.path.dirname(dst))
        ti = tarfile.TarInfo(dst.strip("/")); ti.mode = 0o755; ti.size = os.path.getsize(src)
        t.addfile(ti, open(src, "rb"))
data = layer.getvalue(); dig = hashlib.sha256(data).hexdigest()
cfg = json.dumps({"architecture": "amd64", "os": "linux", "created": "2021-01-13T13:20:00Z",
    "config": {"Env": ["PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"], "Entrypoint": json.loads(entry)},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + dig]}, "history": [{"created_by": "rollbook lab"}]}).encode()
cdig = hashlib.sha256(cfg).hexdigest()
man = json.dumps([{"Config": cdig + ".json", "RepoTags": names.split(","), "Layers": [dig + "/layer.tar"]}]).encode()
with tarfile.open(out, "w") as t:
    for n, b in ((cdig + ".json", cfg), (dig + "/layer.tar", data), ("manifest.json", man)):
        ti = tarfile.TarInfo(n); ti.size = len(b); t.addfile(ti, io.BytesIO(b))
