"""Tests of the evaluation: metrics worked by hand, what counts as right, and the table."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from bot.chat import Bot, Trace, Turn
from bot.datatypes import Answer, AnswerKind, Hit, Layout, Quotation, Quote
from bot.evaluate import (
    MAX_FAILURES_SHOWN,
    Judgment,
    Outcome,
    TurnJudgment,
    evaluate,
    ndcg,
    read_judgments,
    reciprocal_rank,
    table,
)
from bot.retrieve import Retrieval
from bot.safety import Assessment
from ingest.datatypes import Passage, PassageKind, Segment, SegmentRole, Span
from ingest.errors import UsageError


def passage(id_: str, *texts: str, title: str = "", role: SegmentRole = SegmentRole.SENTENCE) -> Passage:
    segments = tuple(Segment(text, role, (Span(0, 0, len(text)),)) for text in texts)
    return Passage(id_, "guide.md", PassageKind.PROSE, ("Watering",), title, segments, 0, "1")


def quotation(*texts: str, layout: Layout = Layout.TEXT) -> Quotation:
    owner = passage("q", *texts)
    return Quotation(tuple(Quote(segment, owner) for segment in owner.segments), layout)


def answered(
    kind: AnswerKind = AnswerKind.ANSWER,
    *,
    lead: Sequence[Quotation] = (),
    more: Sequence[Quotation] = (),
    note: str = "",
    found: Sequence[Passage] | None = None,
) -> Turn:
    """A turn as the bot gives it; None for one that searched nothing."""
    retrieval = None
    if found is not None:
        hits = tuple(Hit(p, 1.0 - rank / 100, rank) for rank, p in enumerate(found, 1))
        retrieval = Retrieval(("q",), hits, (), tuple((0.0,) * len(p.segments) for p in found), 0.5)
    answer = Answer(kind, "See a professional.", note=note, lead=tuple(lead), more=tuple(more))
    return Turn(answer, Trace(Assessment(), retrieval=retrieval), 12.0)


class Script:
    """Stands for a bot: gives the turns it was made with, and keeps what it was asked."""

    def __init__(self, *turns: Turn) -> None:
        self.turns = list(turns)
        self.asked: list[list[str]] = []

    def converse(self, turns: Sequence[str]) -> list[Turn]:
        self.asked.append(list(turns))
        return [self.turns.pop(0) for _ in turns]


def judged(turn: TurnJudgment, answer: Turn) -> Outcome:
    judgment = Judgment("j", "plain", "dev", (turn,))
    (outcome,) = evaluate(cast(Bot, Script(answer)), [judgment])
    return outcome


def wants(*quotes: str, needs_all: bool = False, kind: AnswerKind = AnswerKind.ANSWER) -> TurnJudgment:
    return TurnJudgment("How much water?", kind, quotes, needs_all)


# --- metrics ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rank", "expected_rr", "expected_ndcg"),
    [
        (0, 0.0, 0.0),
        (1, 1.0, 1.0),
        (2, 0.5, 0.6309297535714575),
        (3, 1 / 3, 0.5),
        (7, 1 / 7, 1 / 3),
        (10, 0.1, 0.2890648263178879),
    ],
)
def test_metrics_of_a_rank_are_those_worked_by_hand(
    rank: int, expected_rr: float, expected_ndcg: float
) -> None:
    """Ensures that a first place is worth 1, what was not found nothing, and ranks begin at 1."""
    assert reciprocal_rank(rank) == pytest.approx(expected_rr)
    assert ndcg(rank) == pytest.approx(expected_ndcg)


# --- what counts as right --------------------------------------------------------------------------


def test_a_quote_in_the_lead_is_in_the_text_too() -> None:
    """Ensures that the lead is part of the text."""
    outcome = judged(wants("half as much"), answered(lead=[quotation("In winter it needs half as much.")]))
    assert (outcome.in_lead, outcome.in_text, outcome.is_right) == (True, True, True)


def test_a_quote_further_down_is_in_the_text_alone() -> None:
    """Ensures that the lead is judged by what stands in it."""
    outcome = judged(
        wants("half as much"),
        answered(lead=[quotation("Water it.")], more=[quotation("In winter it needs half as much.")]),
    )
    assert (outcome.in_lead, outcome.in_text, outcome.is_right) == (False, True, True)


def test_a_quote_that_is_nowhere_is_a_failure() -> None:
    """Ensures that an answer with other words is not right."""
    outcome = judged(wants("half as much"), answered(lead=[quotation("Water it.")]))
    assert (outcome.in_lead, outcome.in_text, outcome.is_right) == (False, False, False)


@pytest.mark.parametrize(
    ("needs_all", "lead", "more", "in_lead", "in_text"),
    [
        (False, ["Soak it."], [], True, True),
        (True, ["Soak it."], [], False, False),
        (True, ["Soak it."], ["Mist it."], False, True),
        (True, ["Soak it.", "Mist it."], [], True, True),
        (False, ["Dry it."], ["Mist it."], False, True),
        (False, ["Dry it."], [], False, False),
    ],
)
def test_one_quote_will_do_unless_all_are_needed(
    needs_all: bool, lead: list[str], more: list[str], in_lead: bool, in_text: bool
) -> None:
    """Ensures that "all" asks for every quote in the same place, and its absence for any."""
    outcome = judged(
        wants("soak it", "mist it", needs_all=needs_all),
        answered(lead=[quotation(*lead)], more=[quotation(*more)] if more else []),
    )
    assert (outcome.in_lead, outcome.in_text) == (in_lead, in_text)


def test_case_spaces_and_the_marks_of_a_list_do_not_matter() -> None:
    """Ensures that a quote is found however the answer sets it."""
    listed = quotation("Soak the  pot.", "Mist the LEAVES.", layout=Layout.BULLETS)
    assert judged(wants("pot. mist the leaves"), answered(lead=[listed])).in_lead
    assert not judged(wants("pot. wipe the leaves"), answered(lead=[listed])).in_lead


def test_our_own_words_and_the_nearest_passage_of_a_decline_are_no_answer() -> None:
    """Ensures that a question that was declined is wrong, though the quote is shown below."""
    declined = answered(
        AnswerKind.DECLINE, note="Half as much is not there.", more=[quotation("It needs half as much.")]
    )
    outcome = judged(wants("half as much"), declined)
    assert (outcome.in_lead, outcome.in_text, outcome.is_right) == (False, False, False)


@pytest.mark.parametrize("kind", [AnswerKind.DECLINE, AnswerKind.WARNING, AnswerKind.SMALLTALK])
def test_a_turn_of_another_kind_is_right_by_its_kind(kind: AnswerKind) -> None:
    """Ensures that where there is nothing to quote, the kind alone counts."""
    assert judged(wants(kind=kind), answered(kind, note="So.")).is_right
    assert not judged(wants(kind=kind), answered(lead=[quotation("Water it.")])).is_right
    assert not judged(wants(kind=kind), answered(AnswerKind.CLARIFY, note="What?")).is_right


def test_a_warning_that_quotes_what_was_wanted_is_right_too() -> None:
    """Ensures that the gate's caution is not counted against an answer that holds the quote."""
    assert judged(wants("water it"), answered(AnswerKind.WARNING, lead=[quotation("Water it.")])).is_right


