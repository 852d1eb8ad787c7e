"""The folder of documents as its operator handles it: what is there, put in, taken out, ingested.

Takes files by name, gives an overview and the state of the ingest that runs in a thread of its own. A
file that is replaced or removed is moved into a hidden folder beside the others, from where it can be
fetched back by hand.
"""

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ingest.errors import DocumentError, GuideError, UsageError, explain_os_error
from ingest.index import SourceEntry, activate, list_generations, live_name, read_manifest
from ingest.lock import hold_lock
from ingest.readers import SUPPORTED_SUFFIXES
from ingest.report import DocumentState, Report
from ingest.sources import FALLBACK_CONFIG, find_sources, has_ignored_name, read_setup

__all__ = ["DocumentStore", "GenerationInfo", "Job", "Overview", "SourceInfo"]


_REMOVED = ".removed"  # hidden, so that no ingest reads it
_MAX_NAME_CHARS = 150


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A document in the folder or in the index.

    :param date: When the file was last written, ISO 8601; "" where there is none any more.
    :param state: "live"; what the next ingest will do: "new", "changed" or "removed"; or what the last made
        of the file as it is: "failed" or "duplicate".
    :param why: What the last ingest said to that, else "".
    """

    source: str
    pages: int
    passages: int
    date: str
    state: str
    notices: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class GenerationInfo:
    """A generation that is still there."""

    name: str
    created: str
    documents: int
    passages: int
    is_live: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """What the operator sees.

    :param problem: Why there is no live index or no list of files, else "".
    """

    documents: tuple[SourceInfo, ...]
    generations: tuple[GenerationInfo, ...]
    suffixes: tuple[str, ...]
    max_document_mib: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """The ingest that runs, or the last that ran.

    :param what: The stage ("reading", "encoding"), with ``done`` of ``total``.
    """

    is_running: bool = False
    what: str = ""
    done: int = 0
    total: int = 0
    report: Report | None = None
    problem: str = ""


Run = Callable[[bool, Callable[[str, int, int], None]], Report]  # (is_forced, progress)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class DocumentStore:
    """A folder of documents and its index.

    :param run: Ingests the folder.
    """

    def __init__(self, corpus: Path, index_dir: Path, run: Run, config: Path | None = None) -> None:
        self._corpus = corpus
        self._index_dir = index_dir
        self._config = config
        self._run = run
        self._job = Job()
        self._left: dict[tuple[str, str], tuple[str, str]] = {}  # name, checksum -> state, why: not taken in
        self._lock = threading.Lock()

    @property
    def job(self) -> Job:
        """The ingest that runs, or the last that ran."""
        return self._job

    def overview(self) -> Overview:
        """List the documents and the generations."""
        problem = ""
        entries: dict[str, SourceEntry] = {}
        files: dict[str, Path] = {}
        max_document_mib = 0
        try:
            files = self._files()
            max_document_mib = self._max_document_mib()
        except GuideError as exc:
            problem = str(exc)
        try:
            manifest = read_manifest(self._index_dir, live_name(self._index_dir))
            entries = {entry.source: entry for entry in manifest.sources}
        except GuideError as exc:
            problem = problem or str(exc)
        names = sorted({*files, *entries})
        return Overview(
            documents=tuple(self._info(name, files.get(name), entries.get(name)) for name in names),
            generations=tuple(self._generations()),
            suffixes=tuple(sorted(SUPPORTED_SUFFIXES)),
            max_document_mib=max_document_mib,
            problem=problem,
        )

    def _files(self) -> dict[str, Path]:
        setup = read_setup([self._corpus], self._config, FALLBACK_CONFIG)
        return find_sources([self._corpus], setup.guide.sources, setup.folder)

    def _max_document_mib(self) -> int:
        return read_setup([self._corpus], self._config, FALLBACK_CONFIG).guide.reading.max_document_mib

    def _info(self, name: str, path: Path | None, entry: SourceEntry | None) -> SourceInfo:
        date, state, why = "", "removed", ""
        if path is not None:
            date = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
            checksum = _checksum(path)
            state = "live" if entry is not None and entry.sha256 == checksum else "changed"
            state = "new" if entry is None else state
            if state != "live":
                state, why = self._left.get((name, checksum), (state, ""))
        if entry is None:
            return SourceInfo(name, 0, 0, date, state, why=why)
        return SourceInfo(name, entry.pages, entry.passages, date, state, entry.notices, why)

    def _generations(self) -> list[GenerationInfo]:
        try:
            live = live_name(self._index_dir)
        except GuideError:
            live = ""
        found = []
        for name in list_generations(self._index_dir):
            try:
                manifest = read_manifest(self._index_dir, name)
            except GuideError:
                continue  # of another format, or damaged: not one to go back to
            found.append(
                GenerationInfo(name, manifest.created, len(manifest.sources), manifest.passages, name == live)
            )
        return found

    # --- changes -----------------------------------------------------------------------------------

    def _place(self, name: str) -> Path:
        """Give the path of a document that may be written.

        :raises UsageError: If the name is not one of a document in this folder.
        """
        is_plain = name == Path(name).name and "\\" not in name and ":" not in name and name.isprintable()
        if not is_plain or name.startswith((".", "~")) or not 1 <= len(name) <= _MAX_NAME_CHARS:
            raise UsageError(f"{name!r} is not a name for a document; rename the file, without folders.")
        path = self._corpus / name
        if path.suffix.lower() not in SUPPORTED_SUFFIXES:
            known = ", ".join(sorted(SUPPORTED_SUFFIXES))
            raise UsageError(f"{name} is not of a kind that can be read; give one of {known}.")
        if has_ignored_name(path):
            raise UsageError(
                f"{name} was not saved: a file of that name tells of the folder and is passed over, whatever "
                "sources in guide.toml says; give it another name."
            )
        return path

    def save(self, name: str, data: bytes) -> None:
        """Put a document into the folder, in place of one of that name.

        :raises UsageError: If the name is not one of a document.
        :raises DocumentError: If it is too large, or guide.toml names the files that are read and not this.
        """
        path = self._place(name)
        limit = self._max_document_mib()
        if len(data) > limit << 20:
            raise DocumentError(f"{name} has more than {limit} MiB; split it, or raise max_document_mib.")
        staged = self._corpus / f".upload-{os.getpid()}-{threading.get_ident()}"
        try:
            staged.write_bytes(data)
            if path.exists():
                self._put_aside(path)
            staged.replace(path)
        except OSError as exc:  # a full disk does not say which file it is about
            raise OSError(exc.errno, exc.strerror, str(path)) from exc
        finally:
            staged.unlink(missing_ok=True)
        if name not in self._files():
            raise DocumentError(
                f"{name} was saved, but guide.toml names the files that are read (sources), and it is "
                "not one of them; add it there."
            )

    def remove(self, name: str) -> None:
        """Take a document out of the folder.

        :raises UsageError: If there is no such document.
        """
        path = self._files().get(name)
        if path is None or not path.resolve().is_relative_to(self._corpus.resolve()):
            raise UsageError(f"There is no document {name} in {self._corpus}.")
        self._put_aside(path)

    def _put_aside(self, path: Path) -> None:
        folder = self._corpus / _REMOVED
        folder.mkdir(exist_ok=True)
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        path.replace(folder / f"{stamp}-{path.name}")

    def start_ingest(self, is_forced: bool = False) -> bool:
        """Begin an ingest in a thread of its own; False where one runs already."""
        with self._lock:
            if self._job.is_running:
                return False
            self._job = Job(is_running=True)
        threading.Thread(target=self._ingest, args=(is_forced,), daemon=True, name="ingest").start()
        return True

    def _ingest(self, is_forced: bool) -> None:
        def progress(what: str, done: int, total: int) -> None:
            self._job = replace(self._job, what=what, done=done, total=total)

        # Stands where anything else escapes: that ends the thread with its traceback in the log, and the page
        # waits for nothing.
        report, problem = None, "The ingest failed by a fault of the program; its log says where."
        try:
            report = self._run(is_forced, progress)
            self._left_out(report)
            problem = ""
        except DocumentError as exc:  # none could be read
            problem = str(exc)
            self._left = {
                (name, _checksum(path)): (DocumentState.FAILED, problem)
                for name, path in self._files().items()
            }
        except GuideError as exc:
            problem = str(exc)
        except OSError as exc:
            problem = explain_os_error(exc)
        finally:
            self._job = Job(report=report, problem=problem)

    def note(self, report: Report) -> None:
        """Show the report of an ingest that was not begun here, but at the start or by ``--watch``."""
        self._left_out(report)
        with self._lock:
            if not self._job.is_running:
                self._job = Job(report=report)

    def _left_out(self, report: Report) -> None:
        """Keep which files were not taken in as they are, and why."""
        words = {
            document.source: (str(document.state), document.problem or f"a copy of {document.other}")
            for document in report.documents
            if document.state in (DocumentState.FAILED, DocumentState.DUPLICATE)
        }
        files = self._files() if words else {}
        self._left = {(name, _checksum(files[name])): words[name] for name in words if name in files}

    def go_back(self, name: str) -> None:
        """Make an earlier generation live; the next ingest goes by the files again.

        :raises UsageError: If there is no such generation.
        :raises IndexDamagedError: If it is damaged.
        :raises IndexLockedError: If an ingest is running.
        """
        with hold_lock(self._index_dir):
            activate(self._index_dir, name)
