"""The pipeline: files are read, split into passages, encoded and published as a generation.

Takes paths, gives a :class:`Report`. A document that fails keeps the passages it had and is
reported; the others go on. Vectors of texts that have not changed are taken over.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import numpy as np

from ingest.config import GuideConfig, parse_config
from ingest.datatypes import Document, Encoder, Matrix, Omission, Page, Passage
from ingest.encode import PASSAGE_BATCH_SIZE, load_encoder
from ingest.errors import ConfigError, DocumentError, GuideError, IndexMismatchError, UsageError
from ingest.index import (
    FORMAT_VERSION,
    Generation,
    Manifest,
    SourceEntry,
    check_encoder,
    hold_lock,
    load_live,
    publish,
    write_generation,
)
from ingest.passages import split_passages
from ingest.readers import SUPPORTED_SUFFIXES, read_document
from ingest.signs import parse_signs
from ingest.structure import find_blocks
from ingest.views import VIEWS_VERSION, View, make_views

__all__ = ["DocumentReport", "DocumentState", "Progress", "Report", "find_sources", "fingerprint", "ingest"]

MAX_PASSAGE_TOKENS = 256  # what the bundled encoder reads; a longer passage would be cut unseen
FALLBACK_CONFIG = Path("corpus/guide.toml")  # for documents that have no guide.toml beside them
Progress = Callable[[str, int, int], None]  # (what, done, total)
_IGNORED_NAMES = {"readme", "license", "changelog"}  # stems of files about a folder, not of a guide


class DocumentState(StrEnum):
    """What became of a source in this ingest."""

    ADDED = "added"
    CHANGED = "changed"
    KEPT = "kept"
    REMOVED = "removed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DocumentReport:
    """What became of one source.

    :param problem: One sentence where the document failed, else "".
    :param notices: What deserves a look (an empty page, suspicious text).
    """

    source: str
    state: DocumentState
    pages: int = 0
    passages: int = 0
    added: int = 0
    kept: int = 0
    removed: int = 0
    omissions: tuple[Omission, ...] = ()
    problem: str = ""
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What an ingest did.

    :param is_changed: False where the live generation was already right.
    :param encoded: Number of texts that were encoded; the other vectors were taken over.
    """

    generation: str
    is_changed: bool
    documents: tuple[DocumentReport, ...]
    passages: int
    views: int
    encoded: int
    seconds: float

    @property
    def needs_attention(self) -> bool:
        """Tell whether a document failed."""
        return any(document.state is DocumentState.FAILED for document in self.documents)


@dataclass(frozen=True, slots=True)
class _Setup:
    """The configuration that applies, with the texts that travel in the generation."""

    guide: GuideConfig
    guide_text: str
    folder: Path
    sign_texts: Mapping[str, str]


@dataclass(slots=True)
class _Gathered:
    """What the documents gave, while they are read."""

    passages: list[Passage] = field(default_factory=list)
    pages: dict[str, tuple[Page, ...]] = field(default_factory=dict)
    entries: list[SourceEntry] = field(default_factory=list)
    reports: list[DocumentReport] = field(default_factory=list)
    omissions: list[Omission] = field(default_factory=list)


# --- which files, which configuration --------------------------------------------------------------


def _config_path(paths: Sequence[Path], config: Path | None, fallback: Path) -> Path | None:
    if config is not None:
        if not config.is_file():
            raise UsageError(f"There is no file {config}; give --config the path of a guide.toml.")
        return config
    for path in paths:
        own = (path if path.is_dir() else path.parent) / "guide.toml"
        if own.is_file():
            return own
    return fallback if fallback.is_file() else None


def _read_signs(guide: GuideConfig, folder: Path, name: str) -> dict[str, str]:
    if not guide.warning_signs:
        return {}
    signs = folder / guide.warning_signs
    if not signs.is_dir():
        raise ConfigError(
            f"{name}: warning_signs names the folder {signs}, which is not there; correct it or leave it out."
        )
    return {path.name: _read_text(path) for path in sorted(signs.glob("*.toml"))}


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # Windows editors begin a file with a byte order mark
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is not UTF-8 text; save it as UTF-8.") from exc
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read ({exc.strerror}); check its permissions.") from exc


