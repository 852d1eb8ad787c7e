"""Ingest speed: how long a corpus without changes takes, and how the rate compares with the bare encoder.

    python -m benchmarks.reingest [--documents 500] [--only unchanged|rate]

Unchanged: a corpus of that many Markdown documents is ingested twice with an encoder that costs nothing;
the second time must take less than two seconds, also beside a file that fails. Rate: documents of the real
guide's size are ingested with the real encoder, and the same texts are encoded by the bare model in batches;
the ingest, reading and writing included, must reach 0.8 of that rate. Run it on an idle machine; the second
half takes minutes.
"""

import argparse
import hashlib
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ingest.build import ingest
from ingest.datatypes import Matrix
from ingest.encode import PASSAGE_BATCH_SIZE, load_encoder
from ingest.index import load_live

ROOT = Path(__file__).parents[1]
MAX_UNCHANGED_S = 2.0
MIN_RATE = 0.8
DIMENSION = 384


class FreeEncoder:
    """Vectors made of a checksum: as large as the real ones, and at no cost."""

    name = "free"
    revision = "1"
    dimension = DIMENSION
    max_tokens = 256

    def count_tokens(self, text: str) -> int:
        """Count words and a little more, as word pieces do."""
        return len(text) // 4

    def knows_word(self, word: str) -> bool:
        """Know every word."""
        return bool(word)

    def encode_passages(self, texts: list[str]) -> Matrix:
        """Give each text a direction of its own."""
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) for text in texts]
        rows = [np.random.default_rng(seed).standard_normal(DIMENSION) for seed in seeds]
        vectors = np.asarray(rows, dtype=np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)

    def encode_queries(self, texts: list[str]) -> Matrix:
        """Encode as passages are."""
        return self.encode_passages(texts)


def write_corpus(folder: Path, documents: int) -> None:
    """Write that many documents: the guide with a number in each sentence, so that no two are equal."""
    guide = (ROOT / "corpus" / "guide.md").read_text(encoding="utf-8")
    (folder / "guide.toml").write_text('title = "Many guides"\n', encoding="utf-8")
    for number in range(documents):
        text = guide.replace(". ", f" ({number}). ")
        (folder / f"guide-{number:04d}.md").write_text(text, encoding="utf-8")


def measure_unchanged(documents: int) -> bool:
    """Ingest a corpus twice and print the time of the second; tells whether it was short enough."""
    with tempfile.TemporaryDirectory() as place:
        corpus, index = Path(place) / "corpus", Path(place) / "index"
        corpus.mkdir()
        write_corpus(corpus, documents)
        first = ingest([corpus], index, make_encoder=lambda _: FreeEncoder())
        second = ingest([corpus], index, make_encoder=lambda _: FreeEncoder())
        if second.is_changed:
            raise SystemExit("The second ingest made a new generation.")
        (corpus / "empty.md").touch()
        failing = ingest([corpus], index, make_encoder=lambda _: FreeEncoder())
        path = corpus / "guide-0000.md"
        path.write_text(path.read_text(encoding="utf-8") + "\nOne more sentence.\n", encoding="utf-8")
        third = ingest([corpus], index, make_encoder=lambda _: FreeEncoder())
    print(f"{documents} documents, {first.passages} passages, {first.views} vectors: {first.seconds:.1f} s")
    print(f"without changes: {second.seconds:.2f} s, beside an empty file {failing.seconds:.2f} s")
    print(f"one document changed: {third.seconds:.1f} s, {third.encoded} texts encoded")
    return max(second.seconds, failing.seconds) < MAX_UNCHANGED_S


def measure_rate(documents: int) -> bool:
    """Ingest with the real encoder, encode the same texts with the bare model, and compare the rates."""
    with tempfile.TemporaryDirectory() as place:
        corpus, index = Path(place) / "corpus", Path(place) / "index"
        corpus.mkdir()
        write_corpus(corpus, documents)
        encoder = load_encoder()
        encoder.encode_passages(["The model is loaded by its first text."])
        report = ingest([corpus], index, make_encoder=lambda _: encoder)
        texts = list(dict.fromkeys(view.text for view in load_live(index).views))
    started = time.perf_counter()
    encoder._model.encode(
        texts, batch_size=PASSAGE_BATCH_SIZE, normalize_embeddings=True, show_progress_bar=False
    )
    bare = len(texts) / (time.perf_counter() - started)
    rate = report.encoded / report.seconds
    print(
        f"ingest {rate:.1f} texts/s, bare encoder {bare:.1f} texts/s, ratio {rate / bare:.2f} ({len(texts)})"
    )
    return rate / bare >= MIN_RATE


def main() -> int:
    """Measure and print; 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(description="Measure ingest without changes, and its rate.")
    parser.add_argument("--documents", type=int, default=500, help="size of the unchanged corpus")
    parser.add_argument("--only", choices=["unchanged", "rate"], help="one of the two")
    args = parser.parse_args()
    kept = []
    if args.only != "rate":
        kept.append(measure_unchanged(args.documents))
    if args.only != "unchanged":
        kept.append(measure_rate(12))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
