"""Likeness to example wordings: what it adds, against a plain computation."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot import sign_encoder, sign_examples
from bot.chat import _sign_examples
from bot.datatypes import Urgency
from bot.safety import Gate, universal_signs
from bot.sign_encoder import SIGN_LAYERS, TRAINED_OVER, kept_examples, load_sign_encoder
from bot.sign_examples import (
    SHARPNESS,
    SMOOTHNESS,
    SPELLING,
    Example,
    _grams,
    examples_of,
    landmarks_of,
    make_examples,
    read_examples,
    state_of,
    write_examples,
)
from bot.sign_likeness import Likeness
from bot.sign_words import trained_reader
from ingest.datatypes import Matrix
from ingest.encode import TRAINED_LAYERS, TRAINED_SHA256, OnnxEncoder
from ingest.errors import EncoderError
from ingest.signs import EmergencyNumbers, WarningSigns, parse_signs, read_signs
from tests.conftest import ROOT

SIGNS = """
harmless = ["a nice day in the garden", "which stretch is best", "how long do I hold it", "thanks a lot"]

[concepts.wet]
kind = "problem"
words = ["soaked"]

[sources]
N1 = "A leaflet"

[messages.go]
title = "Go"
text = "Call {emergency}."
call = "emergency"

[[signs]]
id = "bladder"
tier = "emergency"
concern = "Bladder"
message = "go"
sources = ["N1"]
when = ["wet"]

[examples]
bladder = ["the chair was wet again", "water runs down the chair", "wet sheets again"]
"""


class Letters:
    """A fake encoder: a vector is the counts of the letters."""

    name = "letters"
    revision = "1"
    dimension = 26
    max_tokens = 256

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def knows_word(self, word: str) -> bool:
        return bool(word)

    def encode_passages(self, texts: list[str]) -> Matrix:
        return self.encode_queries(texts)

    def encode_queries(self, texts: list[str]) -> Matrix:
        counts = [[text.count(chr(97 + at)) for at in range(26)] for text in texts]
        vectors = np.asarray(counts, dtype=np.float32).reshape(len(texts), 26)
        return np.asarray(
            vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), dtype=np.float32
        )


def signs() -> WarningSigns:
    return parse_signs({"signs.toml": SIGNS})


def test_a_wording_like_an_example_is_a_sign() -> None:
    """ensures that likeness raises what no rule has, and leaves a harmless wording alone."""
    gate = Gate(signs(), EmergencyNumbers(), Letters())
    assert gate.assess(["the chair is wet again"]).urgency is Urgency.EMERGENCY
    assert gate.assess(["which stretch is best for me"]).urgency is Urgency.NONE


def test_a_figure_of_speech_needs_more_likeness_where_the_sign_says_so() -> None:
    """ensures that what is said lightly may be told from a complaint, for the signs that ask for it."""
    figures = SIGNS.replace("[concepts.wet]", '[language]\nfigures = ["what a hoot"]\n\n[concepts.wet]')
    text = "the chair was wet again what a hoot"
    urgencies = [
        Gate(parse_signs({"s": data}), EmergencyNumbers(), Letters()).assess([text]).urgency
        for data in (
            figures,
            figures.replace('when = ["wet"]', 'when = ["wet"]\nleast_in_figures = 9'),
            SIGNS.replace('when = ["wet"]', 'when = ["wet"]\nleast_in_figures = 9'),
        )
    ]
    assert urgencies == [Urgency.EMERGENCY, Urgency.NONE, Urgency.EMERGENCY]


def test_kept_examples_change_nothing(tmp_path: Path) -> None:
    """ensures that what a file keeps is what the gate would make itself, for one state of the signs only."""
    state = state_of(signs(), Letters())
    write_examples(tmp_path / "kept", make_examples(signs(), Letters()), state)
    kept = read_examples(tmp_path / "kept", state)
    assert kept is not None
    given = Gate(signs(), EmergencyNumbers(), Letters(), kept)
    fresh = Gate(signs(), EmergencyNumbers(), Letters())
    for text in ("the chair is wet again", "a wet day in the garden", "hold the chair"):
        assert given.assess([text]).urgency is fresh.assess([text]).urgency
    assert read_examples(tmp_path / "kept", "00" * 32) is None
    (tmp_path / "kept").write_bytes(b"damaged")
    assert read_examples(tmp_path / "kept", state) is None
    assert read_examples(tmp_path / "missing", state) is None


def test_examples_are_made_once_for_each_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ensures that a second start reads them, that a change makes them anew, and that one file is left."""
    made = []

    def noted(*args: Any) -> Any:
        made.append(args)
        return make_examples(*args)

    monkeypatch.setattr("bot.chat.make_examples", noted)
    for times, text in ((1, SIGNS), (1, SIGNS), (2, SIGNS.replace("thanks a lot", "many thanks"))):
        examples = _sign_examples(parse_signs({"signs.toml": text}), Letters(), tmp_path / "cache")
        assert len(made) == times
        assert len(examples.texts) == 7
        assert len(list((tmp_path / "cache").iterdir())) == 1


