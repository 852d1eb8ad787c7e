"""Tests of rendering: the disclaimer everywhere, document text inert, contracts of the batch record."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.datatypes import Answer, AnswerKind, Citation, Layout, Quotation, Quote, Urgency, Warning
from bot.render import lead_text, to_markdown, to_record, to_terminal, to_text
from ingest.datatypes import Passage, PassageKind, Segment, SegmentRole, Span

DISCLAIMER = "See a professional."


def passage(*texts: str, title: str = "", kind: PassageKind = PassageKind.PROSE) -> Passage:
    segments = tuple(Segment(text, SegmentRole.SENTENCE, (Span(0, 0, len(text)),)) for text in texts)
    return Passage("p1", "guide.pdf", kind, ("Watering",), title, segments, 0, "iv")


def quotation(*texts: str, layout: Layout = Layout.TEXT, title: str = "") -> Quotation:
    owner = passage(*texts)
    return Quotation(tuple(Quote(segment, owner) for segment in owner.segments), layout, title)


def answer(*parts: Quotation) -> Answer:
    citation = Citation("guide.pdf", 1, "iv", ("Watering",), "x")
    return Answer(
        AnswerKind.ANSWER, DISCLAIMER, lead=parts, citations=(citation,), suggestions=("What eats leaves?",)
    )


def test_an_answer_without_a_disclaimer_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="disclaimer"):
        Answer(AnswerKind.SMALLTALK, "  ")
    with pytest.raises(ValueError, match="disclaimer"):
        replace(answer(), disclaimer="")


def test_every_rendering_ends_with_the_disclaimer_or_names_it() -> None:
    shown = answer(quotation("Water it."))
    assert to_markdown(shown).endswith(f"*{DISCLAIMER}*")
    assert DISCLAIMER in to_terminal(shown)
    assert to_record(shown, 1.0)["disclaimer"] == DISCLAIMER


def test_text_holds_all_but_disclaimer_and_suggestions() -> None:
    text = to_text(answer(quotation("Water it.", "Wait.")))
    assert text == "Water it. Wait.\nIn the guide: page iv, Watering"


def test_steps_are_numbered_and_entries_bulleted() -> None:
    shown = answer(
        quotation("Lie down.", "Breathe.", layout=Layout.STEPS, title="Rest"),
        quotation("a", layout=Layout.BULLETS),
    )
    assert lead_text(shown) == "Rest\n1. Lie down.\n2. Breathe.\n- a"
    assert "**Rest**\n\n1. Lie down.\n2. Breathe." in to_markdown(shown)


def test_a_list_of_which_entries_are_left_out_says_so() -> None:
    part = replace(quotation("a", "b", layout=Layout.BULLETS), is_excerpt=True)
    assert lead_text(answer(part)) == "- a\n- b\n- …"
    assert "- a\n- b\n- …" in to_markdown(answer(part))


def test_figures_are_bold_in_markdown_and_plain_in_text() -> None:
    owner = passage("Hold it for 20-30 seconds.")
    part = Quotation((Quote(owner.segments[0], owner, ((12, 25),)),))
    assert "Hold it for **20-30 seconds**." in to_markdown(answer(part))
    assert "**" not in to_text(answer(part))


def test_a_warning_comes_first() -> None:
    warning = Warning(Urgency.URGENT, "fever", "See a doctor today", "Call them.\n\nSay what you told me.")
    shown = replace(
        answer(quotation("Water it.")), warning=warning, urgency=Urgency.URGENT, kind=AnswerKind.WARNING
    )
    assert to_text(shown).startswith("See a doctor today\nCall them.\nSay what you told me.\nWater it.")
    assert to_markdown(shown).startswith("**⚠ See a doctor today**")
    assert to_record(shown, 0)["urgency"] == "urgent"


def test_places_of_several_pages_and_sources_are_named() -> None:
    citations = (
        Citation("a.pdf", 3, "1", ("Watering", "Soaking"), "x"),
        Citation("a.pdf", 4, "2", ("Watering", "Soaking"), "y"),
        Citation("b.pdf", 1, "i", (), "z"),
    )
    text = to_text(replace(answer(), citations=citations))
    assert text == "In the guide: a.pdf, pages 1, 2, Soaking; b.pdf, page i"


def test_the_record_has_the_keys_of_the_contract() -> None:
    record = to_record(answer(quotation("Water it.")), 12.34)
    assert list(record) == [
        "kind", "urgency", "lead", "text", "disclaimer", "markdown", "citations", "suggestions", "latency_ms",
    ]  # fmt: skip
    assert record["latency_ms"] == 12.3
    assert record["citations"] == [
        {"source": "guide.pdf", "page": 1, "page_label": "iv", "section": ["Watering"], "quote": "x"}
    ]


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://evil.example/x.png)",
    "[click](javascript:alert(1))",
    "http://evil.example and www.evil.example and a@evil.example",
    "# heading",
    "- bullet\n- bullet",
    "1. one",
    "```code```",
    "| a | b |\n|---|---|",
    "&lt;b&gt; <!-- c -->",
    "***",
    "> quote",
    "$x$ \\(y\\)",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_not_run(text: str) -> None:
    rendered = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(
        to_markdown(answer(quotation(text)))
    )
    body = rendered.split("<blockquote>")[0]
    tags = set(re.findall(r"<(\w+)", body))
    assert tags <= {"p"}, body


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=80
    )
)
def test_any_text_stays_one_paragraph_of_text(text: str) -> None:
    plain = " ".join(text.split())
    rendered = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(
        to_markdown(answer(quotation(plain)))
    )
    body = rendered.split("<blockquote>")[0]
    assert set(re.findall(r"<(\w+)", body)) <= {"p"}, body
