"""Views: the texts under which a passage is found."""

from pathlib import Path

import pytest

from ingest.datatypes import Passage, PassageKind, Segment, SegmentRole, Span
from ingest.passages import split_passages
from ingest.readers import read_document
from ingest.structure import find_blocks
from ingest.views import View, ViewKind, make_views
from tests.conftest import GUIDE, ORIGINAL, ROOT, FakeEncoder

PDF = ROOT / "corpus" / "guide.pdf"


def segment(text: str, role: SegmentRole = SegmentRole.SENTENCE) -> Segment:
    return Segment(text, role, (Span(0, 0, len(text)),))


def passage(
    kind: PassageKind,
    *segments: Segment,
    title: str = "",
    section: str = "Care",
    item_ids: tuple[str, ...] = (),
) -> Passage:
    return Passage("p", "a.md", kind, ("Guide", section), title, segments, 0, "1", item_ids=item_ids)


def texts(views: list[View], kind: ViewKind) -> list[str]:
    return [view.text for view in views if view.kind is kind]


def read_passages(path: Path) -> tuple[Passage, ...]:
    document = read_document(path, path.name)
    blocks, _ = find_blocks(document)
    return tuple(split_passages(document, blocks, FakeEncoder().count_tokens, 256))


@pytest.fixture(scope="module", params=["small", "pdf", *(["original"] if ORIGINAL.is_file() else [])])
def passages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Passage, ...]:
    """The small guide, the real one, and the text that it was written from where that is at hand."""
    if request.param == "small":
        path = tmp_path_factory.mktemp("views") / "plants.md"
        path.write_text(GUIDE, encoding="utf-8")
    else:
        path = PDF if request.param == "pdf" else ORIGINAL
    return read_passages(path)


def test_every_passage_has_exactly_one_whole_view_in_order(passages: tuple[Passage, ...]) -> None:
    whole = [view for view in make_views(passages) if view.kind is ViewKind.WHOLE]
    assert [view.row for view in whole] == list(range(len(passages)))
    for view, item in zip(whole, passages, strict=True):
        assert item.text in view.text
        assert item.title in view.text


def test_views_point_to_the_segment_whose_words_they_hold(passages: tuple[Passage, ...]) -> None:
    for view in make_views(passages):
        if view.kind is ViewKind.SENTENCE:
            assert view.text.endswith(passages[view.row].segments[view.segment].text)
        elif view.segment != -1:
            assert view.text == passages[view.row].segments[view.segment].text
        assert view.text.strip()


def test_every_sentence_of_a_passage_with_several_can_be_found(passages: tuple[Passage, ...]) -> None:
    """Ensures that nothing but lead sentences and lists of passages is without a view of its own."""
    seen = {(view.row, view.segment) for view in make_views(passages) if view.kind is ViewKind.SENTENCE}
    wanted = {
        (row, at)
        for row, item in enumerate(passages)
        if not item.item_ids and len(item.segments) > 1
        for at, part in enumerate(item.segments)
        if part.role is not SegmentRole.LEAD
    }
    assert seen == wanted
    assert wanted


def test_entries_of_a_list_with_own_passages_are_not_repeated(passages: tuple[Passage, ...]) -> None:
    views = make_views(passages)
    lists = [row for row, item in enumerate(passages) if item.item_ids]
    assert lists
    assert not [view for view in views if view.row in lists and view.kind is ViewKind.SENTENCE]


def test_every_title_is_a_view(passages: tuple[Passage, ...]) -> None:
    titles = texts(make_views(passages), ViewKind.TITLE)
    assert {item.title for item in passages if item.title} <= set(titles)


def test_sentences_of_an_item_carry_its_title() -> None:
    """Ensures that "Hold it there" is found under the name of what is held."""
    item = passage(PassageKind.ITEM, segment("Fill a bottle."), segment("Spray it."), title="Misting")
    views = make_views([item])
    assert texts(views, ViewKind.TITLE) == ["Misting"]
    assert texts(views, ViewKind.SENTENCE) == ["Misting: Fill a bottle.", "Misting: Spray it."]
    assert texts(views, ViewKind.WHOLE) == ["Care. Misting. Fill a bottle. Spray it."]


def test_sentences_of_an_answer_do_not_carry_the_question() -> None:
    faq = passage(PassageKind.FAQ, segment("Yes."), segment("A spoonful."), title="Can I?", section="FAQ")
    views = make_views([faq])
    assert texts(views, ViewKind.TITLE) == ["Can I?"]
    assert texts(views, ViewKind.SENTENCE) == ["Yes.", "A spoonful."]
    assert texts(views, ViewKind.WHOLE) == ["Can I?. Yes. A spoonful."]


def test_a_passage_of_one_sentence_has_no_second_view_of_it() -> None:
    assert [view.kind for view in make_views([passage(PassageKind.PROSE, segment("Only this."))])] == [
        ViewKind.WHOLE
    ]


def test_the_lead_of_a_list_is_its_title() -> None:
    entries = (segment("Sun", SegmentRole.ITEM), segment("Rain", SegmentRole.ITEM))
    led = passage(PassageKind.LIST, segment("It needs:", SegmentRole.LEAD), *entries)
    assert texts(make_views([led]), ViewKind.TITLE) == ["It needs:"]
    assert texts(make_views([led]), ViewKind.SENTENCE) == ["Sun", "Rain"]
    assert texts(make_views([passage(PassageKind.LIST, *entries)]), ViewKind.TITLE) == []


def test_a_list_of_passages_keeps_its_names_in_the_whole_view() -> None:
    entries = (segment("Misting", SegmentRole.ITEM), segment("Soaking", SegmentRole.ITEM))
    views = make_views([passage(PassageKind.LIST, *entries, item_ids=("a", "b"))])
    assert texts(views, ViewKind.WHOLE) == ["Care. - Misting\n- Soaking"]
    assert len(views) == 1


def test_no_passages_have_no_views() -> None:
    assert make_views([]) == []
