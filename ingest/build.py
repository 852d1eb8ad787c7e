"""The pipeline: files are read, split into passages, encoded and published as a generation.

Takes paths, gives a :class:`Report`. A document that has not changed is not read, a text that has not
changed is not encoded: both are taken over from the live generation. A document that fails keeps the
passages it had and is reported; the others go on. docs/decisions/0010-reingest.md has the reasons.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from ingest.datatypes import Document, Encoder, Matrix, Omission, Page, Passage, ReadingLimits
from ingest.encode import load_encoder
from ingest.errors import DocumentError, GuideError, IndexMismatchError, IndexMissingError, explain_fault
from ingest.gate import Candidate, FindLosses, Judged, find_losses, read_judged
from ingest.index import (
    FORMAT_VERSION,
    Generation,
    Manifest,
    SourceEntry,
    check_encoder,
    check_files,
    discard_staged,
    live_name,
    load_live,
    load_staged,
    max_passage_tokens,
    publish,
    read_manifest,
    same_texts,
    withdraw,
    write_generation,
)
from ingest.lock import hold_lock
from ingest.passages import move_passages, split_passages
from ingest.readers import SUPPORTED_SUFFIXES
from ingest.report import DocumentReport, DocumentState, Report, compare_passages
from ingest.sources import FALLBACK_CONFIG, Setup, check_paths, find_sources, find_unread, read_setup
from ingest.views import VIEWS_VERSION, View, make_views
from ingest.worker import DocumentReader

__all__ = ["Progress", "ingest", "reading_revision"]

# Texts that are handed to the encoder at once. It sorts them by length, and long texts beside short ones
# cost the padding of the short ones: handed over by thirty-two, encoding takes a third longer.
TEXTS_AT_ONCE = 512
Progress = Callable[[str, int, int], None]  # (what, done, total)

# What decides how a document becomes passages: our modules and the libraries under them.
_READING_MODULES = (
    "clean", "furniture", "layout", "markdown", "passages", "readers", "sentences", "shapes", "structure",
    "webpage",
)  # fmt: skip
_READING_PACKAGES = ("pypdf", "markdown-it-py", "beautifulsoup4", "mammoth")


@cache
def reading_revision() -> str:
    """Tell one way of reading documents from another: a checksum of the code that does it."""
    state = hashlib.sha256()
    for name in _READING_MODULES:
        state.update((Path(__file__).parent / f"{name}.py").read_bytes())
    for package in _READING_PACKAGES:
        try:
            state.update(f"{package} {version(package)}".encode())
        except PackageNotFoundError:
            state.update(f"{package} is not installed".encode())
    return state.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one document gives to a generation."""

    entry: SourceEntry
    passages: tuple[Passage, ...]
    pages: tuple[Page, ...]
    omissions: tuple[Omission, ...]


@dataclass(slots=True)
class _Gathered:
    """What the documents gave."""

    parts: list[_Part] = field(default_factory=list)
    reports: list[DocumentReport] = field(default_factory=list)

    def add(self, part: _Part | None, report: DocumentReport) -> None:
        """Take what a document gave, None where it gave nothing."""
        if part is not None:
            self.parts.append(part)
        self.reports.append(report)

    @property
    def passages(self) -> tuple[Passage, ...]:
        return tuple(passage for part in self.parts for passage in part.passages)

    @property
    def pages(self) -> dict[str, tuple[Page, ...]]:
        return {part.entry.source: part.pages for part in self.parts}

    @property
    def entries(self) -> tuple[SourceEntry, ...]:
        return tuple(part.entry for part in self.parts)

    @property
    def omissions(self) -> tuple[Omission, ...]:
        return tuple(omission for part in self.parts for omission in part.omissions)


@dataclass(frozen=True, slots=True)
class _Maker:
    """How documents become passages and texts vectors in this ingest."""

    encoder: Encoder
    revision: str

    def has_made_vectors_of(self, manifest: Manifest) -> bool:
        """Tell whether vectors can be taken over: same encoder, views and passage size."""
        try:
            check_encoder(manifest, self.encoder)
        except IndexMismatchError:
            return False
        return True

    def has_made_passages_of(self, manifest: Manifest) -> bool:
        """Tell whether passages can be taken over: read by the same code, measured by the same encoder."""
        return manifest.reading_revision == self.revision and self.has_made_vectors_of(manifest)


