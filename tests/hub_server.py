"""A small Hugging Face hub on this machine: what the unmodified libraries ask for, served from folders.

Point them at it with ``HF_ENDPOINT``. It knows no accounts, no pages and no uploads over HTTP.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

Kind: TypeAlias = Literal["models", "datasets"]

LARGE = (".bin", ".parquet", ".safetensors")
"""Endings of files that the hub keeps elsewhere: asking for one gives a redirect."""

_API = re.compile(
    r"/api/(?P<kind>models|datasets)/(?P<name>[^/]+/[^/]+)"
    r"(?:/(?P<what>revision|tree|paths-info)/(?P<revision>[^/]+)(?:/(?P<path>.+))?)?"
)
_RESOLVE = re.compile(r"/(?P<kind>datasets/)?(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_LARGE_FILE = re.compile(r"/large/(?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Blob:
    """The content of a file, with the names that git and the store of large files give it."""

    content: bytes
    large: bool

    @property
    def oid(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def etag(self) -> str:
        return f'"{self.sha256 if self.large else self.oid}"'


Files: TypeAlias = Mapping[str, Blob]
"""The files of one commit, by path."""


Repository: TypeAlias = dict[str, Files]
"""The commits of a repository by their ids, oldest first; ``main`` is the newest."""


class HubServer:
    """Listens while it is entered.

    Attributes:
        requests: what was asked for, as ``HEAD /someone/tiny/resolve/main/config.json``.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._repositories: dict[tuple[str, str], Repository] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def large_address(self) -> str:
        """Where large files are: another host than the hub, which is how the library tells them apart."""
        return f"http://localhost:{self._server.server_port}"

    def push(self, kind: Kind, name: str, folder: Path) -> str:
        """Makes what the folder holds now the newest commit of a repository, and gives its id."""
        files = {
            path.relative_to(folder).as_posix(): Blob(path.read_bytes(), path.suffix in LARGE)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        repository = self._repositories.setdefault((kind, name), {})
        listing = [[path, blob.oid] for path, blob in files.items()]
        text = json.dumps([list(repository), listing])
        commit = hashlib.sha1(text.encode()).hexdigest()
        repository[commit] = files
        return commit

    def at(self, kind: str, name: str, revision: str) -> tuple[str, Files]:
        """A commit's id and its files.

        Raises:
            LookupError: named as the hub names it.
        """
        repository = self._repositories.get((kind, name))
        if repository is None:
            raise LookupError("RepoNotFound")
        commit = next(reversed(repository)) if revision == "main" else revision
        if commit not in repository:
            raise LookupError("RevisionNotFound")
        return commit, repository[commit]

    def large_file(self, sha256: str) -> Blob:
        """A large file by its digest; raises LookupError."""
        commits = [files for repository in self._repositories.values() for files in repository.values()]
        for blob in (blob for files in commits for blob in files.values()):
            if blob.large and blob.sha256 == sha256:
                return blob
        raise LookupError("EntryNotFound")


def tree(files: Files, folder: str, *, recursive: bool) -> Iterator[dict[str, Any]]:
    """What lies in a folder of a repository.

    Raises:
        LookupError: when nothing does.
    """
    inside = [path for path in files if not folder or path.startswith(f"{folder}/")]
    if folder and not inside:
        raise LookupError("EntryNotFound")
    root = PurePosixPath(folder)
    folders = sorted(
        {up.as_posix() for path in inside for up in PurePosixPath(path).parents if root in up.parents}
    )
    for path in (*folders, *inside):
        if recursive or PurePosixPath(path).parent == root:
            yield entry(files, path)


def entry(files: Files, path: str) -> dict[str, Any]:
    """A file or a folder in the words of the hub."""
    blob = files.get(path)
    if blob is None:
        return {"type": "directory", "path": path, "oid": hashlib.sha1(path.encode()).hexdigest(), "size": 0}
    kept = {"oid": blob.sha256, "size": len(blob.content), "pointerSize": 134}
    large = {"lfs": kept} if blob.large else {}
    return {"type": "file", "path": path, "oid": blob.oid, "size": len(blob.content), **large}


def _handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing on standard error."""

        def _answer(self) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            url = urlsplit(self.path)
            body = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
            try:
                if found := _API.fullmatch(url.path):
                    self._describe(found, parse_qs(url.query), body)
                elif found := _LARGE_FILE.fullmatch(url.path):
                    self._content(hub.large_file(found["sha256"]), {})
                elif found := _RESOLVE.fullmatch(url.path):
                    self._resolve(found)
                else:
                    self._send(HTTPStatus.NOT_FOUND)
            except LookupError as missing:
                self._missing(str(missing.args[0]))

        def _describe(
            self, found: re.Match[str], query: Mapping[str, list[str]], body: Mapping[str, list[str]]
        ) -> None:
            """Answers a question about a repository."""
            commit, files = hub.at(found["kind"], found["name"], unquote(found["revision"] or "main"))
            result: object
            if found["what"] == "tree":
                recursive = query.get("recursive", ["false"])[0].lower() == "true"
                result = list(tree(files, unquote(found["path"] or ""), recursive=recursive))
            elif found["what"] == "paths-info":
                folders = {up.as_posix() for path in files for up in PurePosixPath(path).parents}
                known = {*files, *folders} - {"."}
                result = [entry(files, path) for path in body.get("paths", ()) if path in known]
            else:
                siblings = [{"rfilename": path} for path in files]
                result = {"id": found["name"], "sha": commit, "private": False, "siblings": siblings}
            self._send(HTTPStatus.OK, json.dumps(result).encode(), {"Content-Type": "application/json"})

        def _resolve(self, found: re.Match[str]) -> None:
            """Answers with a file, or with where the hub keeps it."""
            kind = "datasets" if found["kind"] else "models"
            commit, files = hub.at(kind, found["name"], unquote(found["revision"]))
            blob = files.get(unquote(found["path"]))
            if blob is None:
                raise LookupError("EntryNotFound")
            headers = {"X-Repo-Commit": commit}
            if not blob.large:
                return self._content(blob, headers)
            kept = {"X-Linked-ETag": blob.etag, "X-Linked-Size": str(len(blob.content))}
            place = {"Location": f"{hub.large_address}/large/{blob.sha256}"}
            return self._send(HTTPStatus.FOUND, headers=headers | kept | place)

        def _content(self, blob: Blob, headers: Mapping[str, str]) -> None:
            headers = {"ETag": blob.etag, "Accept-Ranges": "bytes", **headers}
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if wanted is None:
                return self._send(HTTPStatus.OK, blob.content, headers)
            size = len(blob.content)
            first, last = int(wanted[1]), min(int(wanted[2] or size), size - 1)
            part = {"Content-Range": f"bytes {first}-{last}/{size}"}
            return self._send(HTTPStatus.PARTIAL_CONTENT, blob.content[first : last + 1], headers | part)

        def _missing(self, code: str) -> None:
            # The hub does not tell an anonymous person which names are taken by private repositories.
            unknown = code == "RepoNotFound"
            self._send(
                HTTPStatus.UNAUTHORIZED if unknown else HTTPStatus.NOT_FOUND, headers={"X-Error-Code": code}
            )

        def _send(
            self, status: HTTPStatus, content: bytes = b"", headers: Mapping[str, str] | None = None
        ) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | dict(headers or {})).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    return Handler
