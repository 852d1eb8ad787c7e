"""The ingest commands: bring the index up to date, say what is in it, verify it."""

import argparse
import dataclasses
import json
import os
import sys
import textwrap
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
from tqdm import tqdm

from ingest.build import Progress, ingest
from ingest.datatypes import Page, Passage, Segment, SegmentRole
from ingest.encode import load_encoder
from ingest.errors import IndexDamagedError, run_command
from ingest.index import (
    Generation,
    check_encoder,
    check_files,
    is_quote_found,
    live_name,
    load_live,
    read_manifest,
)
from ingest.report import DocumentReport, DocumentState, Report, counted
from ingest.watch import follow

VERIFY_SAMPLE = 50  # vectors encoded afresh by verify; the whole index would take as long as an ingest
VERIFY_TOLERANCE = 1e-3  # of a cosine; batches of another size round differently


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ingest",
        description="Read the guide and bring the index up to date.",
        epilog="python -m ingest status: what the index holds.  python -m ingest verify: check every file, "
        "quote and a sample of vectors.",
    )
    parser.add_argument("path", nargs="*", type=Path, help="files or folders to ingest (default: corpus/)")
    parser.add_argument(
        "--index", type=Path, default=Path(os.environ.get("GUIDE_INDEX", "index")), metavar="DIR"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a guide.toml that wins over the folder's own"
    )
    parser.add_argument("--rebuild", action="store_true", help="make everything anew")
    parser.add_argument(
        "--force", action="store_true", help="put the new index live though it loses answers (see evaluation)"
    )
    parser.add_argument(
        "--password", default="", metavar="WORD", help="opens locked PDFs (or password in guide.toml)"
    )
    parser.add_argument("--watch", action="store_true", help="stay and ingest again when a file changes")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


class _Bars:
    """Progress bars on a terminal, nothing elsewhere."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None
        self._what = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Move the bar of a stage; a new stage begins a new bar."""
        if not sys.stderr.isatty() or total == 0:
            return
        if what != self._what or self._bar is None:
            self._what = what
            self._bar = tqdm(total=total, desc=f"{what:8}", unit="", file=sys.stderr)
        self._bar.update(done - self._bar.n)
        if done == total:
            self._bar.close()
            self._bar, self._what = None, ""


def _counts(document: DocumentReport) -> str:
    numbers = {
        "added": document.added,
        "changed": document.changed,
        "kept": document.kept,
        "removed": document.removed,
    }
    return ", ".join(f"{number} {what}" for what, number in numbers.items())


def _document_lines(document: DocumentReport) -> list[str]:
    if document.state is DocumentState.REMOVED:
        return [f"{document.source}: removed, {counted(document.removed, 'passage')} gone"]
    if document.state is DocumentState.DUPLICATE:
        return [f"{document.source}: left out, for it is the same as {document.other}"]
    if document.state is DocumentState.UNREAD:
        return [f"{document.source}: left out, {document.problem}"]
    if document.state is DocumentState.FAILED:
        are = "is" if document.kept == 1 else "are"
        kept = f"; its {counted(document.kept, 'earlier passage')} {are} kept" if document.kept else ""
        return [f"{document.source}: FAILED{kept}", f"    {document.problem}"]
    was = f", was {document.other}" if document.state is DocumentState.RENAMED else ""
    size = f"{counted(document.pages, 'page')}, {counted(document.passages, 'passage')}"
    lines = [f"{document.source}{was}: {size} ({_counts(document)})"]
    lines += [f"    note: {notice}" for notice in document.notices]
    for reason in dict.fromkeys(omission.reason for omission in document.omissions):
        left = [omission for omission in document.omissions if omission.reason == reason]
        words = sum(len(omission.text.split()) for omission in left)
        first = textwrap.shorten(left[0].text, 60, placeholder=" ...")
        amount = f"{counted(words, 'word')} in {counted(len(left), 'place')}"
        lines.append(f"    left out: {reason}, {amount} (first: {first!r})")
    return lines


def _print_report(report: Report, is_json: bool) -> None:
    if is_json:
        print(json.dumps(dataclasses.asdict(report)))
        return
    for document in report.documents:
        print("\n".join(_document_lines(document)))
    for loss in report.losses:
        print(f"lost: {loss}")
    if report.is_held_back:
        print(
            f"The new index is NOT live, for it answers worse; {report.generation} stays. "
            "Mend the documents, or run this again with --force."
        )
        return
    what = "live" if report.is_changed else "was up to date"
    print(
        f"Index {report.generation} {what}: {counted(report.passages, 'passage')}, "
        f"{counted(report.views, 'vector')} ({counted(report.read, 'document')} read, "
        f"{counted(report.encoded, 'text')} encoded), {report.seconds:.1f} s"
    )


