"""The operator's page without a browser: who is let in, what is changed, and what is refused."""

import asyncio
import base64
import errno
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from bot import documents
from bot.documents import Documents, Operator
from ingest.build import ingest
from ingest.errors import DocumentError, UsageError
from ingest.index import live_name, load_live
from ingest.report import Report
from ingest.store import DocumentStore, Job
from tests.conftest import GUIDE, FakeEncoder

OWN = [(b"host", b"127.0.0.1:7860"), (b"x-guide-chat", b"1")]
LOCAL = Operator(is_server_local=True)


class Desk:
    """The operator's page over a corpus, asked as a web server would."""

    def __init__(self, corpus: Path, folder: Path, operator: Operator) -> None:
        self.corpus, self.folder = corpus, folder
        self.gate = threading.Event()
        self.gate.set()

        def run(is_forced: bool, progress: Callable[[str, int, int], None]) -> Report:
            assert self.gate.wait(20)
            return ingest(
                [corpus], folder, is_forced=is_forced, progress=progress, make_encoder=lambda _: FakeEncoder()
            )

        self.store = DocumentStore(corpus, folder, run)
        self.app = Documents(self._chat_page, self.store, operator, "Plants <&>")

    async def _chat_page(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"chat"})

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: list[tuple[bytes, bytes]] | None = None,
        client: str = "127.0.0.1",
    ) -> tuple[int, bytes]:
        sent: list[dict[str, Any]] = []
        parts = [body[: len(body) // 2], body[len(body) // 2 :]]

        async def receive() -> dict[str, Any]:
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),  # as a server gives it
            "headers": OWN if headers is None else headers,
            "client": (client, 1),
        }
        # In a thread of its own: the browser tests leave an event loop running in this one.
        thread = threading.Thread(target=lambda: asyncio.run(self.app(scope, receive, send)), daemon=True)
        thread.start()
        thread.join(60)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])

    def overview(self) -> dict[str, Any]:
        status, body = self.ask("GET", "/documents/overview")
        assert status == 200
        overview: dict[str, Any] = json.loads(body)["overview"]
        return overview

    def states(self) -> dict[str, str]:
        return {item["source"]: item["state"] for item in self.overview()["documents"]}

    def ingest(self, path: str = "/documents/ingest") -> Job:
        assert self.ask("POST", path)[0] == 200
        return self.wait()

    def wait(self) -> Job:
        end = time.monotonic() + 60
        while self.store.job.is_running:
            assert time.monotonic() < end
            time.sleep(0.01)
        return self.store.job


@pytest.fixture
def desk(corpus: Path, tmp_path: Path) -> Desk:
    return Desk(corpus, tmp_path / "index", LOCAL)


# --- who is let in ---------------------------------------------------------------------------------


def basic(word: str) -> tuple[bytes, bytes]:
    return b"authorization", b"Basic " + base64.b64encode(f"anyone:{word}".encode())


@pytest.mark.parametrize("path", ["/documents", "/documents/overview"])
@pytest.mark.parametrize(
    ("operator", "client", "headers", "status"),
    [
        (LOCAL, "127.0.0.1", OWN, 200),
        (LOCAL, "::1", [(b"host", b"[::1]:7860")], 200),
        (LOCAL, "127.0.0.1", [(b"host", b"localhost:7860")], 200),
        (LOCAL, "192.168.1.5", OWN, 403),
        (LOCAL, "127.0.0.1", [(b"host", b"evil.example:7860")], 403),  # a name that points here
        (LOCAL, "127.0.0.1", [], 403),
        (LOCAL, "127.0.0.1", [*OWN, (b"x-forwarded-for", b"203.0.113.9")], 403),  # through a proxy
        (Operator(is_server_local=False), "127.0.0.1", OWN, 403),
        (Operator(False, "sesame"), "203.0.113.9", [*OWN, basic("sesame")], 200),
        (Operator(False, "sesame"), "203.0.113.9", [*OWN, basic("sesam")], 401),
        (Operator(True, "sesame"), "127.0.0.1", OWN, 401),
        (Operator(True, "sesame"), "127.0.0.1", [*OWN, (b"authorization", b"Basic %%%")], 401),
        (Operator(True, "sesame"), "127.0.0.1", [*OWN, (b"authorization", b"Bearer sesame")], 401),
    ],
)
def test_only_the_operator_is_let_in(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    operator: Operator,
    client: str,
    headers: list[tuple[bytes, bytes]],
    status: int,
) -> None:
    monkeypatch.setattr(documents, "_SETTLE_S", 0.0)
    desk = Desk(corpus, tmp_path / "index", operator)
    found, body = desk.ask("GET", path, headers=headers, client=client)
    assert found == status
    assert (b"plants.md" in body or b"Plants &lt;&amp;&gt;" in body) == (status == 200)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"127.0.0.1:7860")],
        [*OWN, (b"origin", b"http://evil.example")],
    ],
)
def test_a_change_that_another_page_asks_for_is_refused(
    desk: Desk, headers: list[tuple[bytes, bytes]]
) -> None:
    for method, path in (("PUT", "/files/a.md"), ("DELETE", "/files/plants.md"), ("POST", "/ingest")):
        assert desk.ask(method, f"/documents{path}", b"# A", headers)[0] == 403
    assert sorted(path.name for path in desk.corpus.iterdir()) == ["guide.toml", "plants.md"]
    assert desk.store.job == Job()


