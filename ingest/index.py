"""The index folder: generations, the pointer to the live one, and the only import of faiss.

    index/
        CURRENT                     the name of the live generation
        lock, lock.holder           held while an ingest writes, and by which process
        generations/NAME/
            manifest.json           format, encoder, passage parameters, sources, counts, all checksums
            passages.jsonl          one passage a line, readable
            pages.jsonl             one page a line: the text to which the offsets of passages refer
            views.jsonl             which passage and which part of it each vector stands for
            vectors.faiss           the vectors, row for row
            guide.toml              the configuration, as it was
            warning-signs.json      file name -> text of the warning-sign files, as they were

A generation is written beside the live one under a name with a leading dot, checked, and made live by
one ``os.replace`` of the pointer, so a process killed at any moment leaves the old or the new one whole.
A pointer to "none" is an index out of service: its documents were all taken away. Scores are inner products
of vectors of length 1: higher is nearer.
"""

import dataclasses
import errno
import hashlib
import json
import math
import os
import re
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.clean import match_key, normalise
from ingest.config import GuideConfig, parse_config
from ingest.datatypes import (
    Encoder,
    Matrix,
    Omission,
    Page,
    Passage,
    PassageKind,
    Segment,
    SegmentRole,
    Span,
)
from ingest.errors import (
    IndexDamagedError,
    IndexMismatchError,
    IndexMissingError,
    IndexWithdrawnError,
    UsageError,
)
from ingest.signs import WarningSigns, parse_signs
from ingest.views import VIEWS_VERSION, View, ViewKind

__all__ = [
    "FORMAT_VERSION",
    "Generation",
    "GuideConfig",
    "Manifest",
    "SourceEntry",
    "VectorIndex",
    "ViewKind",
    "WarningSigns",
    "activate",
    "check_encoder",
    "check_files",
    "discard_staged",
    "is_quote_found",
    "list_generations",
    "live_age_s",
    "live_name",
    "load_generation",
    "load_live",
    "load_staged",
    "max_passage_tokens",
    "page_quotes",
    "parse_signs",
    "publish",
    "read_manifest",
    "same_texts",
    "withdraw",
    "write_generation",
]

FORMAT_VERSION = 3  # bump when the files below change shape, so that older indexes are rebuilt
MAX_PASSAGE_TOKENS = 256  # what the bundled encoder reads; a longer passage would be cut unseen
# The live one, the one before it that a page may just be loading, and one more to go back to.
KEPT_GENERATIONS = 3
_PASSAGES, _PAGES, _VIEWS, _VECTORS = "passages.jsonl", "pages.jsonl", "views.jsonl", "vectors.faiss"
_GUIDE, _SIGNS, _MANIFEST = "guide.toml", "warning-signs.json", "manifest.json"
_FILES = (_PASSAGES, _PAGES, _VIEWS, _VECTORS, _GUIDE, _SIGNS)
_NAME = r"\d{6,}-[0-9a-f]{8}"  # of a generation: its number and the beginning of a checksum
_STAGED = ".staged-"
_NO_GENERATION = "none"
_CHECKSUM = "checksum"  # in the manifest: of all the rest of it


def _faiss() -> Any:
    if sys.platform == "darwin":  # faiss before torch crashes there (sentence-transformers#2291)
        import torch  # noqa: F401, PLC0415
    import faiss  # noqa: PLC0415 - after torch

    return faiss


