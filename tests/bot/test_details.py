"""Tests of the details that a question can ask for and of the things of the world."""

import pytest

from bot.details import FIGURE, asked_detail, is_known, load_vocabulary
from bot.lexical import stem


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("how many reps of bird-dog", "repetitions"),
        ("how long should I hold it", "duration"),
        ("which brand of mat", "brand"),
        ("how much does a mat cost", "price"),
        ("how many milligrams of ibuprofen", "milligrams"),
        ("how often do I train", "frequency"),
        ("how many minutes a week", "minutes"),
        ("exercises I can do in a chair", "sitting"),
        ("can I do it sitting down?", "sitting"),
        ("any standing stretches?", "standing"),
        ("can't get down on the floor, what can I do", "off-floor"),
    ],
)
def test_the_detail_asked_for_is_found(question: str, name: str) -> None:
    detail = asked_detail(question)
    assert detail is not None
    assert detail.name == name


def test_most_questions_ask_for_no_such_detail() -> None:
    assert asked_detail("how do I do the bridge?") is None
    assert asked_detail("wot dose the bridge do") is None
    assert asked_detail("I sit in a chair all day, what helps?") is None
    assert asked_detail("how many can I do in one sitting?") is None
    assert asked_detail("my feet come off the floor in the bridge") is None


@pytest.mark.parametrize(
    ("question", "text", "is_given"),
    [
        ("how many reps", "Hold this for a few seconds, then let go.", False),
        ("how many reps", "Do several repetitions, and move smoothly.", True),
        ("how long", "Hold it for 20-30 seconds.", True),
        ("how much does it cost", "Use a non-slip mat.", False),
        ("how many seconds", "Hold for a moment.", True),
        ("exercises in a chair", "Sit back onto your heels.", False),
        ("exercises in a chair", "Sit tall on the front of a chair.", True),
        ("standing exercises", "Lie on your back.", False),
    ],
)
def test_a_text_shows_whether_it_gives_the_detail(question: str, text: str, is_given: bool) -> None:
    detail = asked_detail(question)
    assert detail is not None
    assert detail.is_given(text) is is_given


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("Hold it for 20-30 seconds, then change legs.", ["20-30 seconds"]),
        ("about 3-5 times a week", ["3-5 times a week"]),
        ("at least 150 minutes a week", ["150 minutes a week"]),
        ("do them daily", ["daily"]),
        ("twice a day for two weeks", ["twice a day", "two weeks"]),
        ("Do several repetitions", ["several repetitions"]),
        ("one knee up to your chest", []),
    ],
)
def test_figures_are_found_with_their_units(text: str, figures: list[str]) -> None:
    assert [match[0] for match in FIGURE.finditer(text)] == figures


def test_a_thing_is_found_under_each_of_its_names_and_in_the_plural() -> None:
    found = [name for name, _ in load_vocabulary().find("Are slipped discs and Tylenol bad?")]
    assert "tylenol" in found
    assert "slipped discs" in found


def test_a_thing_is_known_when_the_guide_uses_any_of_its_names() -> None:
    thing = load_vocabulary().find("advil")[0][1]
    assert is_known(thing, lambda *stems: stems == (stem("ibuprofen"),))
    assert not is_known(thing, lambda *stems: False)


def test_a_name_of_two_words_is_found_in_the_plural_and_known_only_where_they_stand_together() -> None:
    thing = load_vocabulary().find("can I do sit-ups?")[0][1]
    assert not is_known(thing, lambda *stems: len(stems) == 1 and stems[0] in ("sit", "up"))
    assert is_known(thing, lambda *stems: stems == ("sit", "up"))


def test_ordinary_words_are_no_topics() -> None:
    assert load_vocabulary().find("I ran ten times round the box with my dog") == []


def test_what_is_of_health_is_told_from_sport_and_food() -> None:
    """Ensures that a disease, a treatment and a medicine are, and that nothing else is taken for one."""
    found = load_vocabulary().find("surgery ibuprofen gout football golf protein powder mattress squat")
    assert {name for name, thing in found if thing.is_of_health} == {"surgery", "ibuprofen", "gout"}