# --- what has to be done ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plan:
    """The documents with their checksums ("" where nothing can be read), and those that repeat another.

    :param duplicates: Name of a source -> the source with the same bytes that stands for both.
    """

    sources: Mapping[str, Path]
    checksums: Mapping[str, str]
    duplicates: Mapping[str, str]


def _checksum(path: Path) -> str:
    try:
        with path.open("rb") as file:
            is_empty = path.stat().st_size == 0  # empty files are no copies of one another
            return "" if is_empty else hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""  # reading it will say why


def _make_plan(sources: Mapping[str, Path], manifest: Manifest | None) -> _Plan:
    """Find out what the files hold; of equal files the one that is in the index already stands for all."""
    checksums = {source: _checksum(path) for source, path in sources.items()}
    live = {(entry.source, entry.sha256) for entry in manifest.sources} if manifest else set()
    first: dict[str, str] = {}
    for source, checksum in sorted(checksums.items(), key=lambda item: (item not in live, item[0])):
        if checksum:
            first.setdefault(checksum, source)
    duplicates = {s: first[c] for s, c in checksums.items() if c and first[c] != s}
    return _Plan(
        sources={source: path for source, path in sources.items() if source not in duplicates},
        checksums={source: c for source, c in checksums.items() if source not in duplicates},
        duplicates=duplicates,
    )


def _find_moves(plan: _Plan, entries: Mapping[str, SourceEntry]) -> dict[str, str]:
    """Find the files that have another name now, also where names were exchanged: name -> earlier name."""
    held = {entry.sha256: name for name, entry in entries.items()}
    return {
        source: held[checksum]
        for source, checksum in plan.checksums.items()
        if checksum in held and (source not in entries or entries[source].sha256 != checksum)
    }


def _list_to_read(plan: _Plan, manifest: Manifest | None, maker: _Maker) -> list[str]:
    """List the sources that cannot be taken over, under whatever name."""
    if manifest is None or not maker.has_made_passages_of(manifest):
        return list(plan.sources)
    held = {entry.sha256 for entry in manifest.sources}
    return [source for source, checksum in plan.checksums.items() if checksum not in held]


def _read_live_manifest(index_dir: Path) -> tuple[str, Manifest] | None:
    """Read the manifest of the live generation if each of its files is whole."""
    try:
        name = live_name(index_dir)
        manifest = read_manifest(index_dir, name)
        check_files(index_dir, name, manifest)
    except GuideError:
        return None
    return name, manifest


def _load_previous(index_dir: Path) -> Generation | None:
    """Load the live generation where it can be read."""
    try:
        return load_live(index_dir)
    except GuideError:
        return None  # nothing there, damaged, or of another format: everything is made anew


# --- one document ----------------------------------------------------------------------------------


def _parts_of(live: Generation) -> dict[str, _Part]:
    """Take a generation apart into what each document gave."""
    passages: dict[str, list[Passage]] = {entry.source: [] for entry in live.manifest.sources}
    omissions: dict[str, list[Omission]] = {entry.source: [] for entry in live.manifest.sources}
    for passage in live.passages:
        passages[passage.source].append(passage)
    for omission in live.manifest.omissions:
        omissions[omission.source].append(omission)
    return {
        entry.source: _Part(
            entry, tuple(passages[entry.source]), live.pages[entry.source], tuple(omissions[entry.source])
        )
        for entry in live.manifest.sources
    }


def _move(part: _Part, source: str) -> _Part:
    """Give what a document gives under another name."""
    return _Part(
        replace(part.entry, source=source),
        move_passages(part.passages, source),
        part.pages,
        tuple(replace(omission, source=source) for omission in part.omissions),
    )


def _notices(document: Document) -> tuple[str, ...]:
    # The report names the document once; a notice outlives a change of its name.
    return tuple(warning.removeprefix(f"{document.source}: ") for warning in document.warnings)


