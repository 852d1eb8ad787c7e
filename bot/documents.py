"""The operator's page at /documents: HTTP in front of the folder of documents.

Takes a document store, gives an ASGI middleware that stands before the chat page. It knows neither Gradio nor
how an ingest works. Only the operator is let in: a browser on this machine while the server listens on
this machine alone, or whoever gives the operator's password. docs/decisions/0013-documents-page.md.
"""

import asyncio
import base64
import binascii
import dataclasses
import hmac
import html
import ipaddress
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from ingest.errors import DocumentError, GuideError, explain_os_error

__all__ = ["Documents", "Operator", "StoreLike"]

DATA = Path(__file__).parent / "data"
PATH = "/documents"
MIB = 1 << 20
_SETTLE_S = 1.0  # after a wrong password, so that guessing takes long
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")  # a proxy speaks for somebody else

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class StoreLike(Protocol):
    """What the page needs of the folder of documents."""

    @property
    def job(self) -> Any:
        """The ingest that runs or ran, a dataclass."""

    def overview(self) -> Any:
        """List the documents and the generations; gives a dataclass."""

    def save(self, name: str, data: bytes) -> None:
        """Put a document into the folder."""

    def remove(self, name: str) -> None:
        """Take a document out of the folder."""

    def start_ingest(self, is_forced: bool) -> bool:
        """Begin an ingest; False where one runs already."""

    def go_back(self, name: str) -> None:
        """Make an earlier generation live."""


@dataclasses.dataclass(frozen=True, slots=True)
class Operator:
    """Who may handle the documents.

    :param is_server_local: The server listens on this machine alone.
    :param password: The operator's, "" for none: then only this machine is let in.
    """

    is_server_local: bool
    password: str = ""


