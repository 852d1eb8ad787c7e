"""Tests of the judge as it is served: against the one that was trained, and against itself."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bot import judge as served
from bot.chat import Bot
from bot.judge import JUDGE_LAYERS, Judge, load_judge
from ingest.errors import EncoderError
from tests.conftest import run_python

PASSAGES = [
    "Watering. Water the plant when the top of the soil is dry. Too much water rots the roots, and the "
    "leaves turn yellow. In winter it needs half as much.",
    "How often should I feed a plant?. Feed it every two weeks from March to September. Do not feed it in "
    "winter.",
    "Pests. Check the leaves once a week.",
    "Soaking. Put the pot into a bowl of water. Wait for 20-30 minutes. Let it drain well.",
    "Light. Most plants want a bright window without noon sun.",
    "Repotting. Every second spring, take a pot that is two fingers wider, and fresh soil.",
    "🪴",
    "Cleaning. " + "Wipe dust from each leaf with a soft, damp cloth and support it with your hand. " * 20,
]
QUESTIONS = [
    "how often do i feed it",
    "When should I water the plant?",
    "why are the leaves yellow",
    "Who won the football world cup in 1966?",
    "",
    "my plant looks sad 🪴 " * 60,
]
ANSWERED = ["How often should I feed my plant?", "When should I water it?", "How wide should the new pot be?"]
UNRELATED = [
    "Who won the football world cup in 1966?",
    "How do I renew a passport?",
    "What is the interest rate of a mortgage?",
]


@pytest.fixture(scope="module")
def judge() -> Judge:
    return load_judge()


def fake_weights(folder: Path, monkeypatch: pytest.MonkeyPatch, change: bytes | None) -> Path:
    """Put a file in the place of the judge's weights; none for None."""
    path = folder / "judge.safetensors"
    if change is not None:
        path.write_bytes(change)
    monkeypatch.setattr(served, "JUDGE_LAYERS", path)
    return path


def trained_scores(questions: Sequence[str], texts: Sequence[str]) -> list[list[float]]:
    """Score by torch, as in training."""
    import torch  # noqa: PLC0415 - seconds to import

    from training.evaluate import load_judge as load_trained  # noqa: PLC0415
    from training.model import load_tokenizer, tokenize  # noqa: PLC0415

    trained, tokenizer = load_trained(JUDGE_LAYERS, 3), load_tokenizer()
    with torch.no_grad():
        memory = trained.read_passages(tokenize(tokenizer, texts))
        rows = [list(range(len(texts)))]
        return [
            trained.score_pairs(tokenize(tokenizer, [question]), memory, rows)[0].tolist()
            for question in questions
        ]


# --- against the one that was trained --------------------------------------------------------------


@pytest.mark.model
def test_the_served_judge_scores_as_the_trained_one(judge: Judge, bot: Bot) -> None:
    """Ensures that the graphs compute what was trained, for long and short, none and too long texts."""
    texts = [*PASSAGES, *bot._engine.retriever.wholes.values()]
    found = np.array([judge.scores(question, texts) for question in QUESTIONS])
    expected = np.array(trained_scores(QUESTIONS, texts))
    assert found.shape == (len(QUESTIONS), len(texts))
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert found.std() > 1  # the two agree on more than one number


@pytest.mark.model
def test_judging_imports_no_torch() -> None:
    """Ensures that a question is judged a second after the start."""
    code = """
import sys
from bot.judge import load_judge
count = len(load_judge().scores("how often", ["Feed it once a week.", "Wipe it."]))
print(count, [name for name in ("torch", "transformers", "sentence_transformers") if name in sys.modules])
"""
    assert run_python(code) == "2 []"


# --- against itself --------------------------------------------------------------------------------


@pytest.mark.model
@pytest.mark.parametrize("question", QUESTIONS[:3])
def test_a_passage_has_its_score_in_any_company_and_order(judge: Judge, question: str) -> None:
    """Ensures that neither padding nor what is remembered leaks from one passage into another."""
    together = judge.scores(question, PASSAGES)
    backwards = judge.scores(question, PASSAGES[::-1])[::-1]
    alone = [judge.scores(question, [text])[0] for text in PASSAGES]
    fresh = [score for text in PASSAGES[:2] for score in load_judge().scores(question, [text])]
    np.testing.assert_allclose(backwards, together, atol=1e-3)
    np.testing.assert_allclose(alone, together, atol=1e-3)
    np.testing.assert_allclose(fresh, together[:2], atol=1e-3)
    np.testing.assert_allclose(judge.scores(question, PASSAGES[:1] * 3), together[:1] * 3, atol=1e-3)


@pytest.mark.model
def test_a_passage_read_ahead_has_the_score_of_one_read_when_asked(judge: Judge) -> None:
    """Ensures that preparing only saves time."""
    ahead = load_judge()
    ahead.prepare(PASSAGES)
    np.testing.assert_allclose(
        ahead.scores(QUESTIONS[0], PASSAGES), judge.scores(QUESTIONS[0], PASSAGES), atol=1e-3
    )


