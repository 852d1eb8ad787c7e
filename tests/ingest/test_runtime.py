"""Tests of the graphs that run without torch: the encoder of questions against that of passages."""

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ingest import encode
from ingest.datatypes import Matrix
from ingest.encode import OnnxEncoder, SentenceTransformerEncoder, load_encoder, load_query_encoder
from ingest.errors import EncoderError
from ingest.runtime import open_session, pad
from tests.conftest import ROOT, run_python

TEXTS = [
    "",
    "knee",
    "How long should I hold a stretch?",
    "🪴",
    "Ünïcödé, emoji 🙂🙂 and a word that is not one: Mobilisationsübung.",
    "Lie on your back with your knees bent. " * 12,
    "back " * 254,  # with the two special ones as long as the model reads
    "back " * 254 + "zebra",
    "A word and another. " * 400,
    "x" * 3000,
    "\n\t ",
    "[CLS] [SEP] [PAD] [MASK]",
]
MANY = [f"Question {at}: {'why does my back hurt ' * (at % 13)}after {at} hours?" for at in range(40)]
NAMES = ["all-MiniLM-L6-v2", ""]


@pytest.fixture(scope="module", params=NAMES, ids=["bundled", "trained"])
def pair(request: pytest.FixtureRequest) -> tuple[SentenceTransformerEncoder, OnnxEncoder]:
    plain = load_encoder(str(request.param))
    return plain, plain.for_queries()


@pytest.fixture(scope="module")
def served() -> OnnxEncoder:
    return load_encoder().for_queries()


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """A copy of the encoder's graph and its list of names."""
    copy = tmp_path / encode.ENCODER_GRAPH.name
    for path in (encode.ENCODER_GRAPH, encode.ENCODER_GRAPH.with_suffix(".txt")):
        shutil.copy(path, tmp_path / path.name)
    return copy


def cosines(left: Matrix, right: Matrix) -> Matrix:
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return np.asarray((left * right).sum(axis=1) / lengths)


# --- padding ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "tokens", "mask"),
    [
        ([[7, 8, 9], [5]], [[7, 8, 9], [5, 0, 0]], [[1, 1, 1], [1, 0, 0]]),
        ([[5], [7, 8]], [[5, 0], [7, 8]], [[1, 0], [1, 1]]),
        ([[1, 2]], [[1, 2]], [[1, 1]]),
        ([[0, 3], [0]], [[0, 3], [0, 0]], [[1, 1], [1, 0]]),
        ([[], [4]], [[0], [4]], [[0], [1]]),
    ],
)
def test_rows_are_padded_behind_their_tokens(
    rows: list[list[int]], tokens: list[list[int]], mask: list[list[int]]
) -> None:
    """Ensures that every token keeps its place, the rest is 0, and the mask tells a token 0 from padding."""
    found_tokens, found_mask = pad(rows)
    assert found_tokens.tolist() == tokens
    assert found_mask.tolist() == mask
    assert found_tokens.dtype == found_mask.dtype == np.int64


# --- what is damaged -------------------------------------------------------------------------------


def remove_graph(graph: Path) -> None:
    graph.unlink()


def remove_names(graph: Path) -> None:
    graph.with_suffix(".txt").unlink()


def garble_names(graph: Path) -> None:
    graph.with_suffix(".txt").write_bytes(b"\xff\xfe\x00")


def add_name(graph: Path) -> None:
    with graph.with_suffix(".txt").open("a", encoding="utf-8") as file:
        file.write("no.such.weight\n")


@pytest.mark.parametrize("damage", [remove_graph, remove_names, garble_names, add_name])
def test_a_missing_or_damaged_graph_is_named(graph: Path, damage: Callable[[Path], None]) -> None:
    """Ensures that the operator reads one sentence with the file in it and what to do."""
    weights = encode.bundled_weights()
    open_session(graph, weights)  # the copy is whole
    damage(graph)
    with pytest.raises(EncoderError) as caught:
        open_session(graph, weights)
    message = str(caught.value)
    assert f"The graph {graph} is missing or damaged" in message
    assert "install the product again" in message
    assert "\n" not in message


def test_a_weight_that_is_not_there_is_an_error_that_names_the_graph(graph: Path) -> None:
    """Ensures that a graph never runs without one of its weights."""
    weights = encode.bundled_weights()
    needed = graph.with_suffix(".txt").read_text(encoding="utf-8").split()[-1].removesuffix(".T")
    del weights[needed]
    with pytest.raises(EncoderError, match=r"encoder\.onnx .*its weights do not fit"):
        open_session(graph, weights)
    with pytest.raises(EncoderError, match=r"encoder\.onnx .*its weights do not fit"):
        open_session(graph, {})


