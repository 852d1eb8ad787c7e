"""Tests of question types, small talk and follow-ups."""

import pytest

from bot.understand import (
    Context,
    QuestionType,
    SmallTalk,
    find_small_talk,
    question_type,
    split_questions,
    understand,
)

CONTEXT = Context("How do I do soaking?", QuestionType.STEPS, ("p1",), ("a", "b", "c"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How do I do the bridge?", QuestionType.STEPS),
        ("how to stretch the piriformis", QuestionType.STEPS),
        ("show me how to do it", QuestionType.STEPS),
        ("How long do I hold it?", QuestionType.FIGURE),
        ("how often should i exercise", QuestionType.FIGURE),
        ("how many times a week", QuestionType.FIGURE),
        ("Which stretches are good?", QuestionType.LIST),
        ("list the core exercises", QuestionType.LIST),
        ("what kinds of aerobic exercise are there", QuestionType.LIST),
        ("Why is a strong core important?", QuestionType.WHY),
        ("what is the benefit of stretching", QuestionType.WHY),
        ("Can I exercise with a herniated disc?", QuestionType.YES_NO),
        ("What is a pelvic tilt?", QuestionType.DEFINITION),
        ("swimming", QuestionType.OPEN),
    ],
)
def test_type_is_told_by_the_form(text: str, expected: QuestionType) -> None:
    assert question_type(text) is expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Hello!", SmallTalk.GREETING),
        ("hi there", SmallTalk.GREETING),
        ("ok great, thanks a lot, bye", SmallTalk.GOODBYE),
        ("got it, ta", SmallTalk.THANKS),
        ("that was very helpful", SmallTalk.THANKS),
        ("What can you do?", SmallTalk.ABILITY),
        ("who wrote this?", SmallTalk.AUTHOR),
        ("are you a real doctor", SmallTalk.IDENTITY),
        ("how are you today?", SmallTalk.FEELING),
        ("do you save my chat", SmallTalk.PRIVACY),
        ("ok", SmallTalk.AGREEMENT),
        ("this is useless", SmallTalk.COMPLAINT),
        ("???", SmallTalk.EMPTY),
        ("🙂", SmallTalk.EMPTY),
        ("", SmallTalk.EMPTY),
    ],
)
def test_small_talk_is_recognised(message: str, expected: SmallTalk) -> None:
    assert find_small_talk(message) is expected


@pytest.mark.parametrize(
    "message",
    [
        "Hi, how do I do the bridge?",
        "thanks, and the plank?",
        "is it good",
        "morning stretches",
        "what about swimming",
    ],
)
def test_a_question_with_courtesies_is_a_question(message: str) -> None:
    assert find_small_talk(message) is None


def test_a_first_message_is_no_follow_up() -> None:
    assert not understand("how long do I hold it", Context()).is_follow_up


def test_a_first_message_without_a_topic_is_bare() -> None:
    assert understand("how long?", Context()).is_bare
    assert not understand("how long is a session", Context()).is_bare


@pytest.mark.parametrize(
    "message",
    [
        "how long?",
        "is it safe with a bad knee and a weak ankle today",
        "and the other one",
        "what about misting",
        "why",
    ],
)
def test_short_connected_and_referring_messages_go_on_from_before(message: str) -> None:
    assert understand(message, CONTEXT).is_follow_up


def test_a_full_question_of_its_own_is_no_follow_up() -> None:
    assert not understand("Which leaves turn yellow after heavy feeding in winter?", CONTEXT).is_follow_up


def test_an_announced_switch_drops_the_topic_and_the_announcement() -> None:
    query = understand("Something else: what eats the leaves?", CONTEXT)
    assert (query.is_follow_up, query.text) == (False, "what eats the leaves?")


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("how do I soak it!!!", "how do I soak it"),
        ("SOAKING!!", "SOAKING"),
        ("how long??", "how long?"),
        ("wait... how long?!", "wait. how long?"),
        ("soaking! misting", "soaking! misting"),
    ],
)
def test_marks_of_excitement_change_nothing(message: str, text: str) -> None:
    """Ensures that "!!!" does not make the judge doubt what it answers without it."""
    assert understand(message, Context()).text == text


def test_a_correction_loses_its_opening() -> None:
    query = understand("no, I meant misting", CONTEXT)
    assert (query.is_correction, query.text) == (True, "misting")


@pytest.mark.parametrize(
    ("message", "position"),
    [
        ("the second one", 2),
        ("more on the 2nd pls", 2),
        ("and the last?", -1),
        ("number three", 3),
        ("say more about the first of them", 1),
        ("should I water first", 0),
        ("how long does it last", 0),
    ],
)
def test_an_entry_of_the_list_shown_is_named_by_its_place(message: str, position: int) -> None:
    assert understand(message, CONTEXT).position == position


def test_a_place_means_nothing_without_a_list() -> None:
    assert understand("the second one", Context("x", QuestionType.STEPS, ("p1",))).position == 0


def test_a_follow_up_without_a_form_of_its_own_asks_what_was_asked_before() -> None:
    assert understand("and misting", CONTEXT).type is QuestionType.STEPS


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        (
            "how do I soak it and how often should I feed it",
            ("how do I soak it", "how often should I feed it"),
        ),
        ("Can I mist it? What about cold water?", ("Can I mist it", "What about cold water")),
        ("how long and how often should I feed it", None),  # one topic for both
        ("should I soak and mist it", None),
        ("My fern is ill. What can I do?", None),
        ("what is misting, how is it done and why does it help and is it safe", None),  # more than two
    ],
)
def test_two_questions_are_taken_apart_and_nothing_else(message: str, parts: tuple[str, ...] | None) -> None:
    """Ensures that a message is only split where both parts can stand as questions."""
    assert split_questions(message) == (parts or (message,))
