"""A guide that is replaced while people chat: no message fails, none mixes two guides, nothing grows."""

import statistics
import threading
import time
from pathlib import Path

import psutil

from bot.chat import Bot, load_bot
from bot.datatypes import Answer
from bot.page import CHANGED, Conversation, answer_message, from_stored, to_chat, to_stored
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
    return [CHANGED in turn["content"] for turn in to_chat(bot, stored) if turn["role"] == "assistant"]


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