def _read_part(path: Path, source: str, maker: _Maker, reader: DocumentReader) -> _Part:
    reading = reader.read(path, source)
    document = reading.document
    encoder = maker.encoder
    passages = split_passages(document, reading.blocks, encoder.count_tokens, max_passage_tokens(encoder))
    notices = _notices(document)
    if not passages:
        noted = "".join(f" Note: {notice}" for notice in notices)
        raise DocumentError(
            f"{source} gave no passage to answer from (nothing but headings or left-out text); "
            f"look at the file.{noted}"
        )
    entry = SourceEntry(source, document.sha256, len(document.pages), len(passages), notices)
    return _Part(entry, tuple(passages), document.pages, reading.omissions)


def _report_part(part: _Part, before: _Part | None, state: DocumentState, other: str = "") -> DocumentReport:
    counts = compare_passages(before.passages if before is not None else (), part.passages)
    return DocumentReport(
        source=part.entry.source,
        state=state,
        pages=part.entry.pages,
        passages=part.entry.passages,
        added=counts.added,
        changed=counts.changed,
        kept=counts.kept,
        removed=counts.removed,
        omissions=part.omissions,
        notices=part.entry.notices,
        other=other,
    )


def _report_read(part: _Part, before: _Part | None) -> DocumentReport:
    if before is None:
        return _report_part(part, None, DocumentState.ADDED)
    is_same = before.entry.sha256 == part.entry.sha256 and before.passages == part.passages
    return _report_part(part, before, DocumentState.KEPT if is_same else DocumentState.CHANGED)


def _report_failure(source: str, problem: str, entry: SourceEntry | None) -> DocumentReport:
    kept = entry.passages if entry is not None else 0
    return DocumentReport(source, DocumentState.FAILED, passages=kept, kept=kept, problem=problem)


# --- all documents ---------------------------------------------------------------------------------


@dataclass(slots=True)
class _Readings:
    """What the documents gave that had to be read; each is read once in an ingest.

    :param problems: Name of a source -> why it could not be read.
    """

    sources: Mapping[str, Path]
    maker: _Maker
    limits: ReadingLimits
    progress: Progress
    parts: dict[str, _Part] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def __contains__(self, source: str) -> bool:
        return source in self.parts or source in self.problems

    def __len__(self) -> int:
        return len(self.parts) + len(self.problems)

    def read(self, sources: Sequence[str]) -> None:
        """Read those of the documents that have not been read."""
        missing = [source for source in sources if source not in self]
        if not missing:
            return
        with DocumentReader(self.limits) as reader:
            for done, source in enumerate(missing):
                self.progress("reading", done, len(missing))
                try:
                    self.parts[source] = _read_part(self.sources[source], source, self.maker, reader)
                except DocumentError as exc:
                    self.problems[source] = str(exc)
                except GuideError:  # the encoder's, which no document is to blame for
                    raise
                except Exception as exc:  # noqa: BLE001 - whatever a document brings about, the others go on
                    self.problems[source] = explain_fault(source, exc)
        self.progress("reading", len(missing), len(missing))


def _gather(plan: _Plan, readings: _Readings, live: Generation | None) -> _Gathered:
    """Put together what was read and what is taken over; where reading failed, what was there before stays.

    :param live: What the documents gave before; whatever was not read is taken over from it.
    """
    gathered = _Gathered()
    befores = _parts_of(live) if live is not None else {}
    entries = {name: part.entry for name, part in befores.items()}
    moves = {new: old for new, old in _find_moves(plan, entries).items() if new not in readings}
    moved = set(moves.values())
    for source in plan.sources:
        # What stood under a name goes with its file, also where another file has the name now.
        before = befores.get(source) if source not in moved else None
        if source in readings.parts:
            part = readings.parts[source]
            gathered.add(part, _report_read(part, before))
        elif source in readings.problems:
            entry = before.entry if before is not None else None
            gathered.add(before, _report_failure(source, readings.problems[source], entry))
        elif source in moves:
            part = _move(befores[moves[source]], source)
            gathered.add(part, _report_part(part, part, DocumentState.RENAMED, moves[source]))
        else:
            part = befores[source]
            gathered.add(part, _report_part(part, part, DocumentState.KEPT))
    gathered.reports += _report_absent(plan, entries, moved)
    return gathered


