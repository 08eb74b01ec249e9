#!/usr/bin/env python3
"""serve.py ADDR PORT STATE BASE - the package repository: files from STATE/over, else from BASE.

STATE/rules, read at every request, has lines `missing GLOB` (404 for such paths) and `slow KIB` (per second).
Always 200 and never 304: apt would keep the index of a repository that was broken or healed since.
"""
import fnmatch, http.server, os, posixpath, shutil, sys, time, urllib.parse

addr, port, state, base = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]


def rules(kind):
    try:
        with open(f"{state}/rules") as f:
            return [line.split(None, 1)[1].strip() for line in f if line.split(None, 1)[0] == kind]
    except FileNotFoundError:
        return []


def find(url):
    path = posixpath.normpath(urllib.parse.unquote(urllib.parse.urlparse(url).path))
    if any(fnmatch.fnmatch(path, glob) for glob in rules("missing")):
        return None
    for root in (f"{state}/over", base):
        if os.path.isfile(root + path):
            return root + path
    return None


def copy(source, sink):
    while chunk := source.read(1 << 16):
        slow = rules("slow")
        if not slow:
            sink.write(chunk)
            shutil.copyfileobj(source, sink)
            return
        for i in range(0, len(chunk), 8192):
            sink.write(chunk[i : i + 8192])
            time.sleep(8 / float(slow[-1]))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = find(self.path)
        if not path:
            self.send_error(404)
            return
        with open(path, "rb") as f:
            self.send_response(200)
            self.send_header("Content-Length", str(os.fstat(f.fileno()).st_size))
            self.end_headers()
            try:
                copy(f, self.wfile)
            except OSError:
                pass


http.server.ThreadingHTTPServer((addr, port), Handler).serve_forever()
