#!/usr/bin/env python3
"""audit.py DIR... -- [--user NAME] [--writes] - the audit logs of several API servers as one, oldest first."""
import argparse, glob, json, os, signal, sys

signal.signal(signal.SIGPIPE, signal.SIG_DFL)
split = sys.argv.index("--")
options = argparse.ArgumentParser(prog="lab audit")
options.add_argument("--user", help="only requests of this user")
options.add_argument("--writes", action="store_true", help="only requests that are not get, list or watch")
wanted = options.parse_args(sys.argv[split + 1 :])

events = []
for path in (p for d in sys.argv[1:split] for p in glob.glob(os.path.join(d, "audit*.log"))):
    with open(path) as f:
        for line in f:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a line that a power cut tore, or that is being written
            if wanted.user and event["user"].get("username") != wanted.user:
                continue
            if wanted.writes and event["verb"] in ("get", "list", "watch"):
                continue
            events.append((event["requestReceivedTimestamp"], line))
for _, line in sorted(events):
    sys.stdout.write(line)