def _report_absent(
    plan: _Plan, entries: Mapping[str, SourceEntry], renamed: set[str]
) -> list[DocumentReport]:
    """Report what gives nothing to the index: duplicates, and sources that were taken away."""
    reports = [
        DocumentReport(
            source,
            DocumentState.DUPLICATE,
            removed=entries[source].passages if source in entries and source not in renamed else 0,
            other=other,
        )
        for source, other in plan.duplicates.items()
    ]
    reports += [
        DocumentReport(name, DocumentState.REMOVED, removed=entry.passages)
        for name, entry in entries.items()
        if name not in plan.sources and name not in plan.duplicates and name not in renamed
    ]
    return reports


# --- vectors ---------------------------------------------------------------------------------------


def _encode(
    views: Sequence[View], encoder: Encoder, live: Generation | None, progress: Progress
) -> tuple[Matrix, int]:
    """Give the vector of each view and how many had to be encoded; equal texts are encoded once."""
    known: dict[str, np.ndarray] = {}
    if live is not None:
        known = dict(zip((view.text for view in live.views), live.vectors.vectors(), strict=True))
    missing = [text for text in dict.fromkeys(view.text for view in views) if text not in known]
    missing.sort(key=len, reverse=True)
    for start in range(0, len(missing), TEXTS_AT_ONCE):
        progress("encoding", start, len(missing))
        batch = missing[start : start + TEXTS_AT_ONCE]
        known.update(zip(batch, encoder.encode_passages(batch), strict=True))
    progress("encoding", len(missing), len(missing))
    return np.stack([known[view.text] for view in views]), len(missing)


# --- the whole -------------------------------------------------------------------------------------


def _is_current(
    live: Generation | None, gathered: _Gathered, views: list[View], setup: Setup, maker: _Maker
) -> bool:
    if live is None:
        return False
    return (
        live.manifest.reading_revision == maker.revision  # else the next ingest would read all again
        and live.passages == gathered.passages
        and live.views == tuple(views)
        and live.pages == gathered.pages
        and live.manifest.sources == gathered.entries
        and live.manifest.omissions == gathered.omissions
        and same_texts(live.manifest, setup.guide_text, setup.sign_texts)  # else each ingest gets this far
    )


def _silent(what: str, done: int, total: int) -> None:
    """Report progress to nobody."""


def _report_unchanged(name: str, manifest: Manifest, plan: _Plan, readings: _Readings) -> Report:
    """Report an ingest that found everything done, from the manifest and from what failed again."""
    entries = {entry.source: entry for entry in manifest.sources}
    omissions: dict[str, list[Omission]] = {source: [] for source in entries}
    for omission in manifest.omissions:
        omissions[omission.source].append(omission)
    reports = [
        DocumentReport(
            source,
            DocumentState.KEPT,
            pages=entry.pages,
            passages=entry.passages,
            kept=entry.passages,
            omissions=tuple(omissions[source]),
            notices=entry.notices,
        )
        for source, entry in entries.items()
        if source not in readings.problems
    ]
    reports += [
        _report_failure(source, problem, entries.get(source)) for source, problem in readings.problems.items()
    ]
    reports += _report_absent(plan, {}, set())
    return Report(
        generation=name,
        is_changed=False,
        documents=tuple(reports),
        passages=manifest.passages,
        views=manifest.views,
        read=len(readings),
        encoded=0,
        seconds=0.0,
    )


def _is_in_service(index_dir: Path) -> bool:
    try:
        live_name(index_dir)
    except IndexMissingError:
        return False
    except GuideError:
        return True  # damaged: something stands there
    return True


def _end_without_documents(index_dir: Path, problem: str, paths: Sequence[Path]) -> DocumentError:
    """Take an index whose documents are all gone out of service; gives the error to raise.

    What was taken away must not be answered from, and an index without passages answers nothing. Files that
    were named one by one say nothing of what lies elsewhere: that is a slip, and the index stays.
    """
    if not _is_in_service(index_dir):
        return DocumentError(problem)
    if all(path.is_file() for path in paths):
        return DocumentError(f"{problem} The index {index_dir} stays as it was.")
    sources = _live_sources(index_dir)
    withdraw(index_dir)
    were = f" ({', '.join(sources)})" if sources else ""
    return DocumentError(
        f"{problem} The index {index_dir} is out of service until then: all its documents{were} were taken "
        "away."
    )


def _live_sources(index_dir: Path) -> tuple[str, ...]:
    """Name the documents that are answered from; none where nobody knows, the index being damaged."""
    try:
        return tuple(entry.source for entry in read_manifest(index_dir, live_name(index_dir)).sources)
    except GuideError:
        return ()


