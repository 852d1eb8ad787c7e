"""What must hold of the whole product: the real guide, the real encoder, questions as people ask them.

Asked of our guide and, where it is at hand, of the text that the owner has (ORIGINAL).
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.chat import Bot, load_bot
from bot.datatypes import Answer, AnswerKind
from bot.render import lead_text, to_markdown, to_text
from bot.sign_encoder import load_sign_encoder
from ingest.build import ingest
from ingest.clean import match_key
from ingest.datatypes import Encoder, PassageKind
from ingest.encode import load_encoder
from ingest.index import Generation, is_quote_found, load_live
from tests.conftest import ORIGINAL, ROOT

pytestmark = pytest.mark.model

GUIDES = ["guide", *(["original"] if ORIGINAL.exists() else [])]


@pytest.fixture(scope="session")
def real_encoder() -> Encoder:
    return load_encoder()


@pytest.fixture(scope="session")
def indexes(tmp_path_factory: pytest.TempPathFactory, real_encoder: Encoder) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("promises")
    for name in GUIDES:
        source = ROOT / "corpus" if name == "guide" else ORIGINAL
        ingest(
            [source],
            folder / name,
            fallback_config=ROOT / "corpus" / "guide.toml",
            make_encoder=lambda _: real_encoder,
        )
    return {name: folder / name for name in GUIDES}


@pytest.fixture(scope="session")
def bots(indexes: dict[str, Path], real_encoder: Encoder) -> dict[str, Bot]:
    sign_encoder = load_sign_encoder()
    return {name: load_bot(path, real_encoder, sign_encoder) for name, path in indexes.items()}


@pytest.fixture(scope="session")
def generations(indexes: dict[str, Path]) -> dict[str, Generation]:
    return {name: load_live(path) for name, path in indexes.items()}


def entries(generation: Generation, section_word: str, *, at: int = 0) -> list[str]:
    """List the entries of the list in the section whose heading holds a word."""
    lists = [
        p
        for p in generation.passages
        if p.kind is PassageKind.LIST and any(section_word in part for part in p.section)
    ]
    return [s.text for s in lists[at].segments if s.role.value in ("item", "step")]


@pytest.mark.parametrize("name", GUIDES)
def test_each_faq_question_gets_its_answer_exactly_with_its_page(
    name: str, bots: dict[str, Bot], generations: dict[str, Generation]
) -> None:
    generation = generations[name]
    faq = [p for p in generation.passages if p.kind is PassageKind.FAQ]
    assert len(faq) == 8
    for passage in faq:
        answer = bots[name].reply(passage.title)
        assert lead_text(answer) == " ".join(s.text for s in passage.segments), passage.title
        assert answer.citations[0].page == passage.page_index + 1
        assert answer.citations[0].page_label == passage.page_label


FIGURES = {
    "20-30 seconds": [
        "How long should I hold a stretch?",
        "for how many seconds do i hold each stretch",
        "hold time for back stretches",
        "What is the recommended duration for holding a stretch?",
        "how lng do u hold a strech",
    ],
    "5-10 minutes": [
        "How long should I warm up?",
        "how many minutes should the warm-up take",
        "how long is the cool-down",
        "warm up duration",
        "for how long do I cool down after exercising?",
    ],
    "150 minutes": [
        "How much aerobic activity should I get per week?",
        "how many minutes of aerobic exercise a week",
        "weekly amount of moderate aerobic activity",
        "What is the target for aerobic exercise each week?",
        "how many minits of cardio per week should i do",
    ],
    "3-5 times": [
        "How often should I do back pain exercises?",
        "how many times a week should I do core strengthening",
        "how often do I do aerobic activities in a week",
        "how frequently should the exercises be done",
        "how offen shud i do the back exercises",
    ],
    "15-20 minutes": [
        "How long should my first exercise sessions be?",
        "how many minutes of exercise should a beginner start with",
        "I want to start small, how many minutes should I do?",
        "starting small: how long per session",
        "how many minutes of focused exercises to begin a routine with",
    ],
}


@pytest.mark.parametrize("name", GUIDES)
@pytest.mark.parametrize("figure", FIGURES)
def test_each_figure_is_given_however_it_is_asked_for(name: str, figure: str, bots: dict[str, Bot]) -> None:
    missed = [q for q in FIGURES[figure] if figure not in lead_text(bots[name].reply(q))]
    assert missed == []


@pytest.mark.parametrize("name", GUIDES)
def test_each_exercise_gives_its_steps_and_nothing_of_another(
    name: str, bots: dict[str, Bot], generations: dict[str, Generation]
) -> None:
    generation = generations[name]
    exercises = [
        p
        for p in generation.passages
        if p.kind is PassageKind.ITEM and any(word in " ".join(p.section) for word in ("Core", "Flexibility"))
    ]
    assert len(exercises) == 8
    for passage in exercises:
        for question in (f"How do I do the {passage.title}?", f"how to do {passage.title.lower()}"):
            answer = bots[name].reply(question)
            text = to_text(answer)
            assert [s.text for s in passage.segments if s.text not in text] == [], question
            others = [s.text for other in exercises if other is not passage for s in other.segments]
            shared = {s.text for s in passage.segments}
            assert [t for t in others if t in text and t not in shared] == [], question


# name -> word of the section's heading, which of its lists, how many entries, questions
LISTS: dict[str, tuple[str, int, int, list[str]]] = {
    "core exercises": (
        "Core", 0, 4, ["What are the core strengthening exercises?", "list the core exercises"],
    ),
    "stretches": (
        "Flexibility", 0, 4, ["Which stretches are good for back pain?", "what stretches are there"],
    ),
    "aerobic options": (
        "Aerobic", 0, 4,
        ["Which low-impact aerobic options are there?", "what kinds of aerobic exercise can I do"],
    ),
    "principles": (
        "Principles", 0, 5, ["What are the key principles?", "list the principles of the exercises"],
    ),
    "preparations": (
        "Preparations", 0, 4,
        ["What preparations should I make before starting?", "which preparatory steps are there"],
    ),
    "considerations": (
        "Considerations", 0, 4,
        ["What are the key considerations?", "list the important considerations"],
    ),
    "when to seek help": (
        "Considerations", 1, 5,
        ["When should I seek professional guidance?", "in which situations should I see a doctor"],
    ),
    "routine tips": (
        "Building", 0, 6,
        ["What are the strategies for a sustainable routine?", "tips for building a lasting routine"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GUIDES)
@pytest.mark.parametrize("wanted", LISTS)
def test_each_list_is_given_complete(
    name: str, wanted: str, bots: dict[str, Bot], generations: dict[str, Generation]
) -> None:
    section, at, count, questions = LISTS[wanted]
    whole = entries(generations[name], section, at=at)
    assert len(whole) == count
    for question in questions:
        lead = lead_text(bots[name].reply(question))
        assert [entry for entry in whole if entry not in lead] == [], question


@pytest.mark.parametrize("name", GUIDES)
def test_every_segment_of_the_index_is_found_again_in_its_page(
    name: str, generations: dict[str, Generation]
) -> None:
    generation = generations[name]
    lost = [
        s.text
        for p in generation.passages
        for s in p.segments
        if not is_quote_found(s, generation.pages[p.source])
    ]
    assert lost == []


QUESTIONS = [
    "How do I do the bird dog?", "which stretches are there", "why is a strong core important",
    "how long do I hold it", "Can I exercise with a herniated disc?", "what should I avoid",
    "is swimming good for me", "hello", "what can you do", "what is the capital of France",
    "I have no feeling when I wipe", "back pain and a fever of 39", "how many reps of the bridge",
    "tell me about the principles", "warm up", "my back hurts after gardening, what can I do?",
]  # fmt: skip


def check_answer(answer: Answer, generation: Generation) -> None:
    """Check what holds of every answer: disclaimer, quotes that stand on their pages, nothing else quoted."""
    assert answer.disclaimer in to_markdown(answer)
    for citation in answer.citations:
        page = generation.pages[citation.source][citation.page - 1]
        assert page.label == citation.page_label
        assert match_key(citation.quote) in match_key(page.text)
    cited = match_key(" ".join(citation.quote for citation in answer.citations))
    for part in (*answer.lead, *answer.more):
        for quote in part.quotes:
            assert match_key(quote.text) in cited


@pytest.mark.parametrize("name", GUIDES)
def test_every_quoted_sentence_is_found_in_its_page_and_every_answer_has_the_disclaimer(
    name: str, bots: dict[str, Bot], generations: dict[str, Generation]
) -> None:
    judged = [
        json.loads(line)
        for line in (ROOT / "tests/evaluation/questions.jsonl").read_text("utf-8").splitlines()
    ]
    sample = [item["turns"][0]["q"] for item in judged[:: len(judged) // 60]]
    for question in [*QUESTIONS, *sample]:
        check_answer(bots[name].reply(question), generations[name])


@pytest.fixture(scope="session")
def run(indexes: dict[str, Path]) -> Callable[..., str]:
    def command(*args: str, given: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "bot", *args, "--index", str(indexes["guide"])],
            cwd=ROOT, input=given, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    return command


def test_the_disclaimer_is_in_every_answer_of_the_terminal(
    run: Callable[..., str], bots: dict[str, Bot]
) -> None:
    disclaimer = bots["guide"].disclaimer
    assert disclaimer in run("How do I do the bridge?")
    talk = run(given="hello\nhow do I do the bridge?\nand for how long?\n\n")
    assert talk.count(disclaimer) == 4  # once at the start and once an answer


def test_the_batch_holds_to_its_contract(
    run: Callable[..., str], bots: dict[str, Bot], tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "turns": ["How do I do the bridge?", "how long do I hold it"]},
        {"id": 7, "turns": QUESTIONS},
    ]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    run("--batch", str(source), "--out", str(target))
    written = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in written] == ["a", 7]
    for row, asked in zip(written, rows, strict=True):
        assert len(row["answers"]) == len(asked["turns"])
        for answer in row["answers"]:
            assert set(answer) == {
                "kind", "urgency", "lead", "text", "disclaimer", "markdown", "citations",
                "suggestions", "latency_ms",
            }  # fmt: skip
            assert answer["kind"] in {kind.value for kind in AnswerKind}
            assert answer["urgency"] in {"none", "see-someone", "urgent", "emergency"}
            assert answer["disclaimer"] == bots["guide"].disclaimer
            assert answer["disclaimer"] in answer["markdown"]
            assert answer["lead"]
            assert answer["lead"] in answer["text"] or answer["kind"] == "warning"


def test_why_tells_how_the_answer_came_about(run: Callable[..., str]) -> None:
    said = run("why", "how long do I hold a stretch")
    for part in ("safety: none", "query:", "1. ", "decision: found"):
        assert part in said


def test_eval_prints_the_table(run: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "judged.jsonl"
    turn = {"q": "How long do I hold a stretch?", "kind": "answer", "quotes": [{"quote": "20-30 seconds"}]}
    file.write_text(
        json.dumps({"id": "q1", "category": "factoid", "split": "dev", "turns": [turn]}), encoding="utf-8"
    )
    assert re.search(r"factoid\s+1\s+100\.0\s+100\.0", run("eval", str(file)))


@pytest.mark.parametrize(
    "args",
    [
        ["--batch", "in.jsonl"],
        ["--batch", "nowhere.jsonl", "--out", "out.jsonl"],
        ["why"],
        ["eval", "nowhere.jsonl"],
        ["--no-such-option"],
    ],
)
def test_wrong_usage_of_the_bot_ends_with_2_and_a_sentence(
    args: list[str], indexes: dict[str, Path], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot", *args, "--index", str(indexes["guide"])],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_a_missing_index_ends_with_1_and_says_what_to_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot", "hello", "--index", str(tmp_path / "none")],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "python -m ingest" in done.stderr
    assert "Traceback" not in done.stderr