def _run(args: argparse.Namespace, paths: Sequence[Path], progress: Progress) -> int:
    report = ingest(
        paths,
        args.index,
        config=args.config,
        is_rebuild=args.rebuild,
        is_forced=args.force,
        password=args.password,
        make_encoder=load_encoder,
        progress=progress,
    )
    _print_report(report, args.json)
    return 1 if report.needs_attention else 0


def _watch(args: argparse.Namespace, paths: Sequence[Path], progress: Progress) -> NoReturn:
    """Ingest at the start and at each change; ends on Ctrl-C.

    :raises UsageError: If the paths make no sense at the start.
    """

    def run() -> None:
        _run(args, paths, progress)
        sys.stdout.flush()

    follow(paths, args.config, run, partial(print, file=sys.stderr))


def _status(args: argparse.Namespace) -> int:
    name = live_name(args.index)
    manifest = read_manifest(args.index, name)
    check_files(args.index, name, manifest)  # in the time of reading them; the rest is for verify
    if args.json:
        print(json.dumps({"generation": name, **dataclasses.asdict(manifest)}))
        return 0
    print(f"Index {args.index}, generation {name}, made {manifest.created}")
    print(
        f"Encoder {manifest.encoder_name} ({manifest.encoder_revision[:8]}), dimension {manifest.dimension}"
    )
    for entry in manifest.sources:
        size = f"{counted(entry.pages, 'page')}, {counted(entry.passages, 'passage')}"
        print(f"{entry.source}: {size}, sha256 {entry.sha256[:12]}")
        for notice in entry.notices:
            print(f"    note: {notice}")
    print(
        f"{counted(manifest.passages, 'passage')}, {counted(manifest.views, 'vector')}, "
        f"{counted(len(manifest.omissions), 'place')} left out"
    )
    return 0


def _check_vectors(live: Generation) -> None:
    encoder = load_encoder(live.guide.encoder)
    check_encoder(live.manifest, encoder)
    step = max(1, len(live.views) // VERIFY_SAMPLE)
    rows = list(range(0, len(live.views), step))
    fresh = encoder.encode_passages([live.views[row].text for row in rows])
    cosines = np.einsum("ij,ij->i", fresh, live.vectors.vectors()[rows])
    if cosines.min() < 1 - VERIFY_TOLERANCE:
        row = rows[int(cosines.argmin())]
        raise IndexDamagedError(
            f"The vector of {live.views[row].text[:40]!r} is not what the encoder gives "
            f"(cosine {cosines.min():.4f}); run: python -m ingest PATH --rebuild (PATH: the guide's folder)"
        )


def _is_title_found(passage: Passage, pages: Sequence[Page]) -> bool:
    """Tell whether the title stands at its place, there perhaps with the colon of a run-in title."""
    written = (passage.title, f"{passage.title}:")
    return any(
        is_quote_found(Segment(text, SegmentRole.LEAD, passage.title_spans), pages) for text in written
    )


def _lost_quotes(live: Generation) -> list[tuple[Passage, str]]:
    """List what the passages quote, titles included, that is not found again in its page."""
    lost = []
    for passage in live.passages:
        pages = live.pages.get(passage.source, ())
        if passage.title and not _is_title_found(passage, pages):
            lost.append((passage, passage.title))
        lost += [(passage, part.text) for part in passage.segments if not is_quote_found(part, pages)]
    return lost


def _verify(args: argparse.Namespace) -> int:
    live = load_live(args.index)
    lost = _lost_quotes(live)
    _check_vectors(live)
    if args.json:
        print(json.dumps({"generation": live.name, "lost_quotes": [text for _, text in lost]}))
    elif lost:
        for passage, text in lost:
            print(f"{passage.source} page {passage.page_label}: not found again: {text!r}")
    else:
        print(
            f"Index {live.name}: every checksum is right, every quote of "
            f"{counted(len(live.passages), 'passage')} is found in its page, a sample of vectors is what the "
            "encoder gives."
        )
    return 1 if lost else 0


def _call(args: argparse.Namespace) -> int:
    command = str(args.path[0]) if len(args.path) == 1 else ""
    if command == "status":
        return _status(args)
    if command == "verify":
        return _verify(args)
    paths = args.path or [Path(os.environ.get("GUIDE_CORPUS", "corpus"))]
    return (_watch if args.watch else _run)(args, paths, _Bars())


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    args = _parser().parse_args(argv)
    return run_command(lambda: _call(args))


if __name__ == "__main__":
    sys.exit(main())