class VectorIndex:
    """Vectors of length 1, searched exactly."""

    def __init__(self, flat: Any) -> None:
        self._flat = flat

    @classmethod
    def build(cls, vectors: Matrix) -> "VectorIndex":
        """Make an index whose row numbers are those of the matrix, shape (rows, dimension)."""
        flat = _faiss().IndexFlatIP(vectors.shape[1])
        flat.add(vectors)
        return cls(flat)

    @property
    def size(self) -> int:
        """Number of vectors."""
        return int(self._flat.ntotal)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._flat.d)

    def search(self, queries: Matrix, top_k: int) -> tuple[Matrix, npt.NDArray[np.int64]]:
        """Find the nearest rows of each query.

        :return: Scores and row numbers, both of shape (queries, min(top_k, size)), best first, equal
            scores by row. Which of equal scores at the cut are within it is left to faiss.
        """
        scores, rows = self._flat.search(queries, min(top_k, self.size))
        order = np.lexsort((rows, -scores))
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)

    def vectors(self) -> Matrix:
        """All vectors, shape (size, dimension)."""
        return np.asarray(self._flat.reconstruct_n(0, self.size), dtype=np.float32)

    def to_bytes(self) -> bytes:
        """Serialise to faiss's own format."""
        return bytes(_faiss().serialize_index(self._flat).tobytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> "VectorIndex":
        """Read what :meth:`to_bytes` gave."""
        return cls(_faiss().deserialize_index(np.frombuffer(data, dtype=np.uint8)))


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """What the manifest says of one source.

    :param notices: What the report says of it (an empty page, suspicious text), also when it is taken over.
    """

    source: str
    sha256: str
    pages: int
    passages: int
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation is made of and made with.

    :param created: UTC time in ISO 8601.
    :param reading_revision: What tells one way of reading documents from another.
    :param files: Name of each file of the generation -> sha256 of its bytes.
    """

    format_version: int
    created: str
    encoder_name: str
    encoder_revision: str
    dimension: int
    max_tokens: int
    views_version: int
    reading_revision: str
    sources: tuple[SourceEntry, ...]
    passages: int
    views: int
    omissions: tuple[Omission, ...]
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Generation:
    """Everything that is needed to answer, in memory."""

    name: str
    manifest: Manifest
    guide: GuideConfig
    signs: WarningSigns
    passages: tuple[Passage, ...]
    pages: Mapping[str, tuple[Page, ...]]
    views: tuple[View, ...]
    vectors: VectorIndex


def is_quote_found(segment: Segment, pages: Sequence[Page]) -> bool:
    """Tell whether a segment's words stand at its place in the pages, up to the declared normalisation."""
    if not segment.spans or any(span.page_index >= len(pages) for span in segment.spans):
        return False
    raw = "".join(pages[span.page_index].text[span.start : span.end] for span in segment.spans)
    return match_key(raw) == match_key(segment.text)


def page_quotes(segment: Segment, pages: Sequence[Page]) -> list[tuple[int, str]]:
    """Give what of a segment stands on each page, normalised; one entry but for a segment over a page break.

    :return: Page index and text, in reading order.
    """
    if len(segment.spans) == 1:
        return [(segment.spans[0].page_index, segment.text)]
    return [
        (span.page_index, normalise(pages[span.page_index].text[span.start : span.end]))
        for span in segment.spans
    ]


# --- the files -------------------------------------------------------------------------------------


def _to_lines(rows: Iterable[Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _from_lines(data: bytes) -> list[dict[str, Any]]:
    # Not splitlines: text may hold U+2028 and its like, which JSON leaves as they are.
    return [json.loads(line) for line in data.decode().split("\n") if line]


def _spans(data: Sequence[Sequence[int]]) -> tuple[Span, ...]:
    return tuple(Span(*item) for item in data)


def _dump_spans(spans: Sequence[Span]) -> list[tuple[int, int, int]]:
    return [(span.page_index, span.start, span.end) for span in spans]


# Written out, for dataclasses.asdict copies deeply and takes longer than all the rest of an ingest.
def _dump_passage(passage: Passage) -> dict[str, Any]:
    return {
        "text": passage.text,
        "id": passage.id,
        "source": passage.source,
        "kind": passage.kind,
        "section": passage.section,
        "title": passage.title,
        "segments": [
            {"text": segment.text, "role": segment.role, "spans": _dump_spans(segment.spans)}
            for segment in passage.segments
        ],
        "page_index": passage.page_index,
        "page_label": passage.page_label,
        "title_spans": _dump_spans(passage.title_spans),
        "item_ids": passage.item_ids,
        "list_id": passage.list_id,
    }


def _load_passage(data: dict[str, Any]) -> Passage:
    segments = tuple(
        Segment(item["text"], SegmentRole(item["role"]), _spans(item["spans"])) for item in data["segments"]
    )
    return Passage(
        id=data["id"],
        source=data["source"],
        kind=PassageKind(data["kind"]),
        section=tuple(data["section"]),
        title=data["title"],
        segments=segments,
        page_index=data["page_index"],
        page_label=data["page_label"],
        title_spans=_spans(data["title_spans"]),
        item_ids=tuple(data["item_ids"]),
        list_id=data["list_id"],
    )


def _parse_manifest(data: dict[str, Any]) -> Manifest:
    return Manifest(
        **{
            **data,
            "sources": tuple(
                SourceEntry(**{**item, "notices": tuple(item["notices"])}) for item in data["sources"]
            ),
            "omissions": tuple(Omission(**item) for item in data["omissions"]),
            "files": dict(data["files"]),
        }
    )


def _dump_manifest(content: Mapping[str, Any]) -> bytes:
    """Serialise a manifest with a checksum of itself: nothing else tells of damage to it."""
    checksum = hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()
    return json.dumps({**content, _CHECKSUM: checksum}, ensure_ascii=False, indent=1).encode()


def _write(path: Path, data: bytes) -> str:
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:  # a full disk does not say which file it is about
        raise OSError(exc.errno, exc.strerror, str(path)) from exc
    return hashlib.sha256(data).hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder outlast a power cut; Windows neither needs nor allows it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _dump_signs(sign_texts: Mapping[str, str]) -> bytes:
    return json.dumps(dict(sign_texts), ensure_ascii=False, indent=1).encode()


def same_texts(manifest: Manifest, guide_text: str, sign_texts: Mapping[str, str]) -> bool:
    """Tell whether a generation holds exactly this guide.toml and these warning-sign files."""
    held = (manifest.files.get(_GUIDE), manifest.files.get(_SIGNS))
    given = (guide_text.encode(), _dump_signs(sign_texts))
    return held == tuple(hashlib.sha256(data).hexdigest() for data in given)


def write_generation(
    index_dir: Path,
    *,
    passages: Sequence[Passage],
    pages: Mapping[str, Sequence[Page]],
    views: Sequence[View],
    vectors: Matrix,
    guide_text: str,
    sign_texts: Mapping[str, str],
    manifest: Manifest,
) -> str:
    """Write a generation beside the live one, staged: :func:`publish` makes it live.

    :param manifest: Complete but for ``files``, which is filled in here.
    :return: Name of the new generation.
    :raises OSError: If it cannot be written; what was written of it is taken away again.
    """
    root = index_dir / "generations"
    root.mkdir(parents=True, exist_ok=True)
    contents = {
        _PASSAGES: _to_lines(_dump_passage(passage) for passage in passages),
        _PAGES: _to_lines(
            {"source": source, "index": page.index, "label": page.label, "text": page.text}
            for source in pages
            for page in pages[source]
        ),
        _VIEWS: _to_lines(
            {"row": view.row, "kind": view.kind, "text": view.text, "segment": view.segment} for view in views
        ),
        _VECTORS: VectorIndex.build(vectors).to_bytes(),
        _GUIDE: guide_text.encode(),
        _SIGNS: _dump_signs(sign_texts),
    }
    digest = hashlib.sha256(b"".join(contents.values())).hexdigest()[:8]
    name = f"{_next_number(root):06d}-{digest}"
    discard_staged(index_dir)  # left over by an ingest that was killed
    staged = root / f"{_STAGED}{name}"
    staged.mkdir()
    try:
        files = {file: _write(staged / file, data) for file, data in contents.items()}
        whole = dataclasses.asdict(dataclasses.replace(manifest, files=files))
        _write(staged / _MANIFEST, _dump_manifest(whole))
        _sync_folder(staged)
    except OSError:
        shutil.rmtree(staged, ignore_errors=True)  # a full disk needs the room
        raise
    return name


def discard_staged(index_dir: Path) -> None:
    """Take away what was staged and never published."""
    for left_over in (index_dir / "generations").glob(f"{_STAGED}*"):
        shutil.rmtree(left_over, ignore_errors=True)


def _next_number(root: Path) -> int:
    numbers = [int(match[1]) for path in root.iterdir() if (match := re.match(r"(\d+)-", path.name))]
    return max(numbers, default=0) + 1


def publish(index_dir: Path, name: str) -> None:
    """Make a staged generation the live one and remove those that are no longer used."""
    root = index_dir / "generations"
    staged = root / f"{_STAGED}{name}"
    if staged.exists():
        staged.rename(root / name)
        _sync_folder(root)
    _point_to(index_dir, name)
    others = sorted(path.name for path in root.iterdir() if path.name != name)
    for other in others[: 1 - KEPT_GENERATIONS or None]:
        shutil.rmtree(root / other, ignore_errors=True)


def _point_to(index_dir: Path, name: str) -> None:
    for left_over in index_dir.glob(".CURRENT-*"):  # of a process that was killed here
        left_over.unlink(missing_ok=True)
    staged = index_dir / f".CURRENT-{os.getpid()}"
    _write(staged, name.encode())
    staged.replace(index_dir / "CURRENT")
    _sync_folder(index_dir)


def list_generations(index_dir: Path) -> list[str]:
    """List the generations that can be made live, the newest first."""
    root = index_dir / "generations"
    names = (path.name for path in root.iterdir()) if root.is_dir() else iter(())
    return sorted((name for name in names if re.fullmatch(_NAME, name)), reverse=True)


def activate(index_dir: Path, name: str) -> None:
    """Go back (or forth) to a generation that is still there; it is checked first.

    :raises UsageError: If there is no such generation.
    :raises IndexDamagedError: If a file of it is gone or damaged.
    :raises IndexMismatchError: If its format is not the one that this version writes.
    """
    if name not in list_generations(index_dir):
        there = ", ".join(list_generations(index_dir)) or "none"
        raise UsageError(f"There is no generation {name} in {index_dir}; there are: {there}.")
    load_generation(index_dir, name)
    _point_to(index_dir, name)


def withdraw(index_dir: Path) -> None:
    """Take the index out of service: nothing of it is answered from any more."""
    _point_to(index_dir, _NO_GENERATION)


# --- reading ---------------------------------------------------------------------------------------


def live_name(index_dir: Path) -> str:
    """Read the name of the live generation.

    :raises IndexMissingError: If there is none.
    :raises IndexWithdrawnError: If the index is out of service.
    :raises IndexDamagedError: If the pointer holds no name.
    """
    try:
        name = (index_dir / "CURRENT").read_bytes().decode("ascii", errors="replace").strip()
    except NotADirectoryError as exc:
        raise IndexMissingError(
            f"{index_dir} is or lies in a file, and the index is a folder; give --index the path of that."
        ) from exc
    except FileNotFoundError as exc:
        raise IndexMissingError(f"There is no index in {index_dir}; {_reingest(index_dir, '')}") from exc
    except OSError as exc:
        if exc.errno != errno.EIO:  # a bad sector; a folder in its place could not be replaced by an ingest
            raise
        raise IndexDamagedError(
            f"{index_dir / 'CURRENT'} cannot be read ({exc.strerror}); {_reingest(index_dir)}"
        ) from exc
    if name == _NO_GENERATION:
        raise IndexWithdrawnError(
            f"The index in {index_dir} is out of service, for all its documents were taken away; put a guide "
            f"in place and {_reingest(index_dir, '')}"
        )
    if not re.fullmatch(_NAME, name):
        raise IndexDamagedError(f"{index_dir / 'CURRENT'} names no generation; {_reingest(index_dir)}")
    return name


def live_age_s(index_dir: Path) -> float:
    """Tell how long ago the pointer was moved, in seconds; without one it is as if for ever."""
    try:
        return time.time() - (index_dir / "CURRENT").stat().st_mtime
    except OSError:
        return math.inf


def _reingest(index_dir: Path, option: str = "--rebuild ") -> str:
    return f"run: python -m ingest PATH {option}--index {index_dir} (PATH: the folder of the guide)"


def _rebuild(folder: Path) -> str:
    return _reingest(folder.parent.parent)


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise IndexDamagedError(f"The index lacks {folder / name}; {_rebuild(folder)}") from exc
    except OSError as exc:
        # A bad sector, or a folder in its place; other errors (permissions, memory) say nothing of the file.
        if exc.errno != errno.EIO and not (folder / name).is_dir():
            raise
        raise IndexDamagedError(
            f"{folder / name} cannot be read ({exc.strerror}); {_rebuild(folder)}"
        ) from exc


def read_manifest(index_dir: Path, name: str) -> Manifest:
    """Read the manifest of a generation.

    :raises IndexDamagedError: If it is gone or its checksum is wrong.
    :raises IndexMismatchError: If its format is not the one that this version writes.
    """
    folder = index_dir / "generations" / name
    raw = _read(folder, _MANIFEST)
    damaged = IndexDamagedError(f"{folder / _MANIFEST} is damaged; {_rebuild(folder)}")
    try:
        data = json.loads(raw)
        version = data["format_version"]
        content = {key: value for key, value in data.items() if key != _CHECKSUM}
        is_whole = raw == _dump_manifest(content)
    except (ValueError, KeyError, TypeError) as exc:
        raise damaged from exc
    if version != FORMAT_VERSION:
        raise IndexMismatchError(
            f"The index in {index_dir} has format {version}, this version reads {FORMAT_VERSION}; "
            f"{_reingest(index_dir, '')}"
        )
    if not is_whole:
        raise damaged
    return _parse_manifest(content)


def max_passage_tokens(encoder: Encoder) -> int:
    """Give the most word pieces of a passage that is made for this encoder."""
    return min(encoder.max_tokens, MAX_PASSAGE_TOKENS)


def check_encoder(manifest: Manifest, encoder: Encoder) -> None:
    """Check that the index is one that this version makes with this encoder.

    :raises IndexMismatchError: If the encoder, its weights, the kinds of views or the passage size differ.
    """
    built = (manifest.encoder_name, manifest.encoder_revision, manifest.views_version, manifest.max_tokens)
    running = (encoder.name, encoder.revision, VIEWS_VERSION, max_passage_tokens(encoder))
    if built != running:
        was, now = (
            f"{name} ({revision[:8]}, views {views}, passages of {tokens} word pieces)"
            for name, revision, views, tokens in (built, running)
        )
        raise IndexMismatchError(
            f"The index was built with encoder {was}, this is {now}; run: python -m ingest PATH "
            "(PATH: the folder of the guide)"
        )


def _parse_generation(name: str, manifest: Manifest, raw: Mapping[str, bytes]) -> Generation:
    pages: dict[str, list[Page]] = {entry.source: [] for entry in manifest.sources}
    for item in _from_lines(raw[_PAGES]):
        pages[item["source"]].append(Page(item["index"], item["label"], item["text"]))
    views = _from_lines(raw[_VIEWS])
    guide = parse_config(raw[_GUIDE].decode())
    if Path(manifest.encoder_name).is_absolute():  # guide.toml may name it relative to its own folder
        guide = dataclasses.replace(guide, encoder=manifest.encoder_name)
    return Generation(
        name=name,
        manifest=manifest,
        guide=guide,
        signs=parse_signs(json.loads(raw[_SIGNS])),
        passages=tuple(_load_passage(item) for item in _from_lines(raw[_PASSAGES])),
        pages={source: tuple(items) for source, items in pages.items()},
        views=tuple(View(v["row"], ViewKind(v["kind"]), v["text"], v["segment"]) for v in views),
        vectors=VectorIndex.from_bytes(raw[_VECTORS]),
    )


def _read_files(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    raw = {file: _read(folder, file) for file in _FILES}
    for file, data in raw.items():
        if hashlib.sha256(data).hexdigest() != manifest.files.get(file):
            raise IndexDamagedError(f"{folder / file} is damaged; {_rebuild(folder)}")
    return raw


def check_files(index_dir: Path, name: str, manifest: Manifest) -> None:
    """Compare each file of a generation with its checksum.

    :raises IndexDamagedError: If a file is gone or is not what the manifest says.
    """
    _read_files(index_dir / "generations" / name, manifest)


def load_generation(index_dir: Path, name: str) -> Generation:
    """Read a generation and check each of its files against the manifest.

    :raises IndexDamagedError: If a file is gone or is not what the manifest says.
    :raises IndexMismatchError: If its format is not the one that this version writes.
    """
    return _load(index_dir, name, name)


def load_staged(index_dir: Path, name: str) -> Generation:
    """Read a generation that is written and not yet published.

    :raises IndexDamagedError: If a file is gone or is not what the manifest says.
    """
    return _load(index_dir, f"{_STAGED}{name}", name)


def _load(index_dir: Path, folder_name: str, name: str) -> Generation:
    folder = index_dir / "generations" / folder_name
    manifest = read_manifest(index_dir, folder_name)
    raw = _read_files(folder, manifest)
    try:
        generation = _parse_generation(name, manifest, raw)
    except (KeyError, TypeError, ValueError) as exc:
        raise IndexDamagedError(f"The files in {folder} do not fit each other; {_rebuild(folder)}") from exc
    counts = (len(generation.passages), len(generation.views), generation.vectors.size)
    if counts != (manifest.passages, manifest.views, manifest.views):
        raise IndexDamagedError(
            f"{folder} holds {counts[0]} passages, {counts[1]} views and {counts[2]} vectors, "
            f"its manifest says {manifest.passages} and {manifest.views}; {_rebuild(folder)}"
        )
    return generation


def load_live(index_dir: Path) -> Generation:
    """Read the live generation.

    :raises IndexMissingError: If there is no index.
    :raises IndexDamagedError: If a file is gone or is not what the manifest says.
    :raises IndexMismatchError: If its format is not the one that this version writes.
    """
    name = live_name(index_dir)
    while True:
        try:
            return load_generation(index_dir, name)
        except IndexDamagedError:
            newer = live_name(index_dir)
            if newer == name:
                raise
            name = newer  # it was replaced and removed while we read it
