"""Serve a folder of pages on this machine or to a lecture hall.

What `overparam-edu pages` wrote, live lessons too. A browser keeps files, and runs Python, only for
this machine (localhost) or an https address: to other machines at plain http the lessons run, but
can't read or write files.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import webbrowser
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

from overparam_edu.cli.command import CommandError, check_port, opens_browser, server_options

# What shrinks; wheels and pictures are packed already.
_SHRINKS = {".css", ".html", ".ipynb", ".js", ".json", ".mjs", ".svg", ".wasm"}


@functools.lru_cache(maxsize=512)
def _shrunk(path: str, changed: int) -> bytes:
    """Return a file for the wire; `changed`, a time, tells it from an earlier one."""
    return gzip.compress(Path(path).read_bytes(), 6)


class Files(SimpleHTTPRequestHandler):
    """Hands out the files of a folder, packed where that helps, and asks browsers to look anew."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".ipynb": "application/json",
    }

    def send_head(self) -> BinaryIO | None:
        """Answer with the packed file if the browser can unpack it."""
        path = Path(self.translate_path(self.path))
        packs = path.suffix in _SHRINKS and "gzip" in self.headers.get("Accept-Encoding", "")
        if not packs or not path.is_file():
            return super().send_head()
        data = _shrunk(str(path), path.stat().st_mtime_ns)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if self.command == "GET" else b"")
        return None

    def end_headers(self) -> None:
        """Let a browser keep what it has, but ask each time whether it is still that."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


def files_server(folder: Path, ip: str = "127.0.0.1", port: int = 0) -> ThreadingHTTPServer:
    """Return a server of a folder, ready to start."""
    return ThreadingHTTPServer((ip, port), functools.partial(Files, directory=str(folder)))


def run(options: argparse.Namespace) -> int:
    """Serve the folder until it is stopped."""
    folder = Path(options.folder).expanduser()
    if not (folder / "index.html").is_file():
        raise CommandError(f"there is no index.html in {folder}: overparam-edu pages writes one")
    check_port(options.ip, options.port)
    with files_server(folder, options.ip, options.port) as server:
        address = f"http://{options.ip}:{options.port}/"
        print(f"Serving {folder} at\n    {address}\nTo stop it, press Ctrl-C here.", flush=True)
        if opens_browser(options):
            webbrowser.open(address)
        server.serve_forever()
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the folder, port and address."""
    parser.add_argument("folder", metavar="FOLDER", help="folder of pages, with index.html")
    server_options(parser, 8000, "port to listen on (default: 8000)")
    parser.add_argument(
        "--ip",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on; 0.0.0.0 lets other machines in (default: 127.0.0.1)",
    )