@pytest.mark.model
def test_threads_at_once_get_the_scores_of_one(judge: Judge) -> None:
    """Ensures that visitors who ask at the same moment are each judged by their own question."""
    shared = load_judge()
    asked = QUESTIONS[:4] * 2
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda question: shared.scores(question, PASSAGES), asked))
    expected = [judge.scores(question, PASSAGES) for question in asked]
    np.testing.assert_allclose(found, expected, atol=1e-3)


# --- odds ------------------------------------------------------------------------------------------


@pytest.mark.model
def test_questions_that_are_answered_have_better_odds_than_those_that_are_not(judge: Judge) -> None:
    """Ensures that the judge tells what a guide that it never saw answers from what it does not."""
    answered = [judge.odds(question, PASSAGES) for question in ANSWERED]
    unrelated = [judge.odds(question, PASSAGES) for question in UNRELATED]
    assert min(answered) > max(unrelated) + 1


@pytest.mark.model
def test_odds_are_the_log_of_the_summed_odds(judge: Judge) -> None:
    """Ensures that two passages that answer count for more than the better one, by the formula."""
    scores = judge.scores(QUESTIONS[0], PASSAGES)
    by_hand = math.log(sum(math.exp(score) for score in scores))
    assert judge.odds(QUESTIONS[0], PASSAGES) == pytest.approx(by_hand, abs=1e-4)
    assert by_hand > max(scores)


def test_odds_of_extreme_scores_are_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensures that no score, however sure, makes the odds infinite."""
    monkeypatch.setattr(Judge, "scores", lambda _self, _question, _texts: [1000.0, -1000.0])
    assert Judge().odds("q", ["a", "b"]) == pytest.approx(30.0)
    monkeypatch.setattr(Judge, "scores", lambda _self, _question, _texts: [-1000.0])
    assert Judge().odds("q", ["a"]) == pytest.approx(-30.0)


def test_no_passages_have_no_scores_and_the_least_odds() -> None:
    """Ensures that a guide without passages is declined without reading any weights."""
    judge = Judge(Path("nowhere.safetensors"))
    assert judge.scores("how often", []) == []
    assert judge.odds("how often", []) == -30.0


# --- memory ----------------------------------------------------------------------------------------


@pytest.mark.model
def test_more_passages_than_are_kept_do_not_grow_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensures that a large guide costs no more memory than MAX_KEPT passages, and that scores stay right."""
    expected = load_judge().scores(QUESTIONS[0], PASSAGES)
    monkeypatch.setattr(served, "MAX_KEPT", 3)
    judge = load_judge()
    judge.prepare(PASSAGES)
    assert list(judge._kept) == PASSAGES[:3]
    np.testing.assert_allclose(judge.scores(QUESTIONS[0], PASSAGES), expected, atol=1e-3)
    assert len(judge._kept) == 3
    for at, text in enumerate(PASSAGES):
        assert judge.scores(QUESTIONS[0], [text])[0] == pytest.approx(expected[at], abs=1e-3)
        assert len(judge._kept) == 3


@pytest.mark.model
def test_the_passages_asked_for_last_are_the_ones_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensures that what is asked for again and again is not read again and again."""
    monkeypatch.setattr(served, "MAX_KEPT", 2)
    judge = load_judge()
    for row in (2, 4, 2, 5):
        judge.scores(QUESTIONS[0], [PASSAGES[row]])
    assert list(judge._kept) == [PASSAGES[2], PASSAGES[5]]


# --- what is damaged -------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["none", "empty", "cut", "one bit"])
def test_missing_or_damaged_weights_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Ensures that the operator reads one sentence with the file in it, before any question is judged."""
    whole = JUDGE_LAYERS.read_bytes()
    changed = {"empty": b"", "cut": whole[:-1], "one bit": whole[:-1] + bytes([whole[-1] ^ 1])}
    path = fake_weights(tmp_path, monkeypatch, changed.get(part))
    with pytest.raises(EncoderError) as caught:
        load_judge()
    assert f"The judge's weights in {path} are missing or damaged" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_whole_weights_are_taken_wherever_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensures that the tests of damage fail for the damage and not for the place."""
    fake_weights(tmp_path, monkeypatch, JUDGE_LAYERS.read_bytes())
    assert isinstance(load_judge(), Judge)


@pytest.mark.parametrize("name", ["judge-passages.onnx", "judge-question.onnx"])
def test_a_missing_graph_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Ensures that a judge without one of its graphs says which."""
    for path in JUDGE_LAYERS.parent.iterdir():
        if path.name != name and path.suffix in {".onnx", ".txt"}:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    judge = load_judge()
    monkeypatch.setattr(served, "_WEIGHTS", tmp_path)
    with pytest.raises(EncoderError, match=rf"The graph .*{name} is missing or damaged"):
        judge.scores("how often", PASSAGES[:1])
