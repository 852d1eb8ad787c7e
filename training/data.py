"""Guides with judged questions, read into the product's own passages, and the lists that split them.

Takes the folder of guideqa (see its README), gives ``Guide`` objects with passages, views, BM25 scores and
questions. Knows nothing of models.
"""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.lexical import BM25, terms
from ingest.datatypes import Passage, PassageKind, Segment, SegmentRole
from ingest.views import View, ViewKind, make_views

__all__ = [
    "DIALOG",
    "VALIDATION",
    "Gloss",
    "Guide",
    "Question",
    "add_slips",
    "bm25_scores",
    "read_glosses",
    "read_guides",
]

# Chosen once, one of each letter, before any training, and two of the large ones when they came; every
# choice is made on these.
VALIDATION = ("a06", "b07", "c03", "d10", "e04", "f08", "g06", "h10", "aa02", "ae01")
DIALOG = "dialog"  # style of the standalone forms of follow-up turns
MIN_SLIP_LETTERS = 4

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(])")


@dataclass(frozen=True, slots=True)
class Question:
    """A question with the 0-based row of the passage that answers it (-1: none does)."""

    text: str
    gold: int
    style: str


@dataclass(frozen=True, slots=True)
class Guide:
    """One guide as the product sees it, with what people ask.

    :param questions: Questions that a passage answers, the standalone forms of dialogs included.
    :param unanswerable: Questions that no passage answers; style is "detail", "near" or "far".
    """

    name: str
    title: str
    passages: tuple[Passage, ...]
    views: tuple[View, ...]
    questions: tuple[Question, ...]
    unanswerable: tuple[Question, ...]

    @property
    def wholes(self) -> list[str]:
        """The text of the whole view of each passage, in the order of the passages."""
        return [view.text for view in self.views if view.kind is ViewKind.WHOLE]

    @property
    def parts(self) -> list[View]:
        """The views that show a part of a passage: titles and sentences."""
        return [view for view in self.views if view.kind is not ViewKind.WHOLE]


@dataclass(frozen=True, slots=True)
class Gloss:
    """A question as people ask it, the same in plain words, and what a guide would answer."""

    lay: str
    plain: str
    answer: str


def _split_sentences(text: str) -> list[str]:
    return [part for part in _SENTENCE_END.split(text) if part.strip()]


def _segments(text: str, kind: PassageKind) -> tuple[Segment, ...]:
    if kind is not PassageKind.LIST:
        return tuple(Segment(part, SegmentRole.SENTENCE, ()) for part in _split_sentences(text))
    segments: list[Segment] = []
    for at, line in enumerate(text.split("\n")):
        if line.startswith("- "):
            segments.append(Segment(line[2:], SegmentRole.ITEM, ()))
        else:
            role = SegmentRole.LEAD if at == 0 else SegmentRole.SENTENCE
            segments.extend(Segment(part, role, ()) for part in _split_sentences(line))
    return tuple(segments)


def _read_guide(path: Path) -> Guide:
    data = json.loads(path.read_text(encoding="utf-8"))
    passages: list[Passage] = []
    rows: dict[str, int] = {}
    questions: list[Question] = []
    for section in data["sections"]:
        for entry in section["passages"]:
            kind = PassageKind(entry["kind"])
            is_list = kind is PassageKind.LIST
            rows[entry["id"]] = len(passages)
            questions += [Question(q["q"], len(passages), q["style"]) for q in entry["questions"]]
            passages.append(
                Passage(
                    id=entry["id"],
                    source=path.name,
                    kind=kind,
                    section=(section["heading"],),
                    title="" if is_list else entry.get("title") or "",
                    segments=_segments(entry["text"], kind),
                    page_index=0,
                    page_label="1",
                    item_ids=("items",) if is_list else (),  # entries have passages of their own
                )
            )
    for dialog in data["dialogs"]:
        questions += [
            Question(t.get("standalone") or t["q"], rows[t["id"]], DIALOG) for t in dialog if t["id"] in rows
        ]
    return Guide(
        name=path.stem,
        title=data["title"],
        passages=tuple(passages),
        views=tuple(make_views(passages)),
        questions=tuple(questions),
        unanswerable=tuple(Question(u["q"], -1, u["why"]) for u in data["unanswerable"]),
    )


def read_guides(*folders: Path) -> list[Guide]:
    """Read every guide of some folders, sorted by file name."""
    return [_read_guide(path) for folder in folders for path in sorted(folder.glob("*.json"))]


def read_glosses(folder: Path) -> list[Gloss]:
    """Read every gloss of a folder (``*.jsonl``), sorted by file name."""
    lines = [
        line
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").split("\n")
    ]
    return [Gloss(**json.loads(line)) for line in lines if line.strip()]


def bm25_scores(guide: Guide, questions: Sequence[Question]) -> npt.NDArray[np.float32]:
    """Score all passages for each question, shape (questions, passages); titles count twice."""
    index = BM25([terms(p.title) * 2 + terms(" ".join(p.section)) + terms(p.text) for p in guide.passages])
    return np.stack([index.scores(terms(question.text)) for question in questions])


def add_slips(text: str, rng: random.Random, rate: float = 0.15) -> str:
    """Type some words wrong: two letters swapped, one dropped, or one doubled.

    :param rate: Share of the words of four letters or more that get a slip.
    """

    def slip(match: re.Match[str]) -> str:
        word = match[0]
        if rng.random() >= rate:
            return word
        at = rng.randrange(1, len(word) - 1)
        how = rng.randrange(3)
        if how == 0:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return word[:at] + word[at + 1 :] if how == 1 else word[:at] + word[at] + word[at:]

    return re.sub(rf"[A-Za-z]{{{MIN_SLIP_LETTERS},}}", slip, text)