def _read_setup(paths: Sequence[Path], config: Path | None, fallback: Path) -> _Setup:
    path = _config_path(paths, config, fallback)
    if path is None:
        raise ConfigError(
            f'There is no guide.toml in {paths[0]} nor at {fallback}; write one with a line title = "...".'
        )
    text = _read_text(path)
    guide = parse_config(text, str(path))
    sign_texts = _read_signs(guide, path.parent, str(path))
    parse_signs(sign_texts)
    return _Setup(guide, text, path.parent.resolve(), sign_texts)


def _is_source(path: Path, folder: Path) -> bool:
    is_hidden = any(part.startswith((".", "~$")) for part in path.relative_to(folder).parts)
    return (
        path.is_file()
        and path.suffix.lower() in SUPPORTED_SUFFIXES
        and not is_hidden
        and path.stem.lower() not in _IGNORED_NAMES
    )


def _list_folder(folder: Path, patterns: Sequence[str]) -> dict[str, Path]:
    files: set[Path] = set()
    for pattern in patterns:
        try:
            if ".." in Path(pattern).parts:
                raise ValueError("above the folder")
            files.update(file for file in folder.glob(pattern) if _is_source(file, folder))
        except (ValueError, NotImplementedError, IndexError) as exc:  # the last two for "/x" and "."
            raise ConfigError(
                f"sources: the pattern {pattern!r} does not name files in {folder}; "
                'write it like "guide.pdf" or "chapters/*.md".'
            ) from exc
    return {file.relative_to(folder).as_posix(): file for file in files}


def find_sources(
    paths: Sequence[Path], patterns: Sequence[str] = (), pattern_folder: Path | None = None
) -> dict[str, Path]:
    """List the documents to ingest: source name -> path, sorted.

    A source is named by its path inside the folder that was given, with forward slashes. Patterns
    hold only in the folder in which their guide.toml stands. A file that is reached twice (folders
    within each other, links) counts once.

    :raises UsageError: If a path is not there or two sources would have one name.
    :raises ConfigError: If a pattern cannot name a file in its folder.
    """
    found: dict[str, Path] = {}
    places: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise UsageError(
                f"There is no file or folder {path}; give the path of a guide or of a folder with guides."
            )
        if path.is_file():
            items = {path.name: path}
        else:
            is_home = pattern_folder is not None and path.resolve() == pattern_folder
            items = _list_folder(path, patterns if patterns and is_home else ("**/*",))
        for source, file in sorted(items.items()):
            if file.resolve() in places:
                continue
            if source in found:
                raise UsageError(
                    f"{found[source]} and {file} would both be called {source}; "
                    "rename one, or ingest their common folder."
                )
            found[source] = file
            places.add(file.resolve())
    return dict(sorted(found.items()))


# --- one document ----------------------------------------------------------------------------------


def _previous(live: Generation | None, source: str) -> tuple[SourceEntry | None, list[Passage]]:
    if live is None:
        return None, []
    entry = next((item for item in live.manifest.sources if item.source == source), None)
    return entry, [passage for passage in live.passages if passage.source == source]


def _notices(document: Document) -> tuple[str, ...]:
    empty = [page.label for page in document.pages if not page.text.strip()]
    notes = list(document.warnings)
    if empty:
        notes.append(f"no text on page {', '.join(empty)} (blank, or a scan without recognised text)")
    return tuple(notes)


def _add_document(gathered: _Gathered, document: Document, encoder: Encoder, live: Generation | None) -> None:
    blocks, omissions = find_blocks(document)
    max_tokens = min(encoder.max_tokens, MAX_PASSAGE_TOKENS)
    passages = split_passages(document, blocks, encoder.count_tokens, max_tokens)
    if not passages:
        raise DocumentError(
            f"{document.source} gave no passage to answer from (nothing but headings or left-out text); "
            "look at the file."
        )
    entry, before = _previous(live, document.source)
    ids, old_ids = {p.id for p in passages}, {p.id for p in before}
    state = DocumentState.ADDED if entry is None else DocumentState.CHANGED
    if entry is not None and entry.sha256 == document.sha256 and ids == old_ids:
        state = DocumentState.KEPT
    gathered.passages.extend(passages)
    gathered.pages[document.source] = document.pages
    gathered.omissions.extend(omissions)
    gathered.entries.append(SourceEntry(document.source, document.sha256, len(document.pages), len(passages)))
    gathered.reports.append(
        DocumentReport(
            source=document.source,
            state=state,
            pages=len(document.pages),
            passages=len(passages),
            added=len(ids - old_ids),
            kept=len(ids & old_ids),
            removed=len(old_ids - ids),
            omissions=omissions,
            notices=_notices(document),
        )
    )


