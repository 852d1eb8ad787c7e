"""The quality gate: an index that answers worse than the live one is not put live."""

import json
from pathlib import Path

import pytest

from ingest.build import ingest
from ingest.errors import ConfigError
from ingest.gate import Candidate, Judged, read_judged, recall
from ingest.index import list_generations, load_live
from ingest.report import Report
from tests.conftest import GUIDE, FakeEncoder
from tests.ingest.test_main import Shell, fake_encoder, run

__all__ = ["fake_encoder", "run"]  # fixtures

QUESTIONS = {
    "How often are leaves checked?": "Check the leaves once a week.",
    "What does too much water do to roots?": "Too much water rots the roots",
    "Do I feed the plant in winter?": "Do not feed it in winter.",
    "How is soaking done with a pot and a bowl?": "Put the pot into a bowl of water.",
    "Which spots are sticky on leaves?": "The leaves have sticky spots.",
}

COFFEE = "Yes, a spoonful a month. More makes the soil sour."
MISTING = "Fill a bottle with soft water. Spray the leaves from below. Never mist in full sun."


def judgment(question: str, *quotes: str) -> str:
    places = [{"source": "plants.md", "page": 1, "quote": quote} for quote in quotes]
    turns = [{"q": question, "kind": "answer", "quotes": places, "all": False}]
    return json.dumps({"id": question, "category": "x", "split": "dev", "turns": turns})


@pytest.fixture
def judged_corpus(corpus: Path) -> Path:
    """The small guide with judged questions."""
    lines = [judgment(question, quote) for question, quote in QUESTIONS.items()]
    (corpus / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (corpus / "guide.toml").write_text('title = "Plants"\nevaluation = "questions.jsonl"\n')
    return corpus


def update(corpus: Path, folder: Path, is_forced: bool = False) -> Report:
    return ingest([corpus], folder, is_forced=is_forced, make_encoder=lambda name: FakeEncoder())


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ("### Can I use coffee grounds?", "### May I use tea?", "The FAQ answer “Can I use coffee grounds?”"),
        ("**Misting:**", "**Spraying:**", "The suggestion “Misting” is gone (plants.md, page 1)."),
        (
            "Check the leaves once a week.",
            "Look at it.",
            "recall@5 falls from 100.0 to 80.0 over 5 judged questions.",
        ),
        (
            COFFEE,
            "See above.",
            "left of the FAQ answer “Can I use coffee grounds?” is “See above.” (plants.md, page 1).",
        ),
        (
            MISTING,
            "Do it.",
            "All that is left of the suggestion “Misting” is “Do it.” (plants.md, page 1).",
        ),
    ],
)
def test_an_index_that_loses_an_answer_is_held_back_until_it_is_forced(
    judged_corpus: Path, tmp_path: Path, old: str, new: str, lost: str
) -> None:
    folder = tmp_path / "index"
    first = update(judged_corpus, folder)
    assert (first.losses, first.is_changed) == ((), True)
    (judged_corpus / "plants.md").write_text(GUIDE.replace(old, new), encoding="utf-8")
    report = update(judged_corpus, folder)
    assert lost in "\n".join(report.losses)
    assert (report.is_held_back, report.needs_attention, report.is_changed) == (True, True, False)
    assert report.generation == load_live(folder).name == first.generation
    assert [path.name for path in (folder / "generations").iterdir()] == [first.generation]
    forced = update(judged_corpus, folder, is_forced=True)
    assert forced.losses == report.losses
    assert (forced.is_held_back, forced.is_changed) == (False, True)
    assert load_live(folder).name == forced.generation != first.generation
    assert list_generations(folder) == [forced.generation, first.generation]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a spoonful a month", "two spoonfuls a month"),
        (COFFEE, "Yes, a spoonful."),  # shortened
        (COFFEE, "No, better not: they only attract flies."),  # written anew
        (COFFEE, f"{COFFEE} " + "Old grounds are weaker than new ones, and dry ones keep for a year. " * 40),
    ],
    ids=["changed", "shortened", "written anew", "grown to several passages"],
)
def test_an_edit_that_loses_nothing_goes_live(
    judged_corpus: Path, tmp_path: Path, old: str, new: str
) -> None:
    folder = tmp_path / "index"
    update(judged_corpus, folder)
    text = GUIDE.replace(old, new) + "\n## News\n\nThere are news.\n"
    (judged_corpus / "plants.md").write_text(text, encoding="utf-8")
    report = update(judged_corpus, folder)
    assert (report.losses, report.is_changed) == ((), True)