def test_examples_that_cannot_be_kept_are_used_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """ensures that a full disk or a folder that cannot be written costs no more than the time."""
    (tmp_path / "file").write_text("no folder")
    in_the_way = f"sign-examples-{state_of(signs(), Letters())[:16]}.{os.getpid()}.tmp"
    (tmp_path / "cache" / in_the_way / "full").mkdir(parents=True)
    for cache in (tmp_path / "file", tmp_path / "cache"):
        caplog.clear()
        assert len(_sign_examples(signs(), Letters(), cache).texts) == 7
        assert "cannot be kept" in caplog.text


@pytest.mark.parametrize("many", [100, 4])
def test_the_weights_solve_the_regression(monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    """ensures that the weights are those of the formula, computed pair by pair, for all examples or some."""
    monkeypatch.setattr(sign_examples, "LANDMARKS", many)
    texts = [text.casefold() for text in [*signs().signs[0].examples, *signs().harmless]]
    examples = examples_of(signs(), *trained_reader(signs()))
    assert [example.text for example in examples] == texts
    chosen = landmarks_of(examples)
    assert len(chosen) == min(many, len(texts))
    made = make_examples(signs(), Letters())
    vectors = Letters().encode_passages(texts)
    assert made.texts == tuple(texts[at] for at in chosen)
    np.testing.assert_allclose(made.vectors, vectors[chosen], atol=1e-6)
    grams = [_grams(text) for text in texts]
    near = [grams[at] for at in chosen]
    shared = sorted({gram for found in near for gram in found if sum(gram in other for other in near) > 1})
    rarity = [np.log(len(near) / sum(gram in other for other in near)) for gram in shared]
    spelled = np.array(
        [[(gram in found) * value for gram, value in zip(shared, rarity, strict=True)] for found in grams]
    )
    spelled /= np.maximum(np.linalg.norm(spelled, axis=1, keepdims=True), 1e-9)
    kernel = np.exp(SHARPNESS * (vectors @ vectors.T - 1)) + SPELLING * spelled @ spelled.T
    column = kernel[:, chosen]
    expected = np.linalg.solve(
        column.T @ column + SMOOTHNESS * kernel[np.ix_(chosen, chosen)],
        column.T @ np.where(np.arange(len(texts)) < 3, 1.0, -1.0),
    )
    assert made.weights.shape == (len(chosen), 3 + 1)
    for at in range(4):  # an emergency is at least of every tier, and the only sign is that one
        assert made.weights[:, at] == pytest.approx(expected, abs=1e-2)


def test_half_of_the_landmarks_are_of_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """ensures that neither side crowds the other out, and that one makes room where the other is small."""
    examples = [Example(f"sign {at}", 0, 3) for at in range(20)]
    examples += [Example(f"fine {at}", -1, 0) for at in range(30)]
    monkeypatch.setattr(sign_examples, "LANDMARKS", 16)
    chosen = landmarks_of(examples)
    assert sum(examples[at].sign >= 0 for at in chosen) == 8
    assert (len(chosen), chosen) == (16, sorted(chosen))
    assert len(landmarks_of([*examples[:3], *examples[20:]])) == 16
    assert len(landmarks_of(examples[:19] + examples[-1:])) == 16


def test_each_stretch_of_a_harmless_story_is_an_example() -> None:
    """ensures that a sentence of a story is as harmless by itself, and that no text stands twice."""
    story = SIGNS.replace(
        '"thanks a lot"', '"thanks a lot", "We moved house. My back is stiff. Thanks a lot"'
    )
    told = parse_signs({"signs.toml": story})
    texts = [example.text for example in examples_of(told, *trained_reader(told))]
    assert {"we moved house", "my back is stiff", "we moved house my back is stiff thanks a lot"} <= set(
        texts
    )
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize(("whole", "expected"), [(0.5, Urgency.EMERGENCY), (-1.5, Urgency.NONE)])
def test_the_whole_message_counts_beside_its_parts(
    monkeypatch: pytest.MonkeyPatch, whole: float, expected: Urgency
) -> None:
    """ensures that a sentence that is like a sign is read in the light of the whole message."""

    def scores(_: Likeness, texts: list[str]) -> list[Matrix]:
        alike = {"the chair is wet again": 0.5, "thanks a lot": -1.0}
        return [np.full(3 + 1, alike.get(text, whole), dtype=np.float32) for text in texts]

    monkeypatch.setattr(Likeness, "_scores", scores)
    gate = Gate(signs(), EmergencyNumbers(), Letters())
    assert gate.assess(["The chair is wet again. Thanks a lot."]).urgency is expected


# ---- the encoder of the gate -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encoder() -> OnnxEncoder:
    return load_sign_encoder()


def test_the_layers_stand_over_those_that_they_were_trained_over() -> None:
    """ensures that nobody trains the retrieval encoder anew and leaves the gate on other lower layers."""
    assert TRAINED_OVER == TRAINED_SHA256


@pytest.mark.parametrize("change", [None, b"damaged"])
def test_damaged_layers_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: bytes | None
) -> None:
    """ensures that no other weights are taken for the gate's."""
    path = tmp_path / "signs.safetensors"
    if change is not None:
        path.write_bytes(change)
    monkeypatch.setattr(sign_encoder, "SIGN_LAYERS", path)
    with pytest.raises(EncoderError, match="install the product again"):
        load_sign_encoder()