def _keep_previous(gathered: _Gathered, source: str, problem: str, live: Generation | None) -> None:
    entry, before = _previous(live, source)
    if live is not None and entry is not None:
        gathered.passages.extend(before)
        gathered.pages[source] = live.pages[source]
        gathered.entries.append(entry)
        gathered.omissions.extend(item for item in live.manifest.omissions if item.source == source)
    gathered.reports.append(
        DocumentReport(
            source=source,
            state=DocumentState.FAILED,
            passages=len(before),
            kept=len(before),
            problem=problem,
        )
    )


def _gather(
    sources: Mapping[str, Path], encoder: Encoder, live: Generation | None, progress: Progress
) -> _Gathered:
    gathered = _Gathered()
    for done, (source, path) in enumerate(sources.items()):
        progress("reading", done, len(sources))
        try:
            _add_document(gathered, read_document(path, source), encoder, live)
        except DocumentError as exc:
            _keep_previous(gathered, source, str(exc), live)
    progress("reading", len(sources), len(sources))
    for entry in live.manifest.sources if live is not None else ():
        if entry.source not in sources:
            gathered.reports.append(
                DocumentReport(source=entry.source, state=DocumentState.REMOVED, removed=entry.passages)
            )
    return gathered


# --- vectors ---------------------------------------------------------------------------------------


def _encode(
    views: Sequence[View], encoder: Encoder, live: Generation | None, progress: Progress
) -> tuple[Matrix, int]:
    """Give the vector of each view and how many had to be encoded; equal texts are encoded once."""
    known: dict[str, np.ndarray] = {}
    if live is not None:
        known = dict(zip((view.text for view in live.views), live.vectors.vectors(), strict=True))
    missing = [text for text in dict.fromkeys(view.text for view in views) if text not in known]
    for start in range(0, len(missing), PASSAGE_BATCH_SIZE):
        progress("encoding", start, len(missing))
        batch = missing[start : start + PASSAGE_BATCH_SIZE]
        known.update(zip(batch, encoder.encode_passages(batch), strict=True))
    progress("encoding", len(missing), len(missing))
    return np.stack([known[view.text] for view in views]), len(missing)


# --- the whole -------------------------------------------------------------------------------------


def _load_previous(index_dir: Path) -> Generation | None:
    """Load the live generation where it can be read."""
    try:
        return load_live(index_dir)
    except GuideError:
        return None  # nothing there, damaged, or of another format: everything is made anew


def _can_build_upon(live: Generation, encoder: Encoder) -> bool:
    """Tell whether vectors can be taken over: same encoder and passage parameters."""
    try:
        check_encoder(live.manifest, encoder)
    except IndexMismatchError:
        return False
    return live.manifest.max_tokens == min(encoder.max_tokens, MAX_PASSAGE_TOKENS)


def _is_current(live: Generation | None, gathered: _Gathered, views: list[View], setup: _Setup) -> bool:
    if live is None:
        return False
    return (
        live.passages == tuple(gathered.passages)
        and live.views == tuple(views)
        and live.pages == gathered.pages
        and live.manifest.sources == tuple(gathered.entries)
        and live.manifest.omissions == tuple(gathered.omissions)
        and live.guide == setup.guide
        and live.signs == parse_signs(setup.sign_texts)
    )


def _silent(what: str, done: int, total: int) -> None:
    """Report progress to nobody."""