# --- ranks -----------------------------------------------------------------------------------------


def test_the_rank_is_that_of_the_first_passage_with_a_quote() -> None:
    """Ensures that ranks begin at 1, titles count, and one of the quotes is enough."""
    found = [passage("a", "Dry."), passage("b", "Text.", title="Soak it"), passage("c", "Mist it.")]
    assert judged(wants("mist it"), answered(found=found)).rank == 3
    assert judged(wants("MIST  it", "soak it", needs_all=True), answered(found=found)).rank == 2
    assert judged(wants("dry"), answered(found=found)).rank == 1
    assert judged(wants("burn it"), answered(found=found)).rank == 0
    assert judged(wants("mist it"), answered()).rank == 0
    assert judged(wants(kind=AnswerKind.DECLINE), answered(found=found)).rank == 0


def test_a_passage_behind_the_first_ten_does_not_count() -> None:
    """Ensures that MRR and nDCG are those at 10."""
    others = [passage(f"p{at}", "Dry.") for at in range(10)]
    wanted = passage("w", "Mist it.")
    assert judged(wants("mist it"), answered(found=[*others[:9], wanted])).rank == 10
    assert judged(wants("mist it"), answered(found=[*others, wanted])).rank == 0


def test_a_conversation_is_asked_as_one_and_judged_turn_by_turn() -> None:
    """Ensures that every turn meets its own judgment and knows its place."""
    first, second = wants("soak it"), wants(kind=AnswerKind.DECLINE)
    script = Script(answered(lead=[quotation("Soak it now.")]), answered(AnswerKind.DECLINE, note="No."))
    outcomes = evaluate(cast(Bot, script), [Judgment("c", "talk", "dev", (first, second))])
    assert script.asked == [["How much water?", "How much water?"]]
    assert [(o.position, o.turn, o.is_right) for o in outcomes] == [(0, first, True), (1, second, True)]
    assert (outcomes[0].lead, outcomes[0].lead_words) == ("Soak it now.", 3)
    assert outcomes[0].latency_ms == 12.0


