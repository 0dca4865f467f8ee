"""A W&B server on this machine: enough of GraphQL, file stream and storage for the real client.

What it was told stands in `runs`, `views`, `artifacts`, `files`; rows are kept as they came, so
that a step sent twice shows. It can be killed and come back, answer 500, or hang.
"""

from __future__ import annotations

import base64
import copy
import gzip
import json
import re
import socket
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlparse

NOW = "2026-01-01T00:00:00"
KEY = "loopbackloopbackloopbackloopback01234567"
VIEWER = {
    "id": "u1", "entity": "tester", "username": "tester", "name": "tester", "email": "t@x",
    "admin": False, "flags": "{}", "teams": {"edges": []}, "apiKeys": {"edges": []},
    "deletedAt": None, "featureFlags": [],
}  # fmt: skip


class Loopback:
    """The server's state and its switch."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.views: dict[str, dict[str, Any]] = {}
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.unknown: list[str] = []
        self.mode = ""
        self.lock = threading.RLock()
        self.port = 0
        self.server: _Server | None = None
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Loopback:
        """Listen; at the port it had before, if it had one."""
        self.server = _Server(("127.0.0.1", self.port), _Handler)
        self.server.loopback = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def kill(self) -> None:
        """Stop listening and cut every connection; what it was told is kept."""
        if self.server is None:
            return
        self.server.shutdown()
        self.server.server_close()
        for connection in list(self.server.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed by the other side
        self.server = None

    def hang(self) -> None:
        """Take requests and answer none."""
        self.released.clear()
        self.mode = "hang"

    def heal(self) -> None:
        self.mode = ""
        self.released.set()

    def run(self, run_id: str) -> dict[str, Any]:
        """The run of this id, whatever its project."""
        with self.lock:
            (found,) = [copy.deepcopy(r) for r in self.runs.values() if r["id"] == run_id]
        return found

    def all_runs(self) -> list[dict[str, Any]]:
        with self.lock:
            return copy.deepcopy(list(self.runs.values()))

    # What follows answers requests.

    def graphql(self, query: str, given: dict[str, Any]) -> dict[str, Any]:
        v = {**given, **given["input"]} if isinstance(given.get("input"), dict) else given
        entity = v.get("entity") or v.get("entityName") or "tester"
        project = v.get("project") or v.get("projectName") or "uncategorized"
        for pattern, answer in _ANSWERS:
            if re.search(pattern, query):
                return answer(self, query, v, entity, project)
        self.unknown.append(query)
        return {}

    def file_stream(self, key: str, sent: dict[str, Any]) -> bool:
        run = self.runs.get(key)
        if run is None:
            return False
        for name, content in (sent.get("files") or {}).items():
            lines, offset = content.get("content", []), content.get("offset", 0)
            if name == "wandb-history.jsonl":
                run["history"][offset : offset + len(lines)] = [json.loads(x) for x in lines]
                run["rows_received"] += len(lines)
            elif name == "wandb-events.jsonl":
                run["events"][offset : offset + len(lines)] = [json.loads(x) for x in lines]
            elif name == "wandb-summary.json" and lines:
                run["summary"] = json.loads(lines[-1])
            elif name == "output.log":
                run["output"].extend(lines)
        if sent.get("preempting"):
            run["preempting"] = True
        if sent.get("complete"):
            run["exitcode"] = sent.get("exitcode")
            run["state"] = "finished" if run["exitcode"] == 0 else "failed"
        return True


def _project(entity: str, name: str) -> dict[str, Any]:
    return {
        "id": _gid("Project", entity, name), "internalId": "1", "name": name,
        "entity": {"id": "e", "name": entity}, "entityName": entity, "createdAt": NOW,
        "isBenchmark": False, "user": VIEWER,
    }  # fmt: skip


def _gid(*words: str) -> str:
    return base64.b64encode(":".join(words).encode()).decode()


def _run(r: dict[str, Any]) -> dict[str, Any]:
    tail = lambda rows: json.dumps([json.dumps(x) for x in rows[-1:]])
    return {
        "id": r["gid"], "name": r["id"], "displayName": r["displayName"] or r["id"],
        "description": "", "notes": None, "projectId": "1", "config": json.dumps(r["config"]),
        "summaryMetrics": json.dumps(r["summary"]), "sweepName": None,
        "historyLineCount": len(r["history"]), "eventsLineCount": len(r["events"]),
        "logLineCount": len(r["output"]), "historyTail": tail(r["history"]),
        "eventsTail": tail(r["events"]), "historyKeys": None, "state": r["state"],
        "tags": r["tags"], "group": r["group"], "jobType": r["jobType"], "commit": None,
        "createdAt": NOW, "heartbeatAt": NOW, "updatedAt": NOW, "user": VIEWER, "readOnly": False,
        "wandbConfig": json.dumps({"t": 1}), "stopped": False, "runCount": 1,
        "files": {"edges": []}, "project": _project(r["entity"], r["project"]),
    }  # fmt: skip


def _upsert_run(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    name = v.get("name") or uuid.uuid4().hex[:8]
    key = f"{entity}/{project}/{name}"
    for other, r in s.runs.items():
        if v.get("id") and r["gid"] == v["id"]:
            key = other
    new = key not in s.runs
    if new:
        s.runs[key] = {
            "id": name, "entity": entity, "project": project,
            "gid": _gid("Run", "v1", name, project, entity), "config": {}, "summary": {},
            "history": [], "rows_received": 0, "events": [], "output": [], "tags": [],
            "group": None, "jobType": None, "state": "running", "displayName": None,
            "exitcode": None, "preempting": False,
        }  # fmt: skip
    r = s.runs[key]
    r["state"] = v.get("state") or "running"
    for given, mine in (("config", "config"), ("summaryMetrics", "summary")):
        if v.get(given):
            r[mine] = json.loads(v[given])
    for given, mine in (("tags", "tags"), ("groupName", "group"), ("jobType", "jobType"),
                        ("displayName", "displayName")):  # fmt: skip
        if v.get(given) is not None:
            r[mine] = v[given]
    return {"upsertBucket": {"bucket": _run(r), "inserted": new}}


def _run_files(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    name = v.get("run") or v.get("name")
    files = [
        {"name": f, "uploadUrl": f"{s.url}/storage/{entity}/{project}/{name}/{f}"}
        for f in v.get("files", [])
    ]
    return {"createRunFiles": {"runID": name, "uploadHeaders": [], "files": files}}


def _artifact(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    key = uuid.uuid4().hex
    s.artifacts[key] = {"about": v, "committed": False, "files": []}
    return {"createArtifact": {"artifact": {
        "id": key, "state": "PENDING",
        "artifactSequence": {"id": f"seq{key}", "latestArtifact": None},
    }}}  # fmt: skip


def _manifest(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    url = f"{s.url}/storage/artifacts/{v.get('artifactID')}/manifest.json"
    file = {"id": "f", "name": "m", "displayName": "m", "uploadUrl": url, "uploadHeaders": []}
    verb = "updateArtifactManifest" if "updateArtifactManifest" in query else (
        "createArtifactManifest"
    )  # fmt: skip
    return {verb: {"artifactManifest": {"id": f"man-{v.get('artifactID')}", "file": file}}}


def _artifact_files(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    edges = []
    for i, spec in enumerate(v.get("artifactFiles") or []):
        owner = spec.get("artifactID")
        s.artifacts[owner]["files"].append(spec["name"])
        edges.append({"node": {
            "id": f"f{i}", "name": spec["name"], "displayName": spec["name"], "storagePath": "x",
            "uploadHeaders": [], "uploadMultipartUrls": None, "artifact": {"id": owner},
            "uploadUrl": f"{s.url}/storage/artifacts/{owner}/{spec['name']}",
        }})  # fmt: skip
    return {"createArtifactFiles": {"files": {"edges": edges}}}


def _commit(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    s.artifacts[v["artifactID"]]["committed"] = True
    return {"commitArtifact": {"artifact": {"id": v["artifactID"], "digest": "d"}}}


def _upsert_view(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    key = v.get("id") or uuid.uuid4().hex
    new = key not in s.views
    s.views[key] = {**s.views.get(key, {}), **{k: x for k, x in v.items() if x is not None}}
    view = s.views[key]
    view["id"] = key
    return {"upsertView": {"inserted": new, "view": {
        **_view(view), "project": {"id": "1", "name": project, "entityName": entity},
    }}}  # fmt: skip


def _view(view: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "name", "type", "displayName", "description", "spec")
    return {**{k: view.get(k) for k in names}, "updatedAt": NOW, "createdAt": NOW, "user": VIEWER}


def _views(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    edges = [
        {"node": _view(x)} for x in s.views.values() if x.get("name") == v.get("viewName")
    ]  # fmt: skip
    return {"project": {"allViews": {"edges": edges}}}


def _one_view(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    view = s.views[v.get("reportId") or v.get("id")]
    about = {"id": "1", "name": view.get("projectName") or project,
             "entityName": view.get("entityName") or entity}  # fmt: skip
    return {"view": {**_view(view), "project": about}}


def _runs(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    mine = [r for r in s.runs.values() if (r["entity"], r["project"]) == (entity, project)]
    mine = [r for r in mine if _matches(r, json.loads(v.get("filters") or "{}"))]
    first = int(v.get("cursor") or 0)
    page = mine[first : first + (v.get("perPage") or 50)]
    after = first + len(page)
    return {"project": {**_project(entity, project), "readOnly": False, "runCount": len(mine),
        "runs": {"totalCount": len(mine),
                 "edges": [{"node": _run(r), "cursor": str(after)} for r in page],
                 "pageInfo": {"endCursor": str(after), "hasNextPage": after < len(mine)}}}}  # fmt: skip


def _matches(run: dict[str, Any], filters: dict[str, Any]) -> bool:
    """The one filter that our code uses: {"name": {"$in": [...]}}."""
    wanted = filters.get("name", {}).get("$in")
    return wanted is None or run["id"] in wanted


def _one_run(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    name = v.get("name") or v.get("run") or v.get("runName")
    r = s.runs.get(f"{entity}/{project}/{name}")
    if r is None:
        return {"model": None, "project": None}
    bucket = {**_run(r), "history": [json.dumps(x) for x in r["history"]]}
    about = _project(entity, project)
    return {"model": {**about, "bucket": bucket}, "project": {**about, "run": bucket,
                                                              "bucket": bucket}}  # fmt: skip


def _same(name: str, value: Any):
    return lambda s, query, v, entity, project: {name: value}


def _types(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    asked = re.findall(r"(\w+)\s*:\s*__type", query)
    return dict.fromkeys(asked) or {"__type": None, "__schema": None}


def _server_info(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    return {"viewer": VIEWER, "serverInfo": {
        "cliVersionInfo": {"max_cli_version": "99.0.0"}, "latestLocalVersionInfo": None,
        "features": [], "codeSavingEnabled": True,
    }}  # fmt: skip


def _the_project(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    about = _project(entity, v.get("name") or project)
    return {"project": about, "model": about}


def _projects(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    mine = sorted({r["project"] for r in s.runs.values() if r["entity"] == entity})
    edges = [{"node": _project(entity, name), "cursor": "c"} for name in mine]
    return {"models": {"edges": edges, "pageInfo": {"endCursor": None, "hasNextPage": False}}}


def _new_project(s: Loopback, query: str, v: dict, entity: str, project: str) -> dict:
    about = _project(entity, v.get("name") or project)
    return {"upsertModel": {"model": about, "project": about, "inserted": True}}


_ANSWERS = [
    (r"upsertBucket", _upsert_run), (r"createRunFiles", _run_files),
    (r"createArtifactFiles", _artifact_files), (r"[a-z]+ArtifactManifest\b", _manifest),
    (r"commitArtifact", _commit), (r"createArtifact\s*\(", _artifact),
    (r"upsertView", _upsert_view), (r"allViews", _views), (r"\bview\s*\(", _one_view),
    (r"\bmodels\s*\(", _projects),
    (r"upsertModel", _new_project), (r"__(type|schema)\b", _types),
    (r"query ArtifactType\b", _same("project", {"artifact": None})),
    (r"serverFeatures|serverInfo", _server_info), (r"\bruns\s*\(", _runs),
    (r"\b(bucket|run)\s*\(\s*name", _one_run), (r"viewer", _same("viewer", VIEWER)),
    (r"\b(project|model)\s*\(", _the_project),
]  # fmt: skip


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    loopback: Loopback

    def __init__(self, *args) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request, client_address) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address) -> None:
        pass  # a client that hung up, or a connection that `kill` cut


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *args) -> None:
        pass

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            content = b""
            while size := int(self.rfile.readline().strip(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(content) if self.headers.get("Content-Encoding") else content

    def _reply(self, data: Any, code: int = 200) -> None:
        content = json.dumps(data).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _any(self) -> None:
        s, body = self.server.loopback, self._body()
        path = unquote(urlparse(self.path).path)
        if s.mode == "hang":
            s.released.wait()
            self.close_connection = True
            return
        if s.mode == "500":
            return self._reply({"error": "down"}, 500)
        with s.lock:
            if path == "/graphql":
                asked = json.loads(body)
                return self._reply({
                    "data": s.graphql(asked.get("query", ""), asked.get("variables") or {})
                })  # fmt: skip
            match = re.fullmatch(r"/files/(.+)/file_stream", path)
            if match:
                known = s.file_stream(match.group(1), json.loads(body))
                return self._reply({"exitcode": None, "limits": {}}, 200 if known else 404)
            if path.startswith("/storage/") and self.command == "PUT":
                s.files[path.removeprefix("/storage/")] = body
                return self._reply({})
            self._reply({"ok": True}, 200 if path in ("/healthz", "/") else 404)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _any
