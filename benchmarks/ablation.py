"""What each part of retrieval is worth: recall with one part changed at a time, on our guide and on others.

    python -m benchmarks.ablation GUIDES [--names a06,b07] [--split test]

GUIDES is a folder of guides as JSON (training/data.py). Of our guide, which must have been ingested, the
judged questions of tests/evaluation are asked, of one split. Rankings only: answers, declining and
conversations are for ``bot.evaluate``.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.evaluate import read_judgments
from bot.lexical import BM25, terms
from bot.plain import to_plain
from bot.retrieve import (
    BM25_WEIGHT,
    LATE_NEAREST,
    LATE_WEIGHT,
    PART_WEIGHT,
    TITLE_REPEATS,
    late_interaction,
    make_speller,
)
from ingest.datatypes import Encoder, Passage, TokenEncoder
from ingest.encode import BUNDLED_MODEL, load_query_encoder
from ingest.index import load_live
from ingest.views import View, ViewKind
from training.data import read_guides

QUESTIONS = Path(__file__).parent.parent / "tests" / "evaluation" / "questions.jsonl"
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """A guide with questions.

    :param gold: For each question the 0-based rows of the passages that answer it.
    """

    passages: Sequence[Passage]
    views: Sequence[View]
    questions: Sequence[str]
    is_lay: Sequence[bool]
    gold: Sequence[frozenset[int]]


@dataclass(frozen=True, slots=True)
class Parts:
    """Which parts of retrieval are at work."""

    whole: bool = True
    titles: bool = True
    sentences: bool = True
    words: bool = True
    coverage: bool = True
    spelling: bool = True
    plain: bool = True
    late: bool = True


FULL = Parts()
VARIANTS: dict[str, Parts] = {
    "all parts": FULL,
    "whole passages alone": Parts(
        titles=False, sentences=False, words=False, spelling=False, plain=False, late=False
    ),
    "without whole": Parts(whole=False),
    "without titles": Parts(titles=False),
    "without sentences": Parts(sentences=False),
    "without BM25": Parts(words=False),
    "BM25 whatever is covered": Parts(coverage=False),
    "without spelling repair": Parts(spelling=False),
    "without plain words": Parts(plain=False),
    "without late interaction": Parts(late=False),
}


def _best(views: Sequence[View], similar: Scores, count: int, kinds: set[ViewKind]) -> Scores:
    best = np.full((len(similar), count), -1.0)
    for at, view in enumerate(views):
        if view.kind in kinds:
            best[:, view.row] = np.maximum(best[:, view.row], similar[:, at])
    return best


def _dense(asked: Asked, similar: Scores, parts: Parts) -> Scores:
    count = len(asked.passages)
    kinds = {
        kind for kind, on in ((ViewKind.TITLE, parts.titles), (ViewKind.SENTENCE, parts.sentences)) if on
    }
    whole = _best(asked.views, similar, count, {ViewKind.WHOLE})
    part = _best(asked.views, similar, count, kinds)
    part = np.where(part < -0.99, whole, part)
    return PART_WEIGHT * part + (1 - PART_WEIGHT) * whole if parts.whole else part


def _words(asked: Asked, texts: Sequence[str], has_coverage: bool) -> Scores:
    index = BM25(
        [terms(p.title) * TITLE_REPEATS + terms(" ".join(p.section)) + terms(p.text) for p in asked.passages]
    )
    rows = []
    for text in texts:
        own = set(terms(text))
        known = sum(term in index for term in own) / len(own) if own else 0.0
        rows.append(BM25_WEIGHT * (known**2 if has_coverage else 1.0) * index.scores(own))
    return np.asarray(rows, dtype=np.float64)


def _with_late(asked: Asked, forms: Sequence[Sequence[str]], encoder: TokenEncoder, total: Scores) -> Scores:
    """Add late interaction to the nearest passages; the others stay behind them."""
    wholes = {view.row: view.text for view in asked.views if view.kind is ViewKind.WHOLE}
    _, passages = encoder.encode_with_tokens([wholes[row] for row in range(len(asked.passages))])
    tokens = [encoder.encode_with_tokens(list(form))[1] for form in forms]
    placed = total - 10.0
    for at, row in enumerate(total):
        for near in np.argsort(-row, kind="stable")[:LATE_NEAREST]:
            late = late_interaction([form[at] for form in tokens], passages[near])
            placed[at, near] = row[near] + LATE_WEIGHT * late
    return placed


def score(asked: Asked, encoder: Encoder, parts: Parts) -> Scores:
    """Score every passage for every question, shape (questions, passages)."""
    repair: Callable[[str], str] = make_speller(asked.passages, "", encoder).repair if parts.spelling else str
    texts = [repair(question) for question in asked.questions]
    forms = [texts, [to_plain(text) for text in texts]] if parts.plain else [texts]
    passages = encoder.encode_passages([view.text for view in asked.views])
    questions = sum(encoder.encode_queries(form) for form in forms) / len(forms)
    total = _dense(asked, np.asarray(questions @ passages.T, dtype=np.float64), parts)
    if parts.words:
        total += np.max([_words(asked, form, parts.coverage) for form in forms], axis=0)
    if parts.late and isinstance(encoder, TokenEncoder):
        total = _with_late(asked, forms, encoder, total)
    return total


def _ranks(asked: Asked, scores: Scores) -> list[int]:
    ranks = []
    for row, gold in zip(scores, asked.gold, strict=True):
        best = max(row[list(gold)])
        ranks.append(1 + int((row > best).sum()))
    return ranks


def _row(name: str, guides: Sequence[Asked], scorer: Callable[[Asked], Scores]) -> str:
    found = [pair for g in guides for pair in zip(_ranks(g, scorer(g)), g.is_lay, strict=True)]
    cells = []
    for ranks in ([r for r, lay in found if lay], [r for r, lay in found if not lay]):
        cells.append(" / ".join(f"{100 * np.mean([r <= k for r in ranks]):.1f}" for k in (1, 3, 5)))
    return f"| {name} | {cells[0]} | {cells[1]} |"


def _our_guide(index: Path, split: str) -> Asked:
    generation = load_live(index)
    texts = [" ".join(f"{p.title} {p.text}".split()).casefold() for p in generation.passages]
    judged = []
    for judgment in read_judgments(QUESTIONS):
        quotes = [" ".join(quote.split()).casefold() for quote in judgment.turns[0].quotes]
        gold = frozenset(row for row, text in enumerate(texts) if any(quote in text for quote in quotes))
        if judgment.split == split and gold:
            judged.append((judgment.turns[0].question, judgment.category == "lay", gold))
    questions, is_lay, golds = zip(*judged, strict=True)
    return Asked(generation.passages, generation.views, questions, is_lay, golds)


def _other_guides(folder: Path, names: Sequence[str]) -> list[Asked]:
    return [
        Asked(
            guide.passages,
            guide.views,
            [question.text for question in guide.questions],
            [question.style == "lay" for question in guide.questions],
            [frozenset({question.gold}) for question in guide.questions],
        )
        for guide in read_guides(folder)
        if not names or guide.name in names
    ]


def main() -> int:
    """Print one table for our guide and one for the others; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("guides", type=Path)
    parser.add_argument("--names", default="", help="only these guides, with commas between")
    parser.add_argument("--split", default="dev", choices=["dev", "test"], help="of our guide's questions")
    parser.add_argument("--index", type=Path, default=Path("index"))
    args = parser.parse_args()
    encoder, bundled = load_query_encoder(), load_query_encoder(BUNDLED_MODEL)
    sets = {
        f"our guide, {args.split} half": [_our_guide(args.index, args.split)],
        f"guides of {args.guides.name}": _other_guides(args.guides, [n for n in args.names.split(",") if n]),
    }
    for title, guides in sets.items():
        print(f"\n{title}: recall@1 / @3 / @5, per cent\n")
        print("| | everyday words | other questions |\n|---|---|---|")
        for name, parts in VARIANTS.items():
            print(_row(name, guides, partial(score, encoder=encoder, parts=parts)), flush=True)
        print(_row("bundled encoder", guides, partial(score, encoder=bundled, parts=FULL)))
        plain = VARIANTS["whole passages alone"]
        print(_row("bundled, whole alone", guides, partial(score, encoder=bundled, parts=plain)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
