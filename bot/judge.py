"""Does this passage answer this question? The learned judge, for declining.

Takes a question and the whole views of passages, gives one score each: above 0 the passage answers. The
lower layers read question and passage apart and the passage never looks at the question, so what belongs
to a passage is computed once and kept (training/judge.py explains the model; docs/model-card.md has data,
recipe and figures).
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from bot.memory import Memory
from ingest.encode import bundled_tokenizer, bundled_weights
from ingest.errors import EncoderError
from ingest.runtime import Session, open_session, pad

__all__ = ["Judge", "load_judge"]

_WEIGHTS = Path(__file__).parent / "weights"
JUDGE_LAYERS = _WEIGHTS / "judge.safetensors"
JUDGE_SHA256 = "86519520c3f2c5767c8366c617ebc099fca38bd17504cbd37f3ed586309f087a"
MAX_TOKENS = 160  # as in training
MAX_SCORE = 30.0  # beyond it is as sure as can be
MAX_JUDGED = 5_000  # questions whose odds are remembered
MAX_KEPT = 400  # passages; about 0.3 MB each

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Memory:
    """What questions look at in a passage: shapes (joint layers, heads, tokens, width), and (width,)."""

    keys: Floats
    values: Floats
    pooled: Floats


class Judge:
    """Scores questions with passages; safe to use from several threads at once."""

    def __init__(self, layers: Path = JUDGE_LAYERS) -> None:
        self._layers = layers
        self._kept: OrderedDict[str, _Memory] = OrderedDict()
        self._odds: Memory[float] = Memory(MAX_JUDGED)
        self._lock = threading.Lock()

    @cached_property
    def _stored(self) -> dict[str, Floats]:
        stored = {name: np.asarray(w, dtype=np.float32) for name, w in load_file(str(self._layers)).items()}
        return bundled_weights() | stored

    @cached_property
    def _passages(self) -> Session:
        return open_session(_WEIGHTS / "judge-passages.onnx", self._stored)

    @cached_property
    def _question(self) -> Session:
        return open_session(_WEIGHTS / "judge-question.onnx", self._stored)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        rows = [encoding.ids for encoding in bundled_tokenizer().encode_batch(list(texts))]
        return [row[: MAX_TOKENS - 1] + row[-1:] if len(row) > MAX_TOKENS else row for row in rows]

    def _remember(self, texts: Sequence[str]) -> list[_Memory]:
        with self._lock:
            found = {text: self._kept[text] for text in texts if text in self._kept}
        # Without the lock: a new guide that is read ahead holds up no message.
        found |= self._read([text for text in dict.fromkeys(texts) if text not in found])
        with self._lock:
            for text in texts:
                self._kept[text] = found[text]
                self._kept.move_to_end(text)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return [found[text] for text in texts]

    def _read(self, texts: Sequence[str]) -> dict[str, _Memory]:
        if not texts:
            return {}
        ids, mask = pad(self._ids(texts))
        keys, values, pooled = self._passages.run(ids=ids, mask=mask)
        sizes = mask.sum(axis=1).tolist()
        return {
            text: _Memory(keys[at, :, :, :size].copy(), values[at, :, :, :size].copy(), pooled[at])
            for at, (text, size) in enumerate(zip(texts, sizes, strict=True))
        }

    def prepare(self, texts: Sequence[str]) -> None:
        """Read passages ahead of the first question, as many as are kept."""
        for at in range(0, min(len(texts), MAX_KEPT), 8):
            self._remember(texts[at : min(at + 8, MAX_KEPT)])

    def odds(self, question: str, texts: Sequence[str]) -> float:
        """Give the log of the summed odds that one of the passages answers a question."""
        if not texts:
            return -MAX_SCORE
        return self._odds.get("\0".join([question, *texts]), lambda: self._sum_odds(question, texts))

    def _sum_odds(self, question: str, texts: Sequence[str]) -> float:
        scores = np.clip(self.scores(question, texts), -MAX_SCORE, MAX_SCORE)
        return float(np.log(np.exp(scores).sum()))

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Score a question with each passage, in order; above 0 the passage answers it.

        :param texts: The whole view of each passage.
        """
        if not texts:
            return []
        memories = self._remember(texts)
        longest = max(memory.keys.shape[2] for memory in memories)
        shape = (len(memories), *memories[0].keys.shape[:2], longest, memories[0].keys.shape[3])
        keys, values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        seen = np.zeros((len(memories), longest), np.int64)
        for at, memory in enumerate(memories):
            size = memory.keys.shape[2]
            keys[at, :, :, :size], values[at, :, :, :size], seen[at, :size] = memory.keys, memory.values, 1
        mixed, cosine = self._question.run(
            ids=np.array(self._ids([question]), dtype=np.int64),
            keys=keys,
            values=values,
            seen=seen,
            pooled=np.stack([memory.pooled for memory in memories]),
        )
        scale, base = self._stored["judge.scale"]
        return [float(score) for score in mixed + scale * cosine + base]


def load_judge() -> Judge:
    """Locate the judge and check its weights; they are read at the first question.

    :raises EncoderError: If the weights are missing or damaged.
    """
    if not JUDGE_LAYERS.is_file() or hashlib.sha256(JUDGE_LAYERS.read_bytes()).hexdigest() != JUDGE_SHA256:
        raise EncoderError(
            f"The judge's weights in {JUDGE_LAYERS} are missing or damaged; install the product again."
        )
    return Judge()
