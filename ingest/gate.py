"""The quality gate: what a new index would answer worse than the live one.

Takes the staged and the live generation and the judged questions that guide.toml names, gives the losses,
one sentence each. It looks with vectors alone, for the rest of an answer is the bot's, and ingest knows
nothing of the bot; docs/decisions/0011-gate.md has the reasons. A judgment names a quote, not a passage,
so that no change of the passages makes it void; the form is described in ``bot/evaluate.py``.
"""

import json
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.clean import match_key
from ingest.datatypes import Encoder, Passage, PassageKind
from ingest.errors import ConfigError
from ingest.index import Generation
from ingest.report import counted

__all__ = ["Candidate", "FindLosses", "Judged", "find_losses", "read_judged", "recall"]

TOP_K = 5
MAX_RECALL_LOSS = 0.02  # smaller differences come and go with any edit
MAX_LOSSES_NAMED = 20
# An answer is lost, and not only edited, when it has few of its words left and few others came: one that is
# shortened keeps some, one that is written anew has about as many.
MIN_WORDS_KEPT = 0.25  # of the distinct words it had
MIN_WORDS_NOW = 0.5  # against their number
SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Judged:
    """A question with exact words of the guide that answer it."""

    question: str
    quotes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A generation with the encoder of its vectors, None where that is not on this machine."""

    generation: Generation
    encoder: Encoder | None


FindLosses = Callable[[Candidate, Candidate, Sequence[Judged]], tuple[str, ...]]  # (staged, live, judged)


def read_judged(path: Path, place: str) -> tuple[Judged, ...]:
    """Read the questions of a file of judgments that stand alone and have quotes.

    :param place: How messages name the setting that led here.
    :raises ConfigError: If the file is not there or a line is not a judgment.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"{place}: the evaluation file {path} cannot be read as text; correct the key evaluation."
        ) from exc
    judged = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            turn = json.loads(line)["turns"][0]  # later turns need what was said before
            quotes = tuple(str(quote["quote"]) for quote in turn.get("quotes", ()))
            if quotes:
                judged.append(Judged(str(turn["q"]), quotes))
        except (ValueError, KeyError, TypeError, LookupError, AttributeError) as exc:
            raise ConfigError(
                f"{path} line {number} is not a judged question; the form is in README.md."
            ) from exc
    return tuple(judged)


def recall(candidate: Candidate, judged: Sequence[Judged]) -> list[float]:
    """Measure recall@5 of each question: the share of its quotes that stand in the first five passages.

    A passage is as near as its nearest view. The candidate's encoder must be there.
    """
    generation, encoder = candidate.generation, candidate.encoder
    if encoder is None or not judged:
        return []
    rows = np.array([view.row for view in generation.views])
    queries = encoder.encode_queries([item.question for item in judged])
    texts = [match_key(f"{p.title} {p.text}".replace("\n- ", " ")) for p in generation.passages]
    found = []
    for item, similarities in zip(judged, queries @ generation.vectors.vectors().T, strict=True):
        scores = np.full(len(generation.passages), -np.inf, dtype=np.float32)
        np.maximum.at(scores, rows, similarities)
        first = np.argsort(-scores, kind="stable")[:TOP_K]
        shown = [texts[row] for row in first]
        hits = sum(any(match_key(quote) in text for text in shown) for quote in item.quotes)
        found.append(hits / len(item.quotes))
    return found


def find_losses(staged: Candidate, live: Candidate, judged: Sequence[Judged]) -> tuple[str, ...]:
    """List what the staged index loses against the live one, one sentence each; empty where nothing is lost.

    Lost are a question of the FAQ, an entry of a list by whose name the page suggests a question, what is
    said under either where next to nothing of it is left, and more than two points of recall@5 over the
    judged questions.
    """
    return (*_lost_titles(staged, live), *_lost_recall(staged, live, judged))


def _titled(candidate: Candidate, kind: PassageKind) -> dict[str, list[Passage]]:
    """Give the passages of one kind by their titles; long answers and repeated titles have several."""
    found: dict[str, list[Passage]] = {}
    for passage in candidate.generation.passages:
        if passage.kind is kind and passage.title:
            found.setdefault(passage.title.casefold(), []).append(passage)
    return found


def _lost_titles(staged: Candidate, live: Candidate) -> list[str]:
    losses = []
    for kind, what in ((PassageKind.FAQ, "FAQ answer"), (PassageKind.ITEM, "suggestion")):
        after = _titled(staged, kind)
        for key, passages in _titled(live, kind).items():
            left = after.get(key, [])
            named = f"{what} “{passages[0].title}”"
            if not left:
                losses.append(f"The {named} is gone {_place(passages[0])}.")
            elif _is_emptied(passages, left):
                text = textwrap.shorten(left[0].text, SHOWN_CHARACTERS, placeholder=" …")
                losses.append(f"All that is left of the {named} is “{text}” {_place(left[0])}.")
    return losses


def _place(passage: Passage) -> str:
    return f"({passage.source}, page {passage.page_label})"


def _is_emptied(before: Sequence[Passage], after: Sequence[Passage]) -> bool:
    """Tell whether next to nothing is left of what was said under a title."""
    had, has = _words(before), _words(after)
    return len(had & has) < MIN_WORDS_KEPT * len(had) and len(has) < MIN_WORDS_NOW * len(had)


def _words(passages: Sequence[Passage]) -> set[str]:
    return {word for passage in passages for word in re.findall(r"\w+", passage.text.casefold())}


def _lost_recall(staged: Candidate, live: Candidate, judged: Sequence[Judged]) -> list[str]:
    before, after = recall(live, judged), recall(staged, judged)
    if not before or not after or np.mean(before) - np.mean(after) <= MAX_RECALL_LOSS + 1e-9:
        return []
    worse = [item.question for item, was, now in zip(judged, before, after, strict=True) if now < was]
    named = [f"No longer found among the first five: “{question}”" for question in worse[:MAX_LOSSES_NAMED]]
    if len(worse) > MAX_LOSSES_NAMED:
        more = counted(len(worse) - MAX_LOSSES_NAMED, "more question")
        named.append(f"Found worse than before too: {more}.")
    summary = (
        f"recall@5 falls from {100 * np.mean(before):.1f} to {100 * np.mean(after):.1f} "
        f"over {counted(len(judged), 'judged question')}."
    )
    return [summary, *named]