def test_without_judged_questions_nothing_is_held_back(corpus: Path, tmp_path: Path) -> None:
    update(corpus, tmp_path / "index")
    (corpus / "plants.md").write_text("# Plants\n\nWater them now and then.\n")
    assert update(corpus, tmp_path / "index").is_changed


def test_the_command_says_what_is_lost_and_how_to_go_on(
    run: Shell, judged_corpus: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    run(judged_corpus, "--index", folder)
    (judged_corpus / "plants.md").write_text(GUIDE.replace("**Misting:**", "**Spraying:**"))
    assert run(judged_corpus, "--index", folder) == 1
    assert "lost: The suggestion “Misting” is gone (plants.md, page 1).\n" in run.out
    assert f"The new index is NOT live, for it answers worse; {load_live(folder).name} stays." in run.out
    assert run(judged_corpus, "--index", folder, "--json") == 1
    assert json.loads(run.out)["is_held_back"] is True
    assert run(judged_corpus, "--index", folder, "--force") == 0
    assert "lost: The suggestion “Misting”" in run.out
    assert "Index" in run.out


def test_another_encoder_is_compared_with_the_one_of_the_live_index(
    judged_corpus: Path, tmp_path: Path
) -> None:
    class Blind(FakeEncoder):
        """An encoder to which all texts are alike."""

        name = "blind"

        def _encode(self, texts: list[str]):  # type: ignore[no-untyped-def]
            vectors = super()._encode(texts)
            vectors[:] = 0
            vectors[:, 0] = 1
            return vectors

    folder = tmp_path / "index"
    update(judged_corpus, folder)
    (judged_corpus / "guide.toml").write_text(
        'title = "Plants"\nencoder = "blind"\nevaluation = "questions.jsonl"\n'
    )
    report = ingest(
        [judged_corpus], folder, make_encoder=lambda name: Blind() if name == "blind" else FakeEncoder()
    )
    assert report.is_held_back
    assert report.losses[0].startswith("recall@5 falls from 100.0 to ")


def test_an_index_with_another_passage_size_is_compared_too(judged_corpus: Path, tmp_path: Path) -> None:
    folder, short = tmp_path / "index", FakeEncoder()
    short.max_tokens = 40
    update(judged_corpus, folder)
    (judged_corpus / "plants.md").write_text(GUIDE.replace("Check the leaves once a week.", "Look at it."))
    report = ingest([judged_corpus], folder, make_encoder=lambda name: short)
    assert report.losses[0].startswith("recall@5 falls from 100.0 to ")


def test_recall_is_the_share_of_quotes_in_the_first_five_passages(corpus: Path, tmp_path: Path) -> None:
    """Ensures that it agrees with a count by hand: all passages by similarity, plainly sorted."""
    update(corpus, tmp_path / "index")
    live, encoder = load_live(tmp_path / "index"), FakeEncoder()
    question = "How do I water the plant and check the leaves?"
    query = encoder.encode_queries([question])[0]
    vectors = encoder.encode_passages([view.text for view in live.views])
    best = {
        row: max(float(query @ v) for v, view in zip(vectors, live.views, strict=True) if view.row == row)
        for row in range(len(live.passages))
    }
    order = sorted(best, key=lambda row: (-best[row], row))
    inside, outside = live.passages[order[4]], live.passages[order[5]]
    judged = [Judged(question, (inside.segments[0].text, outside.segments[0].text))]
    shown = " ".join(live.passages[row].text for row in order[:5])
    assert outside.segments[0].text not in shown
    assert recall(Candidate(live, encoder), judged) == [0.5]


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"turns": []}', '{"turns": [{"kind": "answer"}]}'])
def test_a_line_that_is_no_judgment_is_named(judged_corpus: Path, tmp_path: Path, text: str) -> None:
    (judged_corpus / "questions.jsonl").write_text(judgment("Q", "A") + "\n" + text + "\n")
    if text == '{"turns": [{"kind": "answer"}]}':  # nothing to find: passed over
        assert len(read_judged(judged_corpus / "questions.jsonl", "guide.toml")) == 1
        return
    with pytest.raises(ConfigError, match=r"questions\.jsonl line 2 is not a judged question"):
        read_judged(judged_corpus / "questions.jsonl", "guide.toml")


def test_a_missing_evaluation_file_is_named_and_nothing_goes_live(
    judged_corpus: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    before = update(judged_corpus, folder).generation
    (judged_corpus / "questions.jsonl").unlink()
    (judged_corpus / "plants.md").write_text(GUIDE + "\n## News\n\nThere are news.\n")
    with pytest.raises(ConfigError, match=r"guide\.toml: the evaluation file .*questions\.jsonl cannot be"):
        update(judged_corpus, folder)
    assert load_live(folder).name == before