def test_damaged_or_missing_layers_are_refused_before_a_question_is_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ensures that the encoder of questions is as careful about its weights as that of passages."""
    damaged = tmp_path / "encoder.safetensors"
    monkeypatch.setattr(encode, "TRAINED_LAYERS", damaged)
    with pytest.raises(EncoderError, match=r"trained layers in .*encoder\.safetensors are missing"):
        load_query_encoder()
    content = bytearray((ROOT / "ingest" / "weights" / "encoder.safetensors").read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(
        EncoderError, match=r"trained layers in .*encoder\.safetensors are missing or damaged"
    ):
        load_query_encoder()


@pytest.mark.model
def test_a_missing_graph_is_named_at_the_first_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ensures that the encoder passes the one sentence on."""
    monkeypatch.setattr(encode, "ENCODER_GRAPH", tmp_path / "gone.onnx")
    with pytest.raises(EncoderError, match=r"The graph .*gone\.onnx is missing"):
        load_query_encoder().encode_queries(["a question"])


# --- the same vectors ------------------------------------------------------------------------------


def test_questions_are_encoded_by_onnx_under_the_same_name_and_revision() -> None:
    """Ensures that an index of the one encoder is searched with the other."""
    for name in NAMES:
        plain, served = load_encoder(name), load_query_encoder(name)
        assert isinstance(served, OnnxEncoder)
        assert (served.name, served.revision, served.max_tokens) == (
            plain.name,
            plain.revision,
            plain.max_tokens,
        )
        assert served.count_tokens(TEXTS[4]) == plain.count_tokens(TEXTS[4])


@pytest.mark.model
def test_both_encoders_give_the_same_vectors(pair: tuple[SentenceTransformerEncoder, OnnxEncoder]) -> None:
    """Ensures that texts of any length, none and emoji have one vector, with and without trained layers."""
    plain, served = pair
    assert served.count_tokens(TEXTS[6]) == 256 < served.count_tokens(TEXTS[8])
    expected, found = plain.encode_queries(TEXTS), served.encode_queries(TEXTS)
    assert found.shape == expected.shape == (len(TEXTS), plain.dimension) == (len(TEXTS), served.dimension)
    assert found.dtype == np.float32
    np.testing.assert_array_less(0.99999, cosines(found, expected))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(served.encode_passages(TEXTS), found, atol=1e-6)


@pytest.mark.model
def test_what_is_beyond_the_word_pieces_that_are_read_changes_nothing(served: OnnxEncoder) -> None:
    """Ensures that the cut leaves the first 255 word pieces and the closing one, and no fewer."""
    whole, longer, shorter = served.encode_queries(["back " * 254, "back " * 254 + "zebra", "back " * 253])
    np.testing.assert_allclose(whole, longer, atol=1e-6)
    assert np.abs(whole - shorter).max() > 1e-4
    inside = served.encode_queries(["back " * 253 + "zebra"])[0]
    assert np.abs(whole - inside).max() > 1e-3


@pytest.mark.model
def test_forty_texts_at_once_have_the_vectors_they_have_one_by_one(served: OnnxEncoder) -> None:
    """Ensures that sorting by length, padding and threads leave every vector in its text's row."""
    together = served.encode_queries(MANY)
    alone = np.concatenate([served.encode_queries([text]) for text in MANY])
    np.testing.assert_array_less(0.99999, cosines(together, alone))
    np.testing.assert_allclose(together, alone, atol=1e-5)
    nearest = (together @ alone.T).argmax(axis=1)
    assert nearest.tolist() == list(range(len(MANY)))


@pytest.mark.model
def test_no_texts_have_no_vectors(served: OnnxEncoder) -> None:
    """Ensures that an empty list is answered with the right shape."""
    assert served.encode_queries([]).shape == (0, 384)


@pytest.mark.model
def test_eight_threads_at_once_get_the_vectors_of_one() -> None:
    """Ensures that visitors who ask at the same moment, the first of all too, do not disturb one another."""
    shared = load_encoder().for_queries()  # nothing of it is loaded yet
    start = threading.Barrier(8)

    def ask(at: int) -> list[Matrix]:
        start.wait()
        return [shared.encode_queries(MANY[at * 5 : at * 5 + 5]) for _ in range(3)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    expected = load_encoder().for_queries().encode_queries(MANY)
    for at, answer in enumerate(answers):
        for vectors in answer:
            np.testing.assert_allclose(vectors, expected[at * 5 : at * 5 + 5], atol=1e-5)


@pytest.mark.model
def test_encoding_a_question_imports_no_torch() -> None:
    """Ensures that answering is ready in a second: nothing slow is imported on the way to a vector."""
    code = """
import sys
from ingest.encode import load_query_encoder
shape = load_query_encoder().encode_queries(["how long do I hold it", "why"]).shape
slow = ("torch", "transformers", "sentence_transformers")
print(shape, [name for name in slow if name in sys.modules])
"""
    assert run_python(code) == "(2, 384) []"


@pytest.mark.parametrize("content", [b"", b"not a graph", bytes(range(256))])
def test_a_damaged_graph_is_named_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    """ensures that nothing of the library's own faults reaches the user."""
    graph = tmp_path / "damaged.onnx"
    graph.write_bytes(content)
    graph.with_suffix(".txt").write_text("", encoding="utf-8")
    with pytest.raises(EncoderError, match=r"damaged\.onnx"):
        open_session(graph, {})
