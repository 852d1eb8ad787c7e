"""Stretches of a message -> the warning signs that they are like, by the example wordings.

Takes texts in one spelling, compares them with the examples of all signs and with harmless wordings, and
says which sign each is like, if any. It adds signs, and takes back one that a rule found in a short message
that is unlike all signs of that tier; what a "no" or a question makes of them is left to ``bot.sign_judge``.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve
from scipy.sparse import csr_matrix

from bot.datatypes import Urgency
from bot.sign_judge import Judge, Stretch
from bot.sign_words import Phrases, Reader, trained_reader
from ingest.datatypes import Encoder, Matrix
from ingest.signs import TIERS, Sign, WarningSigns

__all__ = [
    "Example",
    "ExampleKeeper",
    "Likeness",
    "encode_examples",
    "examples_of",
    "landmarks_of",
    "state_of",
]

# Set by holding the check wordings against examples that they were not among; docs/safety.md has the table.
SHARPNESS = 3.0
SPELLING = 0.6  # how much shared words and letters count beside meaning
SMOOTHNESS = 0.2
LETTERS = 4  # a gram: words, pairs of words, and runs of so many letters
LANDMARKS = 8_000  # examples that a text is compared with; more are learned from
# Least score with a hint of the sign in the same words, and without one.
BARS = {"emergency": (-0.3, -0.1), "urgent": (0.0, 0.2), "see-someone": (0.1, 0.25)}
# Below this score for its tier a rule's sign does not count, in a message that is not long; a sign may name
# its own.
UNLIKELY = {"emergency": -0.4, "urgent": -0.4, "see-someone": -0.4}
# Least score for the sign itself, beside that of its tier. A story of many sentences is always a little like
# some emergency or other; without this a quarter of ordinary stories was raised (docs/safety.md).
LEAST_OWN = -0.5
WHOLE = 0.5  # share of the whole message in the score of a stretch
KERNEL_ROWS = 1_000
MAX_STRETCHES = 16  # encoded of one message, so that its cost is bounded
MAX_REMEMBERED = 4_096  # comparisons kept, so that a conversation is not compared anew at every turn


@dataclass(frozen=True, slots=True)
class Example:
    """An example wording in one spelling; ``sign`` is its place among the signs, -1 for a harmless one."""

    text: str
    sign: int
    rank: int


@runtime_checkable
class ExampleKeeper(Protocol):
    """An encoder that knows the examples which come with the product, encoded and weighed."""

    def kept_examples(self, state: str) -> Matrix | None:
        """Give what ``encode_examples`` would make where it was kept for that state."""


def examples_of(signs: WarningSigns, reader: Reader, phrases: Phrases) -> list[Example]:
    """Give the example wordings of all signs, then the harmless ones, in one spelling, each once.

    A harmless story has no sign in any stretch of it, so each stretch is harmless by itself, too.
    """
    found: dict[str, Example] = {}
    for place, sign in enumerate(signs.signs):
        for text in map(reader.spelled, sign.examples):
            found.setdefault(text, Example(text, place, Urgency(sign.tier).rank))
    for text in signs.harmless:
        words = reader.read(text)
        stretches = [item.text for item in Judge(signs, words, phrases.find(words)).stretches()]
        for spelled in (reader.spelled(text), " ".join(stretches), *stretches):
            if spelled:
                found.setdefault(spelled, Example(spelled, -1, 0))
    return list(found.values())


def _grams(text: str) -> set[str]:
    """Give the words of a text, its pairs of words ("a b") and its runs of letters ("#abcd")."""
    words = text.split()
    padded = f" {text} "
    letters = {f"#{padded[at : at + LETTERS]}" for at in range(len(padded) - LETTERS + 1)}
    return {*words, *(f"{first} {second}" for first, second in pairwise(words)), *letters}


class _Spelling:
    """Grams that two examples or more share, each weighed by how rare it is (tf-idf without counts)."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = Counter(gram for text in texts for gram in _grams(text))
        shared = sorted(gram for gram, count in counts.items() if count > 1)
        self._columns = {gram: column for column, gram in enumerate(shared)}
        self._rarity = np.array([np.log(len(texts) / counts[gram]) for gram in shared], dtype=np.float32)

    def _row(self, text: str) -> tuple[npt.NDArray[np.int64], Matrix]:
        """Give the columns of a text's grams and their values, of length 1 together."""
        columns = np.array(
            sorted(self._columns[gram] for gram in _grams(text) if gram in self._columns), dtype=np.int64
        )
        values = self._rarity[columns]
        return columns, values / (np.linalg.norm(values) or np.float32(1.0))

    def matrix(self, texts: Sequence[str]) -> csr_matrix:
        """Give the values of texts; shape (texts, grams), so that a product of two rows is their cosine."""
        rows = [self._row(text) for text in texts]
        ends = np.cumsum([0, *(len(columns) for columns, _ in rows)])
        return csr_matrix(
            (np.concatenate([v for _, v in rows]), np.concatenate([c for c, _ in rows]), ends),
            shape=(len(texts), len(self._columns)),
        )

    def compare(self, text: str, weighed: Matrix) -> Matrix:
        """Give the score of a text by what is summed over each gram; shape (width,)."""
        columns, values = self._row(text)
        return np.asarray(values @ weighed[columns], dtype=np.float32)