def test_a_bot_is_evaluated_over_its_guide(bot: Bot) -> None:
    """Ensures that the evaluation and the bot fit together."""
    right = TurnJudgment("How often should I feed a plant?", AnswerKind.ANSWER, ("every two weeks",))
    wrong = TurnJudgment("How often should I feed a plant?", AnswerKind.ANSWER, ("every two years",))
    outcomes = evaluate(bot, [Judgment("r", "faq", "dev", (right,)), Judgment("w", "faq", "dev", (wrong,))])
    assert [(o.in_lead, o.rank) for o in outcomes] == [(True, 1), (False, 0)]


# --- table -----------------------------------------------------------------------------------------


def outcome(
    id_: str = "o",
    *,
    split: str = "dev",
    category: str = "plain",
    question: str = "How much water?",
    wanted: AnswerKind = AnswerKind.ANSWER,
    kind: AnswerKind = AnswerKind.ANSWER,
    quote: str = "half as much",
    in_lead: bool = False,
    in_text: bool = False,
    rank: int = 0,
    position: int = 0,
    lead: str = "What was said.",
    latency_ms: float = 10.0,
) -> Outcome:
    turn = TurnJudgment(question, wanted, (quote,) if wanted is AnswerKind.ANSWER else ())
    judgment = Judgment(id_, category, split, (turn,) * (position + 1))
    return Outcome(
        judgment, turn, position, kind, in_lead, in_text, rank, lead, len(lead.split()), 9, latency_ms
    )


def rows(text: str) -> dict[tuple[str, str], list[str]]:
    """Read a table: by split and row name its columns, n first."""
    found, split = {}, ""
    for line in text.split("\n"):
        if line.startswith("split "):
            split = line.removeprefix("split ")
        elif split and line[:22].strip() and line[22:28].strip().isdigit():
            found[split, line[:22].strip()] = line[22:].split()
    return found


THREE = [
    outcome("a", in_lead=True, in_text=True, rank=1),
    outcome("b", in_text=True, rank=4),
    outcome("c", kind=AnswerKind.DECLINE, rank=0),
]


def test_percentages_of_three_outcomes_are_those_worked_by_hand() -> None:
    """Ensures that each column holds its metric over the questions of the row."""
    mean_rr = 100 * (1 + 1 / 4 + 0) / 3
    mean_ndcg = 100 * (1 + 1 / math.log2(5) + 0) / 3
    expected = ["3", "33.3", "66.7", "33.3", "66.7", f"{mean_rr:.1f}", f"{mean_ndcg:.1f}", "33.3", "-"]
    assert expected[5:7] == ["41.7", "47.7"]
    found = rows(table(THREE))
    assert found["dev", "plain"] == expected
    assert found["dev", "all"] == expected
    assert found["dev", "follow-up turns"] == ["0"] + ["-"] * 8