class _RefusedError(Exception):
    """What ends a request early: a status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _has_password(headers: dict[bytes, bytes], password: str) -> bool:
    kind, _, given = headers.get(b"authorization", b"").partition(b" ")
    if kind.lower() != b"basic":
        return False
    try:
        word = base64.b64decode(given, validate=True).partition(b":")[2]
    except binascii.Error:
        return False
    return hmac.compare_digest(word, password.encode())


def is_admitted(scope: dict[str, Any], operator: Operator) -> bool:
    """Tell whether a request comes from the operator.

    Without a password: from this machine, to a name of this machine (a page elsewhere may give its own
    name this machine's address), and not through a proxy, which would make everybody local.
    """
    headers = dict(scope["headers"])
    if operator.password:
        return _has_password(headers, operator.password)
    client = (scope.get("client") or ("", 0))[0]
    host = urlsplit(f"//{headers.get(b'host', b'').decode('latin-1')}").hostname or ""
    is_direct = not any(name in headers for name in _FORWARDED)
    return operator.is_server_local and is_direct and _is_loopback(client) and _is_loopback(host)


def _check_origin(scope: dict[str, Any]) -> None:
    """Refuse a change that another site's page asks for in the operator's name."""
    headers = dict(scope["headers"])
    origin = urlsplit(headers.get(b"origin", b"").decode("latin-1")).netloc
    host = headers.get(b"host", b"").decode("latin-1")
    if headers.get(b"x-guide-chat") != b"1" or (origin and origin != host):
        raise _RefusedError(403, "This change was asked for by another page; open the documents page itself.")


async def _read_body(receive: Receive, max_bytes: int) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _RefusedError(400, "The upload was broken off; try again.")
        part = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise _RefusedError(413, f"That is more than {max_bytes // MIB} MiB; split the document.")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def page_html(title: str) -> str:
    """Draw the page; what it shows is fetched by documents.js."""
    style = (DATA / "documents.css").read_text(encoding="utf-8")
    script = (DATA / "documents.js").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Documents · {html.escape(title)}</title><style>{style}</style></head><body>
<header><h1>{html.escape(title)}</h1>
<nav aria-label="Pages"><a href="./">Chat</a>
<a href="documents" aria-current="page">Documents</a></nav></header>
<main>
<p id="problem" role="alert" hidden></p>
<section><div class="head"><h2>Documents</h2>
<label class="button" id="add">Add or replace<input id="file" type="file" multiple></label></div>
<p class="hint" id="kinds"></p>
<table id="documents"><thead><tr><th>Document</th><th class="n">Pages</th><th class="n">Passages</th>
<th>Date</th><th>State</th><th><span class="unseen">Remove</span></th></tr></thead>
<tbody></tbody></table></section>
<section><div class="head"><h2>Ingest</h2><button id="ingest" class="main">Re-ingest</button></div>
<p class="hint">Changes of the files are answered from after the next ingest.</p>
<div id="running" hidden><progress id="bar"></progress> <span id="stage"></span></div>
<div id="report" aria-live="polite"></div></section>
<section><h2>Versions</h2><p class="hint">Going back holds until the next ingest.</p>
<table id="generations"><thead><tr><th>Version</th><th>Made</th><th class="n">Documents</th>
<th class="n">Passages</th><th><span class="unseen">Go back</span></th></tr></thead>
<tbody></tbody></table></section>
</main><script>{script}</script></body></html>"""


class Documents:
    """ASGI middleware that answers /documents and what lies below it, and passes everything else on."""

    def __init__(self, app: Any, store: StoreLike, operator: Operator, title: str) -> None:
        self.app = app
        self._store = store
        self._operator = operator
        self._title = title
        self._outside: dict[str, str] = {}  # saved since the start, but not read: name -> why

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == PATH or path.startswith(PATH + "/")):
            await self.app(scope, receive, send)
            return
        try:
            if not is_admitted(scope, self._operator):
                await self._refuse(send)
                return
            status, kind, body = await self._answer(scope, receive)
        except _RefusedError as exc:
            status, kind, body = exc.status, "application/json", _problem(str(exc))
        except GuideError as exc:
            status, kind, body = 400, "application/json", _problem(str(exc))
        except OSError as exc:
            status, kind, body = 500, "application/json", _problem(explain_os_error(exc))
        await _send(send, status, kind, body)

    async def _refuse(self, send: Send) -> None:
        if self._operator.password:
            await asyncio.sleep(_SETTLE_S)
            challenge = [(b"www-authenticate", b'Basic realm="Documents", charset="UTF-8"')]
            await _send(
                send, 401, "text/plain; charset=utf-8", b"The operator's password is needed.", challenge
            )
            return
        sentence = (
            b"The documents can be handled only on the machine itself. From elsewhere it takes an operator's "
            b"password: start the page with --operator-password-file FILE."
        )
        await _send(send, 403, "text/plain; charset=utf-8", sentence)

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> tuple[int, str, bytes]:
        method, rest = scope["method"], scope["path"].removeprefix(PATH)
        if (method, rest) == ("GET", ""):
            return 200, "text/html; charset=utf-8", page_html(self._title).encode()
        if (method, rest) == ("GET", "/overview"):
            overview = await asyncio.to_thread(self._store.overview)
            read = {document.source for document in overview.documents}
            self._outside = {name: why for name, why in self._outside.items() if name not in read}
            state = {
                "overview": dataclasses.asdict(overview),
                "job": dataclasses.asdict(self._store.job),
                "outside": [{"source": name, "why": why} for name, why in sorted(self._outside.items())],
            }
            return 200, "application/json", json.dumps(state).encode()
        if method not in ("PUT", "DELETE", "POST"):
            raise _RefusedError(404, "There is nothing here.")
        _check_origin(scope)
        await self._change(method, rest, receive)
        return 200, "application/json", b"{}"

    async def _change(self, method: str, rest: str, receive: Receive) -> None:
        store = self._store
        name = rest.removeprefix("/files/")  # the server has decoded it
        if method == "PUT" and rest.startswith("/files/"):
            max_mib = (await asyncio.to_thread(store.overview)).max_document_mib
            data = await _read_body(receive, max_mib * MIB)
            try:
                await asyncio.to_thread(store.save, name, data)
            except DocumentError as exc:  # not its size, which is checked above: it is kept, but not read
                self._outside[name] = str(exc)
                raise
        elif method == "DELETE" and rest.startswith("/files/"):
            await asyncio.to_thread(store.remove, name)
        elif (method, rest) in (("POST", "/ingest"), ("POST", "/ingest/force")):
            if not store.start_ingest(rest.endswith("force")):
                raise _RefusedError(409, "An ingest is running already; wait until it has ended.")
        elif method == "POST" and rest.startswith("/live/"):
            await asyncio.to_thread(store.go_back, rest.removeprefix("/live/"))
        else:
            raise _RefusedError(404, "There is nothing here.")


def _problem(sentence: str) -> bytes:
    return json.dumps({"problem": sentence}).encode()


async def _send(
    send: Send, status: int, kind: str, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    own = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    start = {"type": "http.response.start", "status": status}
    await send({**start, "headers": [*own, (b"cache-control", b"no-store"), *(headers or [])]})
    await send({"type": "http.response.body", "body": body})
