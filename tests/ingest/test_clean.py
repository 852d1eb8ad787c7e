import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.clean import find_compounds, match_key, normalise, trace
from ingest.datatypes import Page, Span

RAW = st.text(
    st.one_of(
        st.sampled_from("abc ABC-\n\n \u2003\u00ad\ufb01\u0301e\u2010\u2013().,1\t\u200b\u1100\u1161"),
        st.characters(codec="utf-8"),
    ),
    max_size=80,
)


@given(RAW)
def test_normalising_twice_changes_nothing(raw: str) -> None:
    once = normalise(raw)
    assert normalise(once) == once


@given(RAW)
def test_normal_form_has_single_spaces_and_composed_letters(raw: str) -> None:
    text = normalise(raw)
    assert unicodedata.is_normalized("NFC", text)
    assert not re.search(r"\s\s|[^\S ]|^ | $", text)


@given(RAW)
def test_normalising_keeps_every_letter(raw: str) -> None:
    assert match_key(normalise(raw)) == match_key(raw)


@given(RAW, st.data())
def test_every_stretch_of_traced_text_is_found_in_its_place(raw: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(raw)))
    pages = (Page(0, "i", raw[:cut]), Page(1, "1", raw[cut:]))
    traced = trace(pages, (Span(0, 0, cut), Span(1, 0, len(raw) - cut)))
    start = data.draw(st.integers(0, len(traced.text)))
    end = data.draw(st.integers(start, len(traced.text)))
    spans = traced.find_spans(start, end)
    found = "\n".join(pages[span.page_index].text[span.start : span.end] for span in spans)
    assert match_key(traced.text[start:end]) in match_key(found)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("exer-\ncise", "exercise"),
        ("exer-  \n   cise", "exercise"),
        ("Self-\ndiagnosing", "Self-diagnosing"),
        ("well-\nbeing", "well-being"),
        ("low-\nimpact", "low-impact"),
        ("non-\nslip", "non-slip"),
        ("warm-\nup", "warm-up"),
        ("evidence-\nbased", "evidence-based"),
        ("step-by-\nstep", "step-by-step"),
        ("10-\n15 minutes", "10-15 minutes"),
        ("20\u2013\n30 seconds", "20\u201330 seconds"),
        ("Mayo-\nClinic", "Mayo-Clinic"),
        ("low- and\nhigh-impact", "low- and high-impact"),
        ("low-\nand high-impact", "low- and high-impact"),
        ("well-\nness", "wellness"),
        ("high-\nest", "highest"),
        ("muscles \u2013\nprovides", "muscles \u2013 provides"),
        ("\u2003\u2003back  pain\t\nexercises\u00a0", "back pain exercises"),
        ("\ufb01ve \ufb02oors, o\ufb03ce", "five floors, office"),
        ("soft\u00adware zero\u200bwidth", "software zerowidth"),
        ("\U0001f469\u200d\u2695\ufe0f says", "\U0001f469\u200d\u2695\ufe0f says"),
        ("\u2764\ufe0f\u200d\U0001f525", "\u2764\ufe0f\u200d\U0001f525"),
        ("\U0001f469\u200d and\u200d \U0001f469\u200b\U0001f469", "\U0001f469 and \U0001f469\U0001f469"),
        ("e\u0301te\u0301", "\u00e9t\u00e9"),
        ("well\u2011being", "well-being"),
    ],
)
def test_repairs(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


@pytest.mark.parametrize(
    ("raw", "wrong"),
    [
        ("doctor-\nled", "doctorled"),
        ("non-\nchalant", "non-chalant"),
        ("pain-\nand", "pain- and"),
        ("roses\nare red", "roses are red"),
    ],
)
def test_declared_false_positives_of_repairs(raw: str, wrong: str) -> None:
    assert normalise(raw) == wrong


def test_the_document_decides_about_a_compound() -> None:
    text = "Doctor-led groups meet weekly. Ask about a doctor-\nled group."
    assert normalise(text, find_compounds(text)).endswith("a doctor-led group.")


def test_parts_that_are_words_of_the_document_make_a_compound() -> None:
    text = (
        "Stand in water up to the chest. It is deep there. In chest-\ndeep water you float. With-\nout a deep"
    )
    assert find_compounds(text) == {"chest-deep"}


def test_declared_false_positive_of_compounds() -> None:
    text = "Lift the foot. Do not print. A foot-\nprint in the sand."
    assert find_compounds(text) == {"foot-print"}


def test_a_document_that_does_not_hyphenate_needs_one_known_part() -> None:
    filler = "Nothing special stands in this line.\n" * 100
    assert find_compounds(filler + "Take iron. An iron-\ndeficiency shows.") == {"iron-deficiency"}
    assert find_compounds("Take iron. An iron-\ndeficiency shows.") == frozenset()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("**Bird-Dog:** start *slowly*", "Bird-Dog: start slowly"),
        ("see [the page](http://x.org/a_(b)) now", "see the page now"),
        ("a ![picture](x.png) and a [ref][1]", "a picture and a ref"),
        ("5 * 3 and snake_case_word", "5 * 3 and snake_case_word"),
        ("\\*not bold\\*", "*not bold*"),
        ("salt &amp; pepper", "salt & pepper"),
        ("<b>bold</b> text<br>", "bold text"),
        ("> quoted\n> twice", "quoted twice"),
        ("`code` and <https://x.org>", "code and https://x.org"),
        ("noted[^1] here", "noted here"),
        ("***both*** and **open", "both and **open"),
    ],
)
def test_marks_of_markdown_are_stripped_and_the_quote_is_found(raw: str, expected: str) -> None:
    traced = trace((Page(0, "1", raw),), (Span(0, 0, len(raw)),), has_markup=True)
    assert traced.text == expected
    assert match_key(traced.text) == match_key(raw)


def test_marks_without_a_partner_stay_and_pairs_within_pairs_go() -> None:
    raw = "*open **bold *em* text** and [[one](a) two](b) <!-- gone --> <!-- not closed"
    traced = trace((Page(0, "1", raw),), (Span(0, 0, len(raw)),), has_markup=True)
    assert traced.text == "*open bold em text and one two <!-- not closed"
    assert match_key(traced.text) == match_key(raw)


@pytest.mark.parametrize(
    ("one", "other"), [("re-cover", "recover"), ("a [b](c)", "a b"), ("5*3", "53"), ("it is", "itis")]
)
def test_declared_false_positives_of_the_key(one: str, other: str) -> None:
    assert match_key(one) == match_key(other)


def test_the_key_keeps_case_and_words() -> None:
    assert match_key("Stop at once") != match_key("stop at once")
    assert match_key("Do not stop") != match_key("Do stop")
