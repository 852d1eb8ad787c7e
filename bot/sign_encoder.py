"""The encoder of the warning-sign gate: vectors learned from example wordings (docs/model-card.md).

It does not depend on the encoder that the guide names, and needs no torch. What the gate makes of the
wordings that come with the product is kept in a file; where one is added or taken away, it is computed.
"""

import hashlib
import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from ingest.datatypes import Matrix
from ingest.encode import BUNDLED_MODEL, OnnxEncoder, load_layers

__all__ = ["SIGN_LAYERS", "SignEncoder", "key_of", "load_sign_encoder"]

logger = logging.getLogger(__name__)

_WEIGHTS = Path(__file__).parent / "weights"
SIGN_LAYERS = _WEIGHTS / "signs.safetensors"
SIGN_SHA256 = "3499e53645bcef606225c10c2b91dc4e717d2b678128ee1af730583b2523011b"
TRAINED_OVER = (
    "036606464fe4619e8e0ab0c94d48fb7937550b5821418c337f6ca0b0deed2f01"  # sha256 of the layers below
)
KEPT_EXAMPLES = _WEIGHTS / "sign-examples.safetensors"  # made by training.sign_examples
KEPT_SHA256 = "100c35cf3c9339854d838106f8cfa8e86e559356ffe5c28b274bb0692ee61005"


def key_of(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Give the number under which the vector of each text is kept."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8] for text in texts]
    return np.frombuffer(b"".join(digests), dtype="<i8")


class SignEncoder:
    """An ``Encoder`` whose passages are the example wordings; safe to use from several threads at once.

    :param kept: File of landmarks: vectors by ``key_of`` their text, weights for one state of them.
    """

    def __init__(self, model: OnnxEncoder, kept: Path = KEPT_EXAMPLES, checksum: str = KEPT_SHA256) -> None:
        self._model = model
        self._file = kept
        self._checksum = checksum
        self.name = model.name
        self.revision = model.revision
        self.dimension = model.dimension
        self.max_tokens = model.max_tokens

    def count_tokens(self, text: str) -> int:
        """Count the word pieces of a text."""
        return self._model.count_tokens(text)

    def knows_word(self, word: str) -> bool:
        """Tell whether a lower-case word is a word piece of its own."""
        return self._model.knows_word(word)

    @cached_property
    def _stored(self) -> dict[str, npt.NDArray[Any]]:
        try:
            if hashlib.sha256(self._file.read_bytes()).hexdigest() == self._checksum:
                return load_file(str(self._file))
        except OSError:
            pass
        logger.warning("The kept examples in %s are missing or damaged; they are computed anew.", self._file)
        return {}

    @cached_property
    def _kept(self) -> dict[int, Matrix]:
        if not self._stored:
            return {}
        return dict(zip(self._stored["keys"].tolist(), self._vectors(), strict=True))

    def _vectors(self) -> Matrix:
        return np.asarray(self._stored["vectors"] * self._stored["scales"][:, None], dtype=np.float32)

    def kept_examples(self, state: str) -> Matrix | None:
        """Give the landmarks' vectors and weights where they were kept for that state of the examples."""
        if not self._stored or self._stored["state"].tobytes().hex() != state:
            return None
        return np.concatenate([self._vectors(), self._stored["weights"].astype(np.float32)], axis=1)

    def encode_passages(self, texts: list[str]) -> Matrix:
        """Encode example wordings; shape (len(texts), dimension), rows of length 1."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        new: list[int] = []
        for row, key in enumerate(key_of(texts).tolist()):
            if key in self._kept:
                vectors[row] = self._kept[key]
            else:
                new.append(row)
        vectors[new] = self._model.encode_queries([texts[row] for row in new])
        return vectors

    def encode_queries(self, texts: list[str]) -> Matrix:
        """Encode what people write; shape (len(texts), dimension), rows of length 1."""
        return self._model.encode_queries(texts)


def load_sign_encoder() -> SignEncoder:
    """Locate the encoder and check its weights; they are read at the first vector.

    :raises EncoderError: If they are missing or damaged.
    """
    return SignEncoder(load_layers(f"{BUNDLED_MODEL}+signs", SIGN_LAYERS, SIGN_SHA256))