def ingest(
    paths: Sequence[Path],
    index_dir: Path,
    *,
    config: Path | None = None,
    fallback_config: Path = FALLBACK_CONFIG,
    is_rebuild: bool = False,
    make_encoder: Callable[[str], Encoder] = load_encoder,
    progress: Progress = _silent,
) -> Report:
    """Bring the index folder up to date with the documents.

    :param paths: Files and folders to ingest; what is not among them is removed from the index.
    :param config: A guide.toml that wins over the folder's own.
    :param is_rebuild: Encode everything anew; a document that fails still keeps the passages it had.
    :raises UsageError: If a path is not there.
    :raises ConfigError: If guide.toml or a warning-sign file is wrong.
    :raises DocumentError: If there is no document, or none that could be read.
    :raises EncoderError: If the encoder is not on this machine.
    :raises IndexLockedError: If another ingest writes to the same folder.
    """
    started = time.perf_counter()
    for path in paths:
        if not path.exists():
            raise UsageError(
                f"There is no file or folder {path}; give the path of a guide or of a folder with guides."
            )
    setup = _read_setup(paths, config, fallback_config)
    guide_patterns = setup.guide.sources
    sources = find_sources(paths, guide_patterns, setup.folder)
    if not sources:
        kinds = ", ".join(sorted(SUPPORTED_SUFFIXES))
        named = (
            f", or mend the patterns in guide.toml (sources = {[*guide_patterns]})" if guide_patterns else ""
        )
        raise DocumentError(
            f"There is no document in {', '.join(map(str, paths))}; put a guide there ({kinds}){named}."
        )
    with hold_lock(index_dir):
        encoder = make_encoder(setup.guide.encoder)
        previous = _load_previous(index_dir)
        can_build_upon = previous is not None and not is_rebuild and _can_build_upon(previous, encoder)
        live = previous if can_build_upon else None
        gathered = _gather(sources, encoder, previous, progress)
        if not gathered.passages:
            raise DocumentError(" ".join(report.problem for report in gathered.reports if report.problem))
        views = make_views(gathered.passages)
        name, encoded, is_changed = live.name if live else "", 0, False
        if not _is_current(live, gathered, views, setup):
            vectors, encoded = _encode(views, encoder, live, progress)
            name = _publish(index_dir, setup, gathered, views=views, vectors=vectors, encoder=encoder)
            is_changed = True
    return Report(
        generation=name,
        is_changed=is_changed,
        documents=tuple(sorted(gathered.reports, key=lambda report: report.source)),
        passages=len(gathered.passages),
        views=len(views),
        encoded=encoded,
        seconds=time.perf_counter() - started,
    )


def _publish(
    index_dir: Path,
    setup: _Setup,
    gathered: _Gathered,
    *,
    views: Sequence[View],
    vectors: Matrix,
    encoder: Encoder,
) -> str:
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        encoder_name=encoder.name,
        encoder_revision=encoder.revision,
        dimension=vectors.shape[1],
        max_tokens=min(encoder.max_tokens, MAX_PASSAGE_TOKENS),
        views_version=VIEWS_VERSION,
        sources=tuple(gathered.entries),
        passages=len(gathered.passages),
        views=len(views),
        omissions=tuple(gathered.omissions),
        files={},
    )
    name = write_generation(
        index_dir,
        passages=gathered.passages,
        pages=gathered.pages,
        views=views,
        vectors=vectors,
        guide_text=setup.guide_text,
        sign_texts=setup.sign_texts,
        manifest=manifest,
    )
    publish(index_dir, name)
    return name


def fingerprint(paths: Sequence[Path], config: Path | None, fallback_config: Path = FALLBACK_CONFIG) -> str:
    """Tell one state of what an ingest would read from another by names, sizes and times, for ``--watch``."""
    try:
        own = _config_path(paths, config, fallback_config)
        files = [own] if own is not None else []
        patterns: tuple[str, ...] = ()
        if own is not None:
            guide = parse_config(_read_text(own), str(own))
            patterns = guide.sources
            if guide.warning_signs:
                files += sorted((own.parent / guide.warning_signs).glob("*.toml"))
        files += find_sources(paths, patterns, own.parent.resolve() if own is not None else None).values()
        stats = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except (GuideError, OSError) as exc:  # an ingest would say the same, until it is mended
        return hashlib.sha256(str(exc).encode()).hexdigest()
    return hashlib.sha256(repr(stats).encode()).hexdigest()
