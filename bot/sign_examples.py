"""Example wordings of warning signs -> what texts are compared with, and how much each of it weighs.

Takes the wordings of all signs and the harmless ones, gives :class:`Examples`: those that stand for all, with
vectors and weights. Making them takes minutes, so they are kept in a file for each state of the wordings.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.linalg import solve
from scipy.sparse import csr_matrix

from bot import sign_judge, sign_words
from bot.datatypes import Urgency
from bot.sign_judge import Judge
from bot.sign_words import Phrases, Reader, trained_reader
from ingest.datatypes import Encoder, Matrix
from ingest.signs import TIERS, WarningSigns

__all__ = [
    "SHARPNESS",
    "SPELLING",
    "Example",
    "Examples",
    "Spelling",
    "examples_of",
    "landmarks_of",
    "make_examples",
    "read_examples",
    "state_of",
    "write_examples",
]

# Set by holding the check wordings against examples that they were not among; docs/safety.md has the table.
SHARPNESS = 3.0
SPELLING = 0.6  # how much shared words and letters count beside meaning
SMOOTHNESS = 0.2
LETTERS = 4  # a gram: words, pairs of words, and runs of so many letters
LANDMARKS = 6_000  # examples that a text is compared with; more are learned from
KERNEL_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Example:
    """An example wording in one spelling; ``sign`` is its place among the signs, -1 for a harmless one."""

    text: str
    sign: int
    rank: int


@dataclass(frozen=True, slots=True)
class Examples:
    """The landmarks: examples that texts are compared with.

    :param texts: In one spelling.
    :param vectors: Shape (landmarks, dimension), rows of length 1.
    :param weights: Shape (landmarks, tiers and signs).
    """

    texts: tuple[str, ...]
    vectors: Matrix
    weights: Matrix


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


class Spelling:
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
    order = sorted(range(len(examples)), key=lambda at: hashlib.sha256(examples[at].text.encode()).digest())
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
    if not examples:
        return np.zeros((0, len(TIERS) + sign_count), dtype=np.float32)
    texts = [example.text for example in examples]
    spelled = Spelling([texts[at] for at in landmarks]).matrix(texts)
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


def make_examples(signs: WarningSigns, encoder: Encoder) -> Examples:
    """Encode and weigh the example wordings of signs."""
    examples = examples_of(signs, *trained_reader(signs))
    texts = [example.text for example in examples]
    landmarks = landmarks_of(examples)
    vectors = encoder.encode_passages(texts) if texts else np.zeros((0, encoder.dimension), np.float32)
    weights = _fit(examples, vectors, landmarks, len(signs.signs))
    return Examples(tuple(texts[at] for at in landmarks), vectors[landmarks], weights)


def state_of(signs: WarningSigns, encoder: Encoder) -> str:
    """Give the checksum of all that examples are made from: signs, encoder and code."""
    modules = (sign_words.__file__, sign_judge.__file__, __file__)  # they decide on spelling and stretches
    code = b"".join(Path(str(file)).read_bytes() for file in modules)
    return hashlib.sha256(repr((signs, encoder.name, encoder.revision)).encode() + code).hexdigest()


def write_examples(path: Path, examples: Examples, state: str) -> None:
    """Write examples to a file; vectors in eight bits a number, which changes a cosine by less than 0.001.

    :raises OSError: If it cannot be written.
    """
    scales = np.abs(examples.vectors).max(axis=1, initial=1e-9) / 127
    stored = {
        "texts": np.frombuffer("\n".join(examples.texts).encode(), dtype=np.uint8),
        "vectors": np.round(examples.vectors / scales[:, None]).astype(np.int8),
        "scales": scales.astype(np.float32),
        "weights": examples.weights.astype(np.float16),
        "state": np.frombuffer(bytes.fromhex(state), dtype=np.uint8),
    }
    save_file({name: np.ascontiguousarray(array) for name, array in stored.items()}, str(path))


def read_examples(path: Path, state: str) -> Examples | None:
    """Read examples from a file; None where there are none of that state."""
    try:
        stored = load_file(str(path))
        if stored["state"].tobytes().hex() != state:
            return None
        return Examples(
            texts=tuple(stored["texts"].tobytes().decode().split("\n")),
            vectors=np.asarray(stored["vectors"] * stored["scales"][:, None], dtype=np.float32),
            weights=stored["weights"].astype(np.float32),
        )
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