def _has_live_source(paths: Sequence[Path], index_dir: Path) -> bool:
    """Tell whether a document that is answered from still lies where it was looked for."""
    sources = _live_sources(index_dir)
    return not sources or any((path / source).is_file() for path in paths for source in sources)


def _no_document(paths: Sequence[Path], index_dir: Path, setup: Setup) -> DocumentError:
    is_home = any(path.resolve() == setup.folder for path in paths)
    patterns = setup.guide.sources if is_home else ()  # elsewhere they choose nothing
    kinds = ", ".join(sorted(SUPPORTED_SUFFIXES))
    named = f", or mend the patterns in guide.toml (sources = {[*patterns]})" if patterns else ""
    problem = f"There is no document in {', '.join(map(str, paths))}; put a guide there ({kinds}){named}."
    problem += "".join(f" {source}: {why}" for source, why in find_unread(paths, setup).items())
    if not _is_in_service(index_dir) or (patterns and _has_live_source(paths, index_dir)):
        return DocumentError(problem)  # a slip in the patterns takes nothing out of service
    with hold_lock(index_dir):
        return _end_without_documents(index_dir, problem, paths)


def ingest(
    paths: Sequence[Path],
    index_dir: Path,
    *,
    config: Path | None = None,
    fallback_config: Path = FALLBACK_CONFIG,
    is_rebuild: bool = False,
    is_forced: bool = False,
    password: str = "",
    make_encoder: Callable[[str], Encoder] = load_encoder,
    find_losses: FindLosses = find_losses,
    progress: Progress = _silent,
) -> Report:
    """Bring the index folder up to date with the documents.

    :param paths: Files and folders to ingest; what is not among them is removed from the index.
    :param config: A guide.toml that wins over the folder's own.
    :param is_rebuild: Make everything anew; a document that fails still keeps the passages it had.
    :param is_forced: Put the new index live whatever it loses.
    :param password: Opens locked PDFs instead of the one in guide.toml.
    :param find_losses: The quality gate, asked where guide.toml names judged questions.
    :raises UsageError: If a path is not there.
    :raises ConfigError: If guide.toml, a warning-sign file or the evaluation file is wrong.
    :raises DocumentError: If there is no document, or none that could be read; an index of documents that
        were all taken away from a folder is then out of service, one beside named files stays as it was.
    :raises EncoderError: If the encoder is not on this machine.
    :raises IndexLockedError: If another ingest writes to the same folder.
    :raises OSError: If the index cannot be written; the live generation stays.
    """
    started = time.perf_counter()
    check_paths(paths)
    setup = read_setup(paths, config, fallback_config)
    sources = find_sources(paths, setup.guide.sources, setup.folder)
    if not sources:
        raise _no_document(paths, index_dir, setup)
    with hold_lock(index_dir):
        maker = _Maker(make_encoder(setup.guide.encoder), reading_revision())
        found = None if is_rebuild else _read_live_manifest(index_dir)
        plan = _make_plan(sources, found[1] if found is not None else None)
        limits = setup.guide.reading
        limits = replace(limits, password=password or limits.password)
        readings = _Readings(plan.sources, maker, limits, progress)
        if found is not None and _is_settled(found[1], plan, setup, maker, readings):
            report = _report_unchanged(*found, plan, readings)
        else:
            gate = _Gate(_read_judged(setup), make_encoder, find_losses, is_forced)
            report = _update(index_dir, plan, setup, maker, gate, readings, is_rebuild, progress, paths)
    unread = (
        DocumentReport(source, DocumentState.UNREAD, problem=why)
        for source, why in find_unread(paths, setup).items()
    )
    documents = sorted([*report.documents, *unread], key=lambda document: document.source)
    return replace(report, documents=tuple(documents), seconds=time.perf_counter() - started)


def _is_settled(manifest: Manifest, plan: _Plan, setup: Setup, maker: _Maker, readings: _Readings) -> bool:
    """Tell from checksums alone whether there is nothing to do.

    A document that the index does not hold is read, for why it failed may have gone; where it fails again,
    there is nothing to do about it.
    """
    entries = {entry.source: entry for entry in manifest.sources}
    if not (
        entries.keys() <= plan.sources.keys()
        and not _find_moves(plan, entries)
        and same_texts(manifest, setup.guide_text, setup.sign_texts)
        and maker.has_made_passages_of(manifest)
    ):
        return False
    readings.read(_list_to_read(plan, manifest, maker))
    return not readings.parts