@pytest.mark.parametrize(("rank", "at_1", "at_5"), [(1, 100, 100), (5, 0, 100), (6, 0, 0), (0, 0, 0)])
def test_recall_at_k_counts_ranks_up_to_k(rank: int, at_1: int, at_5: int) -> None:
    """Ensures that rank k is inside, k + 1 outside, and what was not found is not rank 0 of k."""
    columns = rows(table([outcome(rank=rank)]))["dev", "all"]
    assert columns[3:5] == [f"{at_1:.1f}", f"{at_5:.1f}"]


def test_turns_of_another_kind_count_in_their_own_column_alone() -> None:
    """Ensures that a rightly declined question raises no metric of answering and lowers none."""
    declined = outcome("d", wanted=AnswerKind.DECLINE, kind=AnswerKind.DECLINE)
    missed = outcome("e", wanted=AnswerKind.DECLINE, kind=AnswerKind.ANSWER)
    columns = rows(table([*THREE, declined, missed]))["dev", "all"]
    assert columns[0] == "5"
    assert columns[1:8] == rows(table(THREE))["dev", "all"][1:8]
    assert columns[8] == "50.0"


def test_categories_splits_and_follow_ups_have_rows_of_their_own() -> None:
    """Ensures that no half, category or turn is counted in another's row."""
    outcomes = [
        outcome(category="lay", in_lead=True, in_text=True, rank=1),
        outcome(category="typo", in_text=True, rank=2, position=1),
        outcome(category="lay", split="test"),
    ]
    found = rows(table(outcomes))
    assert set(found) == {
        ("dev", "lay"),
        ("dev", "typo"),
        ("dev", "follow-up turns"),
        ("dev", "all"),
        ("test", "lay"),
        ("test", "follow-up turns"),
        ("test", "all"),
    }
    assert found["dev", "lay"][:3] == ["1", "100.0", "100.0"]
    assert found["dev", "typo"] == found["dev", "follow-up turns"]
    assert found["dev", "typo"][:3] == ["1", "0.0", "100.0"]
    assert found["dev", "all"][:3] == ["2", "50.0", "100.0"]
    assert found["test", "all"][:3] == ["1", "0.0", "0.0"]


def test_failures_of_the_dev_half_are_shown_with_what_was_wanted_and_got() -> None:
    """Ensures that a failure can be looked into, and that what was right is not listed."""
    text = table(
        [
            outcome("bad", question="how mch water", quote="soil is dry", rank=3, lead="Mist the leaves."),
            outcome("good", question="when to feed", in_text=True),
            outcome("not-declined", question="who won", wanted=AnswerKind.DECLINE),
        ]
    )
    shown = text.partition("2 failures in the dev half, the first:")[2]
    assert "bad/1 'how mch water': wanted 'soil is dry' (rank 3), got answer: 'Mist the leaves.'" in shown
    assert "not-declined/1 'who won': wanted 'decline'" in shown
    assert "good" not in shown
    assert "when to feed" not in text


def test_failures_of_the_test_half_are_never_shown() -> None:
    """Ensures that nobody learns from the half that is for judging; its percentages are there."""
    hidden = outcome(
        "secret-id", split="test", question="hidden question", quote="hidden quote", lead="Lost."
    )
    text = table([hidden, outcome("open", in_text=True)])
    assert rows(text)["test", "all"][2] == "0.0"
    assert "0 failures in the dev half" in text
    for word in ("secret-id", "hidden", "Lost."):
        assert word not in text


def test_many_failures_are_counted_and_the_first_shown() -> None:
    """Ensures that a bad day does not fill the screen, and hides nothing."""
    text = table([outcome(f"f{at}") for at in range(MAX_FAILURES_SHOWN + 5)])
    assert f"{MAX_FAILURES_SHOWN + 5} failures in the dev half" in text
    assert text.count("wanted 'half as much'") == MAX_FAILURES_SHOWN
    assert f"f{MAX_FAILURES_SHOWN - 1}/1" in text
    assert f"f{MAX_FAILURES_SHOWN}/1" not in text