def test_everything_else_is_the_chat_page_s(desk: Desk) -> None:
    assert desk.ask("GET", "/") == desk.ask("GET", "/documentsx") == (299, b"chat")
    assert desk.ask("GET", "/documents/nothing")[0] == 404
    assert desk.ask("POST", "/documents/nothing")[0] == 404


# --- what is changed -------------------------------------------------------------------------------


def test_documents_are_put_in_replaced_removed_and_ingested(desk: Desk) -> None:
    assert desk.states() == {"plants.md": "new"}
    job = desk.ingest()
    assert job.report is not None
    assert desk.states() == {"plants.md": "live"}
    text = "# Knives\n\nHold the blade at an angle.\n"
    assert desk.ask("PUT", "/documents/files/sharp%20knives.md", text.encode())[0] == 200
    changed = GUIDE.replace("once a week", "twice a week").encode()
    assert desk.ask("PUT", "/documents/files/plants.md", changed)[0] == 200
    assert desk.states() == {"plants.md": "changed", "sharp knives.md": "new"}
    desk.ingest()
    assert desk.states() == {"plants.md": "live", "sharp knives.md": "live"}
    assert any("twice a week" in passage.text for passage in load_live(desk.folder).passages)
    assert desk.ask("DELETE", "/documents/files/sharp%20knives.md")[0] == 200
    assert desk.states() == {"plants.md": "live", "sharp knives.md": "removed"}
    desk.ingest()
    assert desk.states() == {"plants.md": "live"}
    aside = sorted(path.name.split("-", 3)[3] for path in (desk.corpus / ".removed").iterdir())
    assert aside == ["plants.md", "sharp knives.md"]


def test_a_name_with_a_percent_sign_is_kept_as_it_is(desk: Desk) -> None:
    assert desk.ask("PUT", "/documents/files/50%2541.md", b"# Knives\n\nHold the blade.\n")[0] == 200
    assert desk.states() == {"50%41.md": "new", "plants.md": "new"}
    assert desk.ask("DELETE", "/documents/files/50%2541.md")[0] == 200
    assert desk.states() == {"plants.md": "new"}


def test_a_file_that_cannot_be_read_is_shown_as_failed_until_it_is_another(desk: Desk) -> None:
    (desk.corpus / "broken.pdf").write_bytes(b"no PDF")
    (desk.corpus / "copy.md").write_text(GUIDE)
    assert desk.states() == {"broken.pdf": "new", "copy.md": "new", "plants.md": "new"}
    for _ in range(2):  # the second finds nothing to do
        desk.ingest()
        broken, copy, plants = desk.overview()["documents"]
        assert (broken["state"], copy["state"]) == ("failed", "live")
        assert broken["why"].startswith("broken.pdf ")
        assert plants["why"] == "a copy of copy.md"
    (desk.corpus / "broken.pdf").write_bytes(b"no PDF either")
    assert desk.states()["broken.pdf"] == "new"
    changed = desk.corpus / "copy.md"
    changed.write_bytes(b"\x00")
    desk.ingest()
    assert desk.states()["copy.md"] == "failed"  # its earlier passages stay


def test_where_no_file_can_be_read_each_is_shown_as_failed(desk: Desk) -> None:
    (desk.corpus / "plants.md").write_bytes(b"")
    assert "empty file" in desk.ingest().problem
    assert desk.states() == {"plants.md": "failed"}


def test_an_ingest_that_was_begun_elsewhere_is_shown_too(desk: Desk) -> None:
    (desk.corpus / "broken.pdf").write_bytes(b"no PDF")
    report = ingest([desk.corpus], desk.folder, make_encoder=lambda _: FakeEncoder())
    desk.store.note(report)
    assert desk.store.job == Job(report=report)
    assert desk.states() == {"broken.pdf": "failed", "plants.md": "live"}


