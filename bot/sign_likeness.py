"""Stretches of a message -> the warning signs that they are like, by the example wordings.

Takes texts in one spelling, compares them with the examples of all signs and with harmless wordings, and
says which sign each is like, if any. It adds signs, and takes back one that a rule found in a short message
that is unlike all signs of that tier; what a "no" or a question makes of them is left to ``bot.sign_judge``.
"""

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256

import numpy as np

from bot.datatypes import Urgency
from bot.sign_examples import SHARPNESS, SPELLING, Examples, Spelling, make_examples
from bot.sign_judge import Stretch
from ingest.datatypes import Encoder, Matrix
from ingest.signs import TIERS, Sign, WarningSigns

__all__ = ["Likeness"]

# Set by holding the check wordings against examples that they were not among; docs/safety.md has the table.
# Least score with a hint of the sign in the same words, and without one.
BARS = {"emergency": (-0.4, -0.2), "urgent": (-0.3, -0.1), "see-someone": (-0.25, -0.05)}
# Below this score for its tier a rule's sign does not count, in a message that is not long; a sign may name
# its own.
UNLIKELY = {"emergency": -0.5, "urgent": -0.5, "see-someone": -0.5}
# Least score of the words of a sign by themselves, where an exercise is named: then they count whatever is
# said around them.
ALONE = -0.2
# Least score for the sign itself, beside that of its tier. A story of many sentences is always a little like
# some emergency or other; without this a quarter of ordinary stories was raised (docs/safety.md).
LEAST_OWN = -0.7
WHOLE = 0.6  # share of the whole message in the score of a stretch
MAX_STRETCHES = 16  # encoded of one message, so that its cost is bounded
MAX_REMEMBERED = 4_096  # comparisons kept, so that a conversation is not compared anew at every turn


class Likeness:
    """Compares stretches with the example wordings.

    :param examples: From ``make_examples`` with the same signs and encoder; else made at first use.
    """

    def __init__(self, signs: WarningSigns, encoder: Encoder, examples: Examples | None = None) -> None:
        self._signs = signs
        self._encoder = encoder
        self._given = examples
        self._known: dict[bytes, Matrix] = {}  # by checksum: no text is kept

    @cached_property
    def _examples(self) -> Examples:
        return make_examples(self._signs, self._encoder) if self._given is None else self._given

    @cached_property
    def _spelled(self) -> tuple[Spelling, Matrix]:
        """The spelling, and the weights of the examples summed over each gram; shape (grams, width)."""
        spelling = Spelling(self._examples.texts)
        weighed = spelling.matrix(self._examples.texts).T @ self._examples.weights
        return spelling, np.asarray(weighed, dtype=np.float32)

    def signs_like(self, stretches: Sequence[Stretch]) -> list[Sign]:
        """Give the signs that the stretches are like; a hint of a sign in the words lowers its bar.

        Most of a stretch's score is that of the whole message: what it is about tells how a part is meant.
        """
        stretches = self._nearest(stretches)
        if not stretches:
            return []
        whole, *scores = self._scores([_joined(stretches), *(item.text for item in stretches)])
        found = [
            (self._decide((1.0 - WHOLE) * score + WHOLE * whole, item), item)
            for item, score in zip(stretches, scores, strict=True)
        ]
        return [sign for sign, item in found if sign and (item.is_plain or sign.counts_in_questions)]

    def is_unlikely(self, texts: Sequence[str], alone: str, stretches: Sequence[Stretch], sign: Sign) -> bool:
        """Tell whether a message and its stretches are so unlike all signs of a tier that a rule errs.

        :param texts: The message in one spelling, and what else stands for it.
        :param alone: The words of the sign by themselves where they may stand for it too, else "".
        """
        if not self._examples.texts or len(stretches) > MAX_STRETCHES:
            return False
        texts = [*texts, _joined(stretches), *(item.text for item in stretches)]
        column = TIERS.index(sign.tier)
        if alone and float(self._scores([alone])[0][column]) >= ALONE:
            return False
        best = max(float(score[column]) for score in self._scores(texts))
        return best < (UNLIKELY[sign.tier] if sign.least_likeness is None else sign.least_likeness)

    def _nearest(self, stretches: Sequence[Stretch]) -> list[Stretch]:
        """Of many stretches keep those that are most like a sign in their spelling, in their order."""
        if len(stretches) <= MAX_STRETCHES or not self._examples.texts:
            return list(stretches) if self._examples.texts else []
        spelled = [self._spell(item.text)[: len(TIERS)].max() for item in stretches]
        return [stretches[at] for at in sorted(np.argsort(spelled, kind="stable")[-MAX_STRETCHES:])]

    def _spell(self, text: str) -> Matrix:
        spelling, weighed = self._spelled
        return SPELLING * spelling.compare(text, weighed)

    def _scores(self, texts: Sequence[str]) -> list[Matrix]:
        """Give for each text its score for each tier and each sign."""
        keys = [sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if len(self._known) + len(new) > MAX_REMEMBERED:
            self._known, new = {}, dict(zip(keys, texts, strict=True))
        known = self._known  # another thread may begin anew
        if new:
            vectors = self._encoder.encode_queries(list(new.values()))
            meant = np.exp(SHARPNESS * (vectors @ self._examples.vectors.T - 1.0)) @ self._examples.weights
            known |= {
                key: score + self._spell(text) for (key, text), score in zip(new.items(), meant, strict=True)
            }
        return [known[key] for key in keys]

    def _decide(self, score: Matrix, item: Stretch) -> Sign | None:
        """Give the sign that a score stands for: the highest tier first, in it the likeliest sign."""
        by_sign = score[len(TIERS) :]
        order = [int(place) for place in np.argsort(-by_sign, kind="stable")]
        likeliest = [self._signs.signs[place] for place in order if by_sign[place] >= LEAST_OWN]
        for column in reversed(range(len(TIERS))):
            hinted, clear = BARS[TIERS[column]]
            for sign in likeliest:
                if not sign.examples or Urgency(sign.tier).rank < Urgency(TIERS[column]).rank:
                    continue
                bar = hinted if item.concepts.intersection(sign.hints) else clear
                if item.has_figure and sign.least_in_figures is not None:
                    bar = sign.least_in_figures
                if score[column] >= bar:
                    return sign
        return None


def _joined(stretches: Sequence[Stretch]) -> str:
    return " ".join(item.text for item in stretches)
