"""A guide that is replaced while people chat: no message fails, none mixes two guides, nothing grows."""

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bot import chat
from bot.chat import Bot, load_bot
from bot.datatypes import Answer
from bot.page import Conversation, answer_message, find_changed, from_stored, to_stored
from ingest.build import ingest
from ingest.index import KEPT_GENERATIONS, load_live
from ingest.report import Report
from tests.conftest import FakeEncoder

MAX_PICKUP_S = 2.0  # the median of ten, so that a busy machine does not fail it
MAX_GROWTH_MIB = 25.0  # of memory over ten re-ingests; one generation of this guide is far smaller


def guide(version: int) -> str:
    """A guide in which every sentence names its version."""
    return f"""\
# Caring for a House Plant

## Watering

Water the plant in version {version}. Too much water rots version {version}.

These methods of version {version} are good:

- **Soaking:** Put the pot into a bowl of version {version}. Wait for version {version}.
- **Misting:** Fill a bottle of version {version}. Spray version {version}.

## Frequently Asked Questions

### How often should I feed a plant?

Feed it every {version} weeks in version {version}. Do not feed it in winter of version {version}.
"""


def update(corpus: Path, folder: Path, version: int) -> Report:
    (corpus / "plants.md").write_text(guide(version), encoding="utf-8")
    return ingest([corpus], folder, make_encoder=lambda name: FakeEncoder())


def versions(answer: Answer) -> set[str]:
    """Versions that an answer quotes."""
    quotes = [quote.text for part in (*answer.lead, *answer.more) for quote in part.quotes]
    assert quotes
    assert all("version" in text or text in ("Soaking", "Misting") for text in quotes)
    return {text.split("version ")[1].split()[0].strip(".:") for text in quotes if "version " in text}