def _read_judged(setup: Setup) -> tuple[Judged, ...] | None:
    if not setup.guide.evaluation:
        return None
    return read_judged(setup.folder / setup.guide.evaluation, str(setup.folder / "guide.toml"))


@dataclass(frozen=True, slots=True)
class _Gate:
    """Decides whether a staged generation goes live.

    :param judged: None where the guide names no judged questions: then nothing is held back.
    """

    judged: tuple[Judged, ...] | None
    make_encoder: Callable[[str], Encoder]
    find_losses: FindLosses
    is_forced: bool

    def losses(self, staged: Generation, live: Generation | None, encoder: Encoder) -> tuple[str, ...]:
        if live is None or self.judged is None:
            return ()
        before = Candidate(live, self._encoder_of(live, encoder))
        return self.find_losses(Candidate(staged, encoder), before, self.judged)

    def _encoder_of(self, live: Generation, encoder: Encoder) -> Encoder | None:
        """Give the encoder of the live vectors, which a new guide.toml may have changed."""
        made_with = (live.manifest.encoder_name, live.manifest.encoder_revision)
        if (encoder.name, encoder.revision) == made_with:
            return encoder
        with contextlib.suppress(GuideError):
            earlier = self.make_encoder(live.guide.encoder)
            return earlier if (earlier.name, earlier.revision) == made_with else None
        return None


def _update(
    index_dir: Path,
    plan: _Plan,
    setup: Setup,
    maker: _Maker,
    gate: _Gate,
    readings: _Readings,
    is_rebuild: bool,
    progress: Progress,
    paths: Sequence[Path],
) -> Report:
    previous = _load_previous(index_dir)
    can_build_upon = previous is not None and not is_rebuild and maker.has_made_vectors_of(previous.manifest)
    live = previous if can_build_upon else None
    readings.read(_list_to_read(plan, live.manifest if live is not None else None, maker))
    gathered = _gather(plan, readings, previous)
    if not gathered.parts:
        problems = " ".join(report.problem for report in gathered.reports if report.problem)
        raise _end_without_documents(index_dir, problems, paths)
    views = make_views(gathered.passages)
    name, encoded, is_changed = live.name if live else "", 0, False
    losses: tuple[str, ...] = ()
    if not _is_current(live, gathered, views, setup, maker):
        vectors, encoded = _encode(views, maker.encoder, live, progress)
        staged_name = _stage(index_dir, setup, gathered, views=views, vectors=vectors, maker=maker)
        staged = load_staged(index_dir, staged_name)  # whole, as it was written, or an error
        losses = gate.losses(staged, previous, maker.encoder)
        is_changed = not losses or gate.is_forced
        if is_changed:
            publish(index_dir, staged_name)
            name = staged_name
        else:
            discard_staged(index_dir)
            name = previous.name if previous is not None else ""
    return Report(
        generation=name,
        is_changed=is_changed,
        documents=tuple(gathered.reports),
        passages=len(gathered.passages),
        views=len(views),
        read=len(readings),
        encoded=encoded,
        seconds=0.0,
        losses=losses,
        is_held_back=bool(losses) and not is_changed,
    )


def _stage(
    index_dir: Path,
    setup: Setup,
    gathered: _Gathered,
    *,
    views: Sequence[View],
    vectors: Matrix,
    maker: _Maker,
) -> str:
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        encoder_name=maker.encoder.name,
        encoder_revision=maker.encoder.revision,
        dimension=vectors.shape[1],
        max_tokens=max_passage_tokens(maker.encoder),
        views_version=VIEWS_VERSION,
        reading_revision=maker.revision,
        sources=gathered.entries,
        passages=len(gathered.passages),
        views=len(views),
        omissions=gathered.omissions,
        files={},
    )
    return write_generation(
        index_dir,
        passages=gathered.passages,
        pages=gathered.pages,
        views=views,
        vectors=vectors,
        guide_text=setup.guide_text,
        sign_texts=setup.sign_texts,
        manifest=manifest,
    )
