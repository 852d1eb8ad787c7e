"""Likeness to example wordings: what it adds, against a plain computation."""

import numpy as np
import pytest

from bot.datatypes import Urgency
from bot.safety import Gate, encode_examples
from bot.sign_likeness import SHARPNESS, SMOOTHNESS, SPELLING, _grams
from ingest.datatypes import Matrix
from ingest.signs import EmergencyNumbers, WarningSigns, parse_signs

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


def test_examples_made_beforehand_change_nothing() -> None:
    """ensures that the kept examples are those that the gate would make itself."""
    given = Gate(signs(), EmergencyNumbers(), Letters(), encode_examples(signs(), Letters()))
    fresh = Gate(signs(), EmergencyNumbers(), Letters())
    for text in ("the chair is wet again", "a wet day in the garden", "hold the chair"):
        assert given.assess([text]).urgency is fresh.assess([text]).urgency


def test_the_weights_solve_the_regression() -> None:
    """ensures that the weights are those of the formula, computed pair by pair."""
    texts = [*signs().signs[0].examples, *signs().harmless]
    texts = [text.casefold() for text in texts]
    rows = encode_examples(signs(), Letters())
    vectors, weights = rows[:, :26], rows[:, 26:]
    grams = [_grams(text) for text in texts]
    shared = sorted({gram for found in grams for gram in found if sum(gram in other for other in grams) > 1})
    rarity = [np.log(len(texts) / sum(gram in other for other in grams)) for gram in shared]
    spelled = np.array(
        [[(gram in found) * value for gram, value in zip(shared, rarity, strict=True)] for found in grams]
    )
    spelled /= np.maximum(np.linalg.norm(spelled, axis=1, keepdims=True), 1e-9)
    kernel = np.exp(SHARPNESS * (vectors @ vectors.T - 1)) + SPELLING * spelled @ spelled.T
    expected = np.linalg.solve(
        kernel + SMOOTHNESS * np.eye(len(texts)), np.where(np.arange(len(texts)) < 3, 1.0, -1.0)
    )
    assert weights.shape == (len(texts), 3 + 1)
    for column in range(4):  # an emergency is at least of every tier, and the only sign is that one
        assert weights[:, column] == pytest.approx(expected, abs=1e-2)