def test_an_earlier_generation_is_gone_back_to(desk: Desk) -> None:
    desk.ingest()
    first = live_name(desk.folder)
    desk.ask("PUT", "/documents/files/plants.md", GUIDE.replace("once a week", "twice a week").encode())
    desk.ingest()
    assert desk.ask("POST", f"/documents/live/{first}")[0] == 200
    assert live_name(desk.folder) == first
    generations = desk.overview()["generations"]
    assert [item["is_live"] for item in generations] == [False, True]
    status, body = desk.ask("POST", "/documents/live/000009-0123abcd")
    assert status == 400
    assert b"There is no generation 000009-0123abcd" in body
    assert desk.ask("POST", "/documents/live/../../x")[0] == 400


def test_one_ingest_runs_at_a_time_and_its_progress_is_told(desk: Desk) -> None:
    desk.gate.clear()
    assert desk.ask("POST", "/documents/ingest")[0] == 200
    status, body = desk.ask("POST", "/documents/ingest")
    assert (status, json.loads(body)["problem"][:30]) == (409, "An ingest is running already; ")
    assert json.loads(desk.ask("GET", "/documents/overview")[1])["job"]["is_running"] is True
    desk.gate.set()
    assert desk.wait().report is not None


def test_a_failing_ingest_is_told_and_the_next_one_runs(desk: Desk) -> None:
    (desk.corpus / "guide.toml").write_text("titel = 1")
    assert "did you mean title?" in desk.ingest().problem
    assert "did you mean title?" in desk.overview()["problem"]
    (desk.corpus / "guide.toml").write_text('title = "T"')
    assert desk.ingest().report is not None


@pytest.mark.parametrize(
    "name",
    [
        "../a.md",
        "a/b.md",
        "..",
        ".a.md",
        "~a.md",
        "a.exe",
        "a",
        "",
        "a\\b.md",
        "C:a.md",
        "a\n.md",
        "a" * 200 + ".md",
    ],
)
def test_a_name_that_is_none_of_a_document_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(UsageError):
        desk.store.save(name, b"words")
    with pytest.raises(UsageError):
        desk.store.remove(name)
    assert sorted(path.name for path in desk.corpus.iterdir()) == ["guide.toml", "plants.md"]


def test_an_upload_that_is_too_large_is_refused_while_it_comes(desk: Desk) -> None:
    (desk.corpus / "guide.toml").write_text('title = "T"\n[limits]\nmax_document_mib = 1\n')
    status, body = desk.ask("PUT", "/documents/files/a.md", b"x" * (3 << 20))
    assert (status, json.loads(body)["problem"]) == (413, "That is more than 1 MiB; split the document.")
    with pytest.raises(DocumentError, match="more than 1 MiB"):
        desk.store.save("a.md", b"x" * (3 << 20))
    assert not (desk.corpus / "a.md").exists()


@pytest.mark.parametrize("name", ["README.md", "LICENSE.txt", "changelog.PDF"])
def test_a_name_that_is_passed_over_in_every_folder_is_refused_with_that_reason(
    desk: Desk, name: str
) -> None:
    status, body = desk.ask("PUT", f"/documents/files/{name}", b"# A\n\nWords.\n")
    assert status == 400
    assert json.loads(body)["problem"] == (
        f"{name} was not saved: a file of that name tells of the folder and is passed over, whatever "
        "sources in guide.toml says; give it another name."
    )
    assert sorted(path.name for path in desk.corpus.iterdir()) == ["guide.toml", "plants.md"]


def test_an_upload_onto_a_full_disk_is_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    status, body = desk.ask("PUT", "/documents/files/a.md", b"# A\n\nWords.\n")
    assert status == 500
    assert json.loads(body)["problem"].startswith(f"{desk.corpus / 'a.md'} cannot be written: No space left")


def test_a_document_that_guide_toml_does_not_name_is_told(desk: Desk) -> None:
    (desk.corpus / "guide.toml").write_text('title = "T"\nsources = ["plants.md"]\n')
    status, body = desk.ask("PUT", "/documents/files/a.md", b"# A\n\nWords.\n")
    assert status == 400
    assert "guide.toml names the files that are read (sources)" in json.loads(body)["problem"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_program_ends_the_ingest_and_is_said(tmp_path: Path) -> None:
    """Ensures that the page does not wait for an ingest that will never end."""

    def run(is_forced: bool, progress: Callable[[str, int, int], None]) -> Report:
        raise KeyError("a fault")

    store = DocumentStore(tmp_path, tmp_path / "index", run)
    assert store.start_ingest()
    for thread in threading.enumerate():
        if thread.name == "ingest":
            thread.join(20)
    assert not store.job.is_running
    assert store.job.problem.startswith("The ingest failed by a fault of the program")