def test_latencies_are_the_middle_and_the_slow_end() -> None:
    """Ensures that p50 and p95 are of all turns, in order of time."""
    text = table([outcome(in_text=True, latency_ms=float(ms)) for ms in (300, *range(1, 100))])
    assert "latency p50 51 ms, p95 96 ms" in text


def test_no_outcomes_give_no_rows() -> None:
    """Ensures that an empty set of judgments is no division by zero."""
    assert table([]) == "0 failures in the dev half"


# --- reading ---------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "id": "q1",
    "category": "lay",
    "split": "test",
    "turns": [
        {
            "q": "how much?",
            "kind": "answer",
            "all": True,
            "quotes": [
                {"source": "g", "page": 1, "quote": "half"},
                {"source": "g", "page": 1, "quote": "dry"},
            ],
        },
        {"q": "who won?", "kind": "decline"},
    ],
}


def test_judgments_are_read_with_all_they_say(tmp_path: Path) -> None:
    """Ensures that a line gives a judgment, blank lines nothing, and what is left out its default."""
    file = tmp_path / "a.jsonl"
    plain = {"id": "q2", "category": "typo", "turns": [{"q": "x", "kind": "clarify"}]}
    file.write_text(f"\n{json.dumps(GOOD)}\n\n{json.dumps(plain)}\n", encoding="utf-8")
    asked = TurnJudgment("how much?", AnswerKind.ANSWER, ("half", "dry"), needs_all=True)
    assert read_judgments(file) == [
        Judgment("q1", "lay", "test", (asked, TurnJudgment("who won?", AnswerKind.DECLINE))),
        Judgment("q2", "typo", "dev", (TurnJudgment("x", AnswerKind.CLARIFY),)),
    ]


def test_a_folder_is_read_in_the_order_of_its_files(tmp_path: Path) -> None:
    """Ensures that all .jsonl files count, no others, and that the order is the same everywhere."""
    for name, id_ in (("b.jsonl", "second"), ("a.jsonl", "first"), ("c.json", "never")):
        (tmp_path / name).write_text(json.dumps(GOOD | {"id": id_}), encoding="utf-8")
    assert [judgment.id for judgment in read_judgments(tmp_path)] == ["first", "second"]


def test_judgments_that_are_not_there_are_named(tmp_path: Path) -> None:
    """Ensures that a wrong path and an empty folder are told, not evaluated as nothing."""
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(UsageError) as caught:
            read_judgments(path)
        assert f"There are no judgments at {path}" in str(caught.value)


TURN = GOOD["turns"][0]


@pytest.mark.parametrize(
    "line",
    [
        "{not json",
        "[1, 2]",
        "3",
        json.dumps({key: value for key, value in GOOD.items() if key != "id"}),
        json.dumps({key: value for key, value in GOOD.items() if key != "category"}),
        json.dumps({key: value for key, value in GOOD.items() if key != "turns"}),
        json.dumps(GOOD | {"turns": ["how much?"]}),
        json.dumps(GOOD | {"turns": [{"kind": "answer"}]}),
        json.dumps(GOOD | {"turns": [TURN | {"kind": "guess"}]}),
        json.dumps(GOOD | {"turns": [TURN | {"quotes": ["half"]}]}),
        json.dumps(GOOD | {"turns": [TURN | {"quotes": [{"text": "half"}]}]}),
    ],
)
def test_a_line_that_is_no_judgment_is_named_by_file_and_number(tmp_path: Path, line: str) -> None:
    """Ensures that the one who writes judgments finds the slip, and no line is passed over."""
    file = tmp_path / "a.jsonl"
    file.write_text(f"{json.dumps(GOOD)}\n\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_judgments(file)
    assert str(caught.value).startswith(f"{file} line 3 is not a judgment")
    assert "README.md" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "key"), [({"id": "q"}, "turns"), (GOOD | {"turns": [{"kind": "answer"}]}, "q")]
)
def test_a_key_that_is_missing_is_named_in_plain_words(
    tmp_path: Path, line: dict[str, Any], key: str
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(line), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_judgments(file)
    assert str(caught.value) == (
        f"{file} line 1 is not a judgment (the key '{key}' is missing); the form is in README.md."
    )