@pytest.mark.model
def test_the_served_vectors_are_the_trained_ones(encoder: OnnxEncoder) -> None:
    """ensures that the graph computes what was trained, for short and long, none and too long texts."""
    import torch  # noqa: PLC0415 - seconds to import
    from safetensors.torch import load_file  # noqa: PLC0415

    from training.model import load_bert, load_tokenizer, tokenize  # noqa: PLC0415
    from training.train_signs import SignModel  # noqa: PLC0415

    texts = ["numb down there", "", "my back hurts after the garden " * 8]
    model = SignModel(load_bert(TRAINED_LAYERS), trained=3)
    model.bert.load_state_dict(load_file(str(SIGN_LAYERS)), strict=False)
    with torch.no_grad():
        expected = model.embed(model.read(tokenize(load_tokenizer(), texts))).numpy()
    np.testing.assert_allclose(encoder.encode_queries(texts), expected, atol=1e-3)


@pytest.mark.parametrize("has_own", [True, False])
def test_the_examples_of_the_product_are_kept(has_own: bool) -> None:
    """ensures that nobody changes an example, or the code that reads it, and forgets what is kept."""
    signs = universal_signs()
    if has_own:
        signs = signs.merge(read_signs(ROOT / "corpus" / "warning-signs"))
    encoder = load_sign_encoder()
    kept = kept_examples(state_of(signs, encoder))
    assert kept is not None, "run: python -m training.sign_examples"
    assert len(kept.texts) == sign_examples.LANDMARKS
    assert kept.vectors.shape == (len(kept.texts), encoder.dimension)
    assert kept.weights.shape == (len(kept.texts), 3 + len(signs.signs))
    assert kept_examples("00" * 32) is None


@pytest.mark.model
def test_kept_vectors_are_those_that_would_be_computed(encoder: OnnxEncoder) -> None:
    """ensures that keeping them only saves time."""
    kept = kept_examples(state_of(universal_signs(), encoder))
    assert kept is not None
    computed = encoder.encode_queries(list(kept.texts[::400]))
    np.testing.assert_allclose(kept.vectors[::400], computed, atol=2e-3)


def test_a_damaged_file_of_kept_examples_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ensures that examples are loaded by checksum, and made anew where they are damaged."""
    for name in sign_encoder.KEPT_EXAMPLES:
        (tmp_path / name).write_bytes((sign_encoder.WEIGHTS / name).read_bytes()[:-1])
    monkeypatch.setattr(sign_encoder, "WEIGHTS", tmp_path)
    assert kept_examples(state_of(universal_signs(), load_sign_encoder())) is None
