"""Recall by style of question, and the rates of declining: the figures of every table in the model card."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from training.data import DIALOG, Question

__all__ = ["ALL", "Floats", "auc", "declined_at", "gold_ranks", "recall_table"]

Floats = npt.NDArray[np.float32]
ALL = "all"  # every style but the standalone forms of dialogs, as in the first trials
CUTS = (1, 3, 5)


def gold_ranks(scores: Floats, gold: Sequence[int]) -> list[int]:
    """Rank (1-based) of the right passage for each row of scores; equal scores share the better rank."""
    right = scores[np.arange(len(scores)), list(gold)]
    return [int(rank) for rank in (scores > right[:, None]).sum(axis=1) + 1]


def recall_table(questions: Sequence[Question], ranks: Sequence[int]) -> dict[str, dict[str, float]]:
    """Give recall@1, @3 and @5 in per cent with the count, by style and for all."""
    found: dict[str, list[int]] = defaultdict(list)
    for question, rank in zip(questions, ranks, strict=True):
        found[question.style].append(rank)
        if question.style != DIALOG:
            found[ALL].append(rank)
    return {
        style: {"n": len(rows)}
        | {f"@{cut}": round(100 * float(np.mean(np.array(rows) <= cut)), 1) for cut in CUTS}
        for style, rows in sorted(found.items())
    }


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Chance that a positive scores higher than a negative (ties count half)."""
    high, low = np.array(positive)[:, None], np.array(negative)[None, :]
    return float((high > low).mean() + 0.5 * (high == low).mean())


def declined_at(answerable: Sequence[float], unanswerable: Sequence[float], share: float) -> float:
    """Share of unanswerable questions below the score that declines ``share`` of the answerable ones."""
    return float((np.array(unanswerable) < np.quantile(answerable, share)).mean())