def test_ten_reingests_under_load_fail_no_message_and_mix_none(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    first = update(corpus, folder, 100)
    bot = load_bot(folder, FakeEncoder())
    questions = ["How often should I feed a plant?", "How do I do soaking?", "Which methods are good?"]
    stop, failures = threading.Event(), []
    answers: list[set[str]] = []

    def chat() -> None:
        while not stop.is_set():
            for question in questions:
                try:
                    answers.append(versions(bot.reply(question)))
                except Exception as exc:  # noqa: BLE001 - whatever fails is what is looked for
                    failures.append(exc)
                stop.wait(0.01)  # even these people do not type without a pause

    people = [threading.Thread(target=chat, daemon=True) for _ in range(3)]
    for person in people:
        person.start()
    memory_mib, pickups_s = [], []
    try:
        for version in range(101, 111):
            report = update(corpus, folder, version)
            ended = time.monotonic()
            assert versions(bot.reply(questions[0])) == {str(version)}
            pickups_s.append(time.monotonic() - ended)
            assert (report.passages, report.views) == (first.passages, first.views)
            memory_mib.append(psutil.Process().memory_info().rss / 2**20)
    finally:
        stop.set()
        for person in people:
            person.join(60)
    assert statistics.median(pickups_s) < MAX_PICKUP_S
    assert failures == []
    assert [seen for seen in answers if len(seen) != 1] == []
    assert len(set.union(*answers)) >= 8  # they chatted all the while
    assert memory_mib[-1] - memory_mib[2] < MAX_GROWTH_MIB
    assert len(list((folder / "generations").iterdir())) == KEPT_GENERATIONS
    assert load_live(folder).manifest.passages == first.passages


def shown(bot: Bot, conversation: Conversation) -> list[bool]:
    """Tell of each answer whether it is marked."""
    stored = from_stored(to_stored(conversation))  # as it comes back from the browser
    return find_changed(bot, [list(turn.passages) for turn in stored.messages if turn.role == "assistant"])


def test_answers_of_an_earlier_guide_are_marked_and_no_others(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    update(corpus, folder, 100)
    bot = load_bot(folder, FakeEncoder())
    conversation = Conversation()
    for message in ("Hello", "How often should I feed a plant?", "How do I do soaking?"):
        conversation = answer_message(bot, message, conversation)
    assert shown(bot, conversation) == [False, False, False]
    text = guide(100).replace("Feed it every 100 weeks", "Feed it every 5 weeks")
    (corpus / "plants.md").write_text(text, encoding="utf-8")
    ingest([corpus], folder, make_encoder=lambda name: FakeEncoder())
    assert shown(bot, conversation) == [False, True, False]
    conversation = answer_message(bot, "How often should I feed a plant?", conversation)
    assert shown(bot, conversation) == [False, True, False, False]
    assert "every **5 weeks**" in conversation.messages[-1].content
    update(corpus, folder, 100)  # the old guide is back, and with it what the old answer said
    assert shown(bot, conversation) == [False, False, False, True]
    (corpus / "plants.md").write_text("# Other\n\nOther words.\n", encoding="utf-8")
    ingest([corpus], folder, make_encoder=lambda name: FakeEncoder())
    assert shown(bot, conversation) == [False, True, True, True]


def test_what_was_stored_before_answers_named_their_passages_is_kept() -> None:
    """Ensures that an update of the page loses no conversation."""
    stored = to_stored(Conversation())
    stored["messages"] = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    assert [message.passages for message in from_stored(stored).messages] == [(), ()]


# --- a bot that is kept ready ----------------------------------------------------------------------

QUESTION = "How often should I feed a plant?"
LONG_AGO_S = 60.0


@pytest.fixture
def ready(corpus: Path, tmp_path: Path) -> Bot:
    """A bot of version 100 that is kept ready by a thread, as for a page."""
    update(corpus, tmp_path / "index", 100)
    bot = load_bot(tmp_path / "index", FakeEncoder())
    threading.Thread(target=bot.keep_ready, daemon=True).start()
    wait_until(lambda: bot._max_behind_s > 0)
    return bot


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def slow(ready: Bot, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Making a generation ready takes until this is set."""
    go_on = threading.Event()
    make = chat._make_engine

    def make_slowly(*arguments: Any) -> Any:
        assert go_on.wait(20)
        return make(*arguments)

    monkeypatch.setattr(chat, "_make_engine", make_slowly)
    yield go_on
    go_on.set()


def test_a_bot_that_is_kept_ready_has_the_new_guide_before_any_message(
    ready: Bot, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = update(corpus, tmp_path / "index", 101)
    started = time.monotonic()
    wait_until(lambda: ready._engine.generation.name == report.generation)
    assert time.monotonic() - started < chat.MAX_BEHIND_S
    assert ready._engine.is_proven  # an answer was made already
    monkeypatch.setattr(chat, "_make_engine", None)  # nothing is left to be made
    assert versions(ready.reply(QUESTION)) == {"101"}


def test_the_old_guide_answers_while_the_new_one_is_made_ready(
    ready: Bot, slow: threading.Event, corpus: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    update(corpus, folder, 101)
    assert versions(ready.reply(QUESTION)) == {"100"}
    slow.set()
    wait_until(lambda: versions(ready.reply(QUESTION)) == {"101"})


def test_the_old_guide_answers_no_longer_than_promised(
    ready: Bot, slow: threading.Event, corpus: Path, tmp_path: Path
) -> None:
    update(corpus, tmp_path / "index", 101)
    then = time.time() - LONG_AGO_S
    os.utime(tmp_path / "index" / "CURRENT", (then, then))
    answers: list[set[str]] = []
    person = threading.Thread(target=lambda: answers.append(versions(ready.reply(QUESTION))), daemon=True)
    person.start()
    person.join(0.5)
    assert answers == []  # it waits for the new one
    slow.set()
    person.join(20)
    assert answers == [{"101"}]


def test_what_has_not_changed_is_not_made_again(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    update(corpus, folder, 100)
    bot = load_bot(folder, FakeEncoder())
    gate = bot._engine.gate
    update(corpus, folder, 101)
    assert versions(bot.reply(QUESTION)) == {"101"}
    assert bot._engine.gate is gate
    settings = '\n[emergency.default]\nemergency = "the porter"\nemergency_call = "7"\n'
    (corpus / "guide.toml").write_text(f'title = "Plants"\n{settings}', encoding="utf-8")
    update(corpus, folder, 102)
    warning = bot.reply("I have crushing chest pain and I can't breathe").warning
    assert warning is not None
    assert warning.call == "7"
