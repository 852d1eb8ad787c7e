"""Tests of what the page does without a browser: the conversation, the warning, colours, markup."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot import page
from bot.datatypes import Answer, AnswerKind, Urgency, Warning
from ingest.errors import ConfigError, IndexMissingError

DISCLAIMER = "Ask a professional first."
EMERGENCY = Warning(Urgency.EMERGENCY, "bladder", "Get help <now>", "Call 112.\n\nDo not wait.", call="11 2")


class FakeBot:
    """Answers by key words; remembers what it was given."""

    title = "A guide"
    description = "Ask & learn."
    disclaimer = DISCLAIMER
    accent = "#2f6f62"

    def __init__(self) -> None:
        self.history: list[Mapping[str, str]] = []

    def starters(self) -> tuple[str, ...]:
        return tuple(f"Question {number}?" for number in range(9))

    def holds(self, passage_ids: Sequence[str]) -> bool:
        return not passage_ids

    def keep_ready(self) -> None:
        pass

    def reply(self, message: str, history: Sequence[Mapping[str, str]]) -> Answer:
        self.history = list(history)
        if message == "no index":
            raise IndexMissingError("There is no index; run python -m ingest.")
        if message == "bug":
            raise RuntimeError("failed on: bug")
        is_held = any("pee" in earlier["content"] for earlier in [*history, {"content": message}])
        return Answer(
            kind=AnswerKind.ANSWER,
            disclaimer=DISCLAIMER,
            note=f"You said {message}.",
            warning=EMERGENCY if "pee" in message else None,
            suggestions=("And then?",),
            is_held=is_held and "checked" not in message,
        )


def talk(*messages: str) -> page.Conversation:
    bot, conversation = FakeBot(), page.Conversation()
    for message in messages:
        conversation = page.answer_message(bot, message, conversation)
    return conversation


def test_an_answer_follows_its_message_with_disclaimer_and_suggestions() -> None:
    conversation = talk("hello")
    assert [message.role for message in conversation.messages] == ["user", "assistant"]
    assert conversation.messages[0].content == "hello"
    assert DISCLAIMER.rstrip(".") in conversation.messages[1].content
    assert conversation.suggestions == ("And then?",)


def test_the_bot_is_given_the_messages_before_this_one() -> None:
    bot = FakeBot()
    conversation = page.answer_message(bot, "first", page.Conversation())
    page.answer_message(bot, "second", conversation)
    assert [earlier["role"] for earlier in bot.history] == ["user", "assistant"]
    assert bot.history[0]["content"] == "first"


def test_an_error_of_the_guide_is_told_in_its_own_sentence_and_with_the_disclaimer() -> None:
    conversation = talk("no index", "hello")
    assert "There is no index" in conversation.messages[1].content
    assert DISCLAIMER.rstrip(".") in conversation.messages[1].content
    assert len(conversation.messages) == 4


def test_any_other_failure_leaves_the_conversation_usable_and_no_words_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        conversation = talk("bug", "hello")
    assert "went wrong" in conversation.messages[1].content
    assert "hello" in conversation.messages[3].content
    assert "RuntimeError" in caplog.text
    assert "failed on" not in caplog.text


def test_an_emergency_stays_and_is_folded_until_it_is_checked() -> None:
    fresh = talk("I can't pee")
    assert (fresh.warning, fresh.is_held, fresh.is_earlier) == (EMERGENCY, True, False)
    later = talk("I can't pee", "how long?")
    assert (later.warning, later.is_held, later.is_earlier) == (EMERGENCY, True, True)
    assert talk("I can't pee", "how long?", "it was checked").warning is None


@pytest.mark.parametrize("failing", ["bug", "no index"])
def test_an_emergency_survives_a_failure(failing: str) -> None:
    assert talk("I can't pee", failing).warning == EMERGENCY
    assert talk("I can't pee", "how long?", failing, "how long?").warning == EMERGENCY


def test_a_conversation_is_the_same_after_storing() -> None:
    for conversation in (page.Conversation(), talk("hello"), talk("I can't pee", "how long?")):
        assert page.from_stored(page.to_stored(conversation)) == conversation


@pytest.mark.parametrize(
    "stored",
    [
        None,
        [],
        "x",
        {},
        {"messages": 3},
        {**page.to_stored(page.Conversation()), "messages": [{"role": "system", "content": "x"}]},
        {**page.to_stored(page.Conversation()), "messages": [{"role": "user", "content": ["x"]}]},
        {**page.to_stored(page.Conversation()), "suggestions": [{}]},
        {**page.to_stored(page.Conversation()), "warning": {"urgency": "mild"}},
    ],
)
def test_what_another_version_stored_is_an_empty_conversation(stored: object) -> None:
    assert page.from_stored(stored) == page.Conversation()


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1))
def test_escaped_text_comes_out_of_markdown_as_it_was_typed(text: str) -> None:
    """Against an independent Markdown parser with everything switched on."""
    parser = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"])
    tokens = parser.parse(page.escape_markdown(text))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    inline = tokens[1].children or []
    assert {token.type for token in inline} <= {"text", "text_special"}
    assert "".join(token.content for token in inline) == text


@pytest.mark.parametrize(
    "text",
    ["    code", "\tcode", "# x", "- x", "1. x", "> x", "```\nx\n```", "<b>x</b>", "$$x$$", "www.x.org"],
)
def test_no_shape_of_markdown_survives_escaping(text: str) -> None:
    shown = MarkdownIt("commonmark", {"html": True}).render(page.escape_markdown(text))
    assert shown.startswith("<p>")
    assert shown.count("<") == 2


def test_the_chat_shows_the_message_that_waits_for_its_answer() -> None:
    chat = page.to_chat(talk("hello"), waiting_for="*next*")
    assert [turn["role"] for turn in chat] == ["user", "assistant", "user", "assistant"]
    assert chat[2]["content"] == "&#42;next&#42;"
    assert page.WAITING in chat[3]["content"]
    assert not any("options" in turn for turn in chat)


def test_only_the_last_answer_carries_suggestions() -> None:
    chat = page.to_chat(talk("one", "two"))
    assert [turn.get("options") for turn in chat] == [None, None, None, [{"value": "And then?"}]]


def test_a_warning_says_its_tier_in_words_and_can_be_called() -> None:
    drawn = page.warning_html(talk("I can't pee"))
    assert "Emergency" in drawn
    assert 'href="tel:112"' in drawn
    assert "<p>Call 112.</p><p>Do not wait.</p>" in drawn
    assert "Get help &lt;now&gt;" in drawn
    assert "<details>" not in drawn


def test_an_earlier_warning_keeps_its_title_and_its_call() -> None:
    drawn = page.warning_html(talk("I can't pee", "how long?"))
    assert "Get help" in drawn
    assert 'href="tel:112"' in drawn
    assert "<details>" in drawn


def test_a_warning_without_a_number_has_no_call() -> None:
    warning = Warning(Urgency.URGENT, "fever", "Today", "See a doctor.", call='"><script>')
    drawn = page.warning_html(page.Conversation(warning=warning))
    assert "tel:" not in drawn
    assert "<script>" not in drawn


def test_each_tier_looks_different() -> None:
    drawn = {
        page.warning_html(page.Conversation(warning=Warning(urgency, "x", "x", "x")))
        for urgency in Urgency
        if urgency is not Urgency.NONE
    }
    assert len(drawn) == 3
    assert page.warning_html(page.Conversation()) == ""


def test_contrast_is_as_wcag_defines_it() -> None:
    assert page.contrast("#ffffff", "#000000") == pytest.approx(21)
    assert page.contrast("#777777", "#777777") == pytest.approx(1)
    assert page.contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_any_accent_becomes_readable(accent: str) -> None:
    for background in (page.LIGHT_BACKGROUND, page.DARK_BACKGROUND):
        assert page.contrast(page.readable_shade(accent, background), background) >= page.MIN_CONTRAST


def test_a_readable_accent_is_left_as_it_is() -> None:
    assert page.readable_shade("#2F6F62", "#ffffff") == "#2f6f62"


@pytest.mark.parametrize("accent", ["green", "#2f6", "2f6f62", "#2f6f62;}body{display:none"])
def test_an_accent_that_is_no_colour_is_an_error_with_an_example(accent: str) -> None:
    bot = FakeBot()
    bot.accent = accent
    with pytest.raises(ConfigError, match="#2f6f62"):
        page.build_page(bot)


def test_the_colours_of_the_style_sheet_are_readable() -> None:
    """Ensures that text on each background has WCAG AA contrast, in light and in dark."""
    sheet = (Path(page.__file__).parent / "data" / "page.css").read_text(encoding="utf-8")
    light, dark = sheet.split("body.dark {")[0], sheet.split("body.dark {")[1].split("}")[0]

    def colours(part: str) -> dict[str, str]:
        lines = (line.strip().split(";")[0].partition(":") for line in part.splitlines() if "#" in line)
        return {name: value.strip() for name, _, value in lines if value.strip().startswith("#")}

    for theme in (colours(light), {**colours(light), **colours(dark)}):
        for text, backgrounds in {
            "--ink": ("--paper", "--card", "--tint"),
            "--quiet": ("--paper", "--card", "--tint"),
            "--alarm-ink": ("--alarm",),
            "--urgent-ink": ("--urgent",),
            "--advise-ink": ("--advise",),
        }.items():
            for background in backgrounds:
                assert page.contrast(theme[text], theme[background]) >= page.MIN_CONTRAST, (text, background)
        for outline in ("--edge",):
            assert page.contrast(theme[outline], theme["--paper"]) >= 3
    assert colours(light)["--tint"] == page.LIGHT_BACKGROUND
    assert colours(dark)["--tint"] == page.DARK_BACKGROUND


def test_the_head_and_the_small_print_are_escaped() -> None:
    bot = FakeBot()
    bot.title, bot.disclaimer = "<b>x</b>", "<i>y</i>"
    assert "<b>" not in page.heading_html(bot)
    assert "Ask &amp; learn." in page.heading_html(bot)
    assert "<i>" not in page.small_print_html(bot)


def test_the_page_holds_no_upload_and_offers_no_more_starters_than_fit() -> None:
    config = page.build_page(FakeBot()).get_config_file()
    kinds = {component["type"] for component in config["components"]}
    assert not kinds & {"file", "uploadbutton", "multimodaltextbox", "image"}
    (chat,) = [component for component in config["components"] if component["type"] == "chatbot"]
    assert [example["text"] for example in chat["props"]["examples"]] == [f"Question {n}?" for n in range(6)]


def test_no_endpoint_of_the_page_is_advertised() -> None:
    assert page.build_page(FakeBot()).get_api_info() == {"named_endpoints": {}, "unnamed_endpoints": {}}