def landmarks_of(examples: Sequence[Example]) -> list[int]:
    """Choose examples to compare with, by checksum; half of them of signs where there are many."""
    order = sorted(range(len(examples)), key=lambda at: sha256(examples[at].text.encode()).digest())
    harmless = [at for at in order if examples[at].sign < 0]
    of_signs = [at for at in order if examples[at].sign >= 0]
    of_signs = of_signs[: LANDMARKS - min(len(harmless), LANDMARKS // 2)]
    return sorted(of_signs + harmless[: LANDMARKS - len(of_signs)])


def _fit(examples: Sequence[Example], vectors: Matrix, landmarks: Sequence[int], sign_count: int) -> Matrix:
    """Fit one regression for each tier ("at least so urgent") and one for each sign.

    Kernel ridge regression (Saunders et al. 1998) with K[i, j] = exp(SHARPNESS * (cos of meaning - 1)) +
    SPELLING * (cos of grams), and y = +1 for an example that is so urgent or of that sign, -1 for any other.
    All examples are learned from, but compared with the m landmarks only (subset of regressors; Rasmussen and
    Williams 2006, "Gaussian Processes for Machine Learning", 8.3.1): the weights solve
    (K_mn K_nm + SMOOTHNESS * K_mm) a = K_mn y.

    :return: Shape (landmarks, tiers and signs).
    """
    texts = [example.text for example in examples]
    spelling = _Spelling(texts)
    spelled = spelling.matrix(texts)
    ranks = np.array([example.rank for example in examples])
    owners = np.array([example.sign for example in examples])
    least = np.array([Urgency(tier).rank for tier in TIERS])
    sides = np.concatenate([ranks[:, None] >= least, owners[:, None] == np.arange(sign_count)], axis=1)
    targets = np.where(sides, 1.0, -1.0).astype(np.float32)

    def kernel(rows: Sequence[int] | slice) -> Matrix:
        meant = np.exp(SHARPNESS * (vectors[rows] @ vectors[landmarks].T - 1.0))
        alike = (spelled[rows] @ spelled[landmarks].T).toarray()
        return np.asarray(meant + SPELLING * alike, dtype=np.float32)

    squares = SMOOTHNESS * kernel(landmarks).astype(np.float64)
    wanted = np.zeros((len(landmarks), targets.shape[1]))
    for start in range(0, len(examples), KERNEL_ROWS):  # so that all of it never stands in memory
        rows = slice(start, start + KERNEL_ROWS)
        part = kernel(rows)
        squares += part.T @ part
        wanted += part.T @ targets[rows]
    squares[np.diag_indices_from(squares)] += 1e-6  # of equal examples one would do
    return np.asarray(solve(squares, wanted, assume_a="pos", overwrite_a=True), dtype=np.float32)


def state_of(examples: Sequence[Example], encoder: Encoder) -> str:
    """Give the checksum of all that the weights of the examples depend on."""
    constants = (SHARPNESS, SPELLING, SMOOTHNESS, LETTERS, LANDMARKS, encoder.name, encoder.revision)
    rows = [(example.text, example.sign, example.rank) for example in examples]
    return sha256(repr((constants, rows)).encode("utf-8", "surrogatepass")).hexdigest()


def encode_examples(signs: WarningSigns, encoder: Encoder) -> Matrix:
    """Encode and weigh the example wordings beforehand, for ``Gate(..., examples=...)``.

    :return: A row for each landmark among the examples: its vector, then its weights.
    """
    examples = examples_of(signs, *trained_reader(signs))
    if not examples:
        return np.zeros((0, encoder.dimension + len(TIERS) + len(signs.signs)), dtype=np.float32)
    kept = encoder.kept_examples(state_of(examples, encoder)) if isinstance(encoder, ExampleKeeper) else None
    if kept is not None:
        return kept
    vectors = encoder.encode_passages([example.text for example in examples])
    landmarks = landmarks_of(examples)
    return np.concatenate([vectors[landmarks], _fit(examples, vectors, landmarks, len(signs.signs))], axis=1)


class Likeness:
    """Compares stretches with the example wordings.

    :param examples: From ``encode_examples`` with the same signs and encoder; else made at first use.
    """

    def __init__(
        self,
        signs: WarningSigns,
        reader: Reader,
        phrases: Phrases,
        encoder: Encoder,
        examples: Matrix | None = None,
    ) -> None:
        self._signs = signs
        self._reader = reader
        self._phrases = phrases
        self._encoder = encoder
        self._given = examples
        self._known: dict[bytes, Matrix] = {}  # by checksum: no text is kept

    @cached_property
    def _width(self) -> int:
        return len(TIERS) + len(self._signs.signs)

    @cached_property
    def _examples(self) -> Matrix:
        return encode_examples(self._signs, self._encoder) if self._given is None else self._given

    @cached_property
    def _vectors(self) -> Matrix:
        return np.ascontiguousarray(self._examples[:, : -self._width])

    @cached_property
    def _weights(self) -> Matrix:
        return np.ascontiguousarray(self._examples[:, -self._width :])

    @cached_property
    def _spelled(self) -> tuple[_Spelling, Matrix]:
        """The spelling, and the weights of the landmarks summed over each gram; shape (grams, width)."""
        examples = examples_of(self._signs, self._reader, self._phrases)
        spelling = _Spelling([example.text for example in examples])
        landmarks = spelling.matrix([examples[at].text for at in landmarks_of(examples)])
        return spelling, np.asarray(landmarks.T @ self._weights, dtype=np.float32)

    def signs_like(self, stretches: Sequence[Stretch]) -> list[Sign]:
        """Give the signs that the stretches are like; a hint of a sign in the words lowers its bar.

        Half of a stretch's score is that of the whole message: what it is about tells how a part is meant.
        """
        stretches = self._nearest(stretches)
        if not stretches:
            return []
        whole, *scores = self._scores([_joined(stretches), *(item.text for item in stretches)])
        found = [
            (self._decide((1.0 - WHOLE) * score + WHOLE * whole, item.concepts), item)
            for item, score in zip(stretches, scores, strict=True)
        ]
        return [sign for sign, item in found if sign and (item.is_plain or sign.counts_in_questions)]

    def is_unlikely(self, text: str, stretches: Sequence[Stretch], sign: Sign) -> bool:
        """Tell whether a message and its stretches are so unlike all signs of a tier that a rule errs.

        :param text: The message in one spelling.
        """
        if not len(self._examples) or len(stretches) > MAX_STRETCHES:
            return False
        texts = [text, _joined(stretches), *(item.text for item in stretches)]
        best = max(float(score[TIERS.index(sign.tier)]) for score in self._scores(texts))
        return best < (UNLIKELY[sign.tier] if sign.least_likeness is None else sign.least_likeness)

    def _nearest(self, stretches: Sequence[Stretch]) -> list[Stretch]:
        """Of many stretches keep those that are most like a sign in their spelling, in their order."""
        if len(stretches) <= MAX_STRETCHES or not len(self._examples):
            return list(stretches) if len(self._examples) else []
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
            meant = np.exp(SHARPNESS * (vectors @ self._vectors.T - 1.0)) @ self._weights
            known |= {
                key: score + self._spell(text) for (key, text), score in zip(new.items(), meant, strict=True)
            }
        return [known[key] for key in keys]

    def _decide(self, score: Matrix, concepts: frozenset[str]) -> Sign | None:
        """Give the sign that a score stands for: the highest tier first, in it the likeliest sign."""
        by_sign = score[len(TIERS) :]
        order = [int(place) for place in np.argsort(-by_sign, kind="stable")]
        likeliest = [self._signs.signs[place] for place in order if by_sign[place] >= LEAST_OWN]
        for column in reversed(range(len(TIERS))):
            hinted, clear = BARS[TIERS[column]]
            for sign in likeliest:
                if not sign.examples or Urgency(sign.tier).rank < Urgency(TIERS[column]).rank:
                    continue
                if score[column] >= clear or (score[column] >= hinted and concepts.intersection(sign.hints)):
                    return sign
        return None


def _joined(stretches: Sequence[Stretch]) -> str:
    return " ".join(item.text for item in stretches)
