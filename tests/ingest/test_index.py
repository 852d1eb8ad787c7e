"""The index folder: what is saved is what is loaded, at any moment, and damage is named."""

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from ingest import index, lock
from ingest.build import ingest
from ingest.datatypes import Matrix, Omission, Page, Passage, PassageKind, Segment, SegmentRole, Span
from ingest.errors import (
    GuideError,
    IndexDamagedError,
    IndexLockedError,
    IndexMismatchError,
    IndexMissingError,
)
from ingest.index import (
    FORMAT_VERSION,
    KEPT_GENERATIONS,
    Generation,
    Manifest,
    SourceEntry,
    VectorIndex,
    check_encoder,
    is_quote_found,
    list_generations,
    live_name,
    load_live,
    load_staged,
    page_quotes,
    publish,
    read_manifest,
    write_generation,
)
from ingest.lock import hold_lock
from ingest.views import VIEWS_VERSION, View, ViewKind, make_views
from tests.conftest import GUIDE, ROOT, FakeEncoder

FILES = [
    "passages.jsonl",
    "pages.jsonl",
    "views.jsonl",
    "vectors.faiss",
    "guide.toml",
    "warning-signs.json",
    "manifest.json",
]
# Line separators that are not "\n", quotes, a backslash, emoji beyond the basic plane, right-to-left text.
AWKWARD = 'Hold\u2028for\u2029ten\x85breaths\x0b\x0c "now" \\ or 🪴👩🏽‍🌾, שלום, é\u0301\ufeff.'
SIGNS = (ROOT / "bot" / "data" / "warning-signs" / "language.toml").read_text(encoding="utf-8")
Crash = Callable[[int], None]


def ingest_folder(corpus: Path, folder: Path, encoder: FakeEncoder | None = None) -> str:
    made = encoder or FakeEncoder()
    return ingest([corpus], folder, make_encoder=lambda name: made).generation


@pytest.fixture
def folder(corpus: Path, tmp_path: Path) -> Path:
    """An index folder with the small guide."""
    ingest_folder(corpus, tmp_path / "index")
    return tmp_path / "index"


def live_folder(folder: Path) -> Path:
    return folder / "generations" / live_name(folder)


def generations(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "generations").iterdir())


def segment(text: str, start: int, role: SegmentRole = SegmentRole.SENTENCE) -> Segment:
    return Segment(text, role, (Span(0, start, start + len(text)),))


def awkward_parts() -> tuple[list[Passage], dict[str, list[Page]], list[View], Matrix]:
    """Passages that use every field, with text that line-based files get wrong."""
    pages = {
        "ä b/🪴.md": [Page(0, "iv", AWKWARD + AWKWARD), Page(1, "", "")],
        "empty.md": [Page(0, "1", "x")],
    }
    item = Passage(
        id="item",
        source="ä b/🪴.md",
        kind=PassageKind.ITEM,
        section=("One", "Two\u2028"),
        title="Sit",
        segments=(segment(AWKWARD, 0, SegmentRole.STEP), segment(AWKWARD, len(AWKWARD), SegmentRole.ITEM)),
        page_index=0,
        page_label="iv",
        title_spans=(Span(0, 0, 3), Span(1, 0, 0)),
        list_id="list",
    )
    listed = Passage(
        id="list",
        source="ä b/🪴.md",
        kind=PassageKind.LIST,
        section=(),
        title="",
        segments=(segment(AWKWARD, 0, SegmentRole.LEAD),),
        page_index=0,
        page_label="iv",
        item_ids=("item",),
    )
    views = make_views([listed, item])
    return [listed, item], pages, views, FakeEncoder().encode_passages([view.text for view in views])


def manifest_of(passages: Sequence[Passage], views: Sequence[View], encoder: FakeEncoder) -> Manifest:
    return Manifest(
        format_version=FORMAT_VERSION,
        created="2024-01-02T03:04:05+00:00",
        encoder_name=encoder.name,
        encoder_revision=encoder.revision,
        dimension=encoder.dimension,
        max_tokens=encoder.max_tokens,
        views_version=VIEWS_VERSION,
        reading_revision="0123",
        sources=(
            SourceEntry("ä b/🪴.md", "ab" * 32, 2, 2, ("odd\u2028", "")),
            SourceEntry("empty.md", "cd" * 32, 1, 0),
        ),
        passages=len(passages),
        views=len(views),
        omissions=(Omission("empty.md", 0, "an advert", AWKWARD),),
        files={},
    )


# --- save, load ------------------------------------------------------------------------------------


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    passages, pages, views, vectors = awkward_parts()
    manifest = manifest_of(passages, views, FakeEncoder())
    guide_text = 'title = "B\u2028🪴"\n[limits]\nmax_message_chars = 321\n'
    name = write_generation(
        tmp_path,
        passages=passages,
        pages=pages,
        views=views,
        vectors=vectors,
        guide_text=guide_text,
        sign_texts={"language.toml": SIGNS},
        manifest=manifest,
    )
    publish(tmp_path, name)
    loaded = load_live(tmp_path)
    assert loaded.name == name
    assert loaded.passages == tuple(passages)
    assert loaded.pages == {source: tuple(items) for source, items in pages.items()}
    assert loaded.views == tuple(views)
    np.testing.assert_array_equal(loaded.vectors.vectors(), vectors)
    assert dataclasses.replace(loaded.manifest, files={}) == manifest
    assert sorted([*loaded.manifest.files, "manifest.json"]) == sorted(FILES)
    assert (loaded.guide.title, loaded.guide.max_message_chars) == ("B\u2028🪴", 321)
    assert loaded.signs == index.parse_signs({"language.toml": SIGNS})


def test_passages_are_readable_one_a_line(tmp_path: Path) -> None:
    passages, pages, views, vectors = awkward_parts()
    name = write_generation(
        tmp_path,
        passages=passages,
        pages=pages,
        views=views,
        vectors=vectors,
        guide_text='title = "B"',
        sign_texts={},
        manifest=manifest_of(passages, views, FakeEncoder()),
    )
    lines = (tmp_path / "generations" / f".staged-{name}" / "passages.jsonl").read_bytes().split(b"\n")
    assert [json.loads(line)["text"] for line in lines if line] == [passage.text for passage in passages]
    assert "👩🏽‍🌾".encode() in lines[0]  # as it is written, not escaped


def test_a_generation_is_not_live_before_it_is_published(tmp_path: Path) -> None:
    passages, pages, views, vectors = awkward_parts()
    name = write_generation(
        tmp_path,
        passages=passages,
        pages=pages,
        views=views,
        vectors=vectors,
        guide_text='title = "B"',
        sign_texts={},
        manifest=manifest_of(passages, views, FakeEncoder()),
    )
    with pytest.raises(IndexMissingError):
        load_live(tmp_path)
    assert list_generations(tmp_path) == []
    assert load_staged(tmp_path, name).passages == tuple(passages)
    publish(tmp_path, name)
    assert list_generations(tmp_path) == [name] == [load_live(tmp_path).name]


def test_every_quote_of_the_small_guide_is_found_again_after_loading(folder: Path) -> None:
    live = load_live(folder)
    assert len(live.passages) > 5
    for passage in live.passages:
        for part in passage.segments:
            assert is_quote_found(part, live.pages[passage.source])


def test_a_quote_is_not_found_where_other_words_stand() -> None:
    pages = [Page(0, "1", "Water the plant. Let it drain.")]
    assert is_quote_found(Segment("Let it drain.", SegmentRole.SENTENCE, (Span(0, 17, 30),)), pages)
    for text, spans in [
        ("Let it drain.", (Span(0, 0, 16),)),
        ("Let it rain.", (Span(0, 17, 30),)),
        ("Let it drain.", ()),
        ("Let it drain.", (Span(1, 17, 30),)),
    ]:
        assert not is_quote_found(Segment(text, SegmentRole.SENTENCE, spans), pages)


def test_a_quote_over_a_page_break_is_given_page_by_page() -> None:
    pages = [Page(0, "1", "Let  it"), Page(1, "2", "drain\nwell.")]
    over = Segment("Let it drain well.", SegmentRole.SENTENCE, (Span(0, 0, 7), Span(1, 0, 11)))
    assert page_quotes(over, pages) == [(0, "Let it"), (1, "drain well.")]
    assert page_quotes(Segment("Let it", SegmentRole.SENTENCE, (Span(0, 0, 7),)), pages) == [(0, "Let it")]


# --- search ----------------------------------------------------------------------------------------


def unit_rows(rng: np.random.Generator, rows: int, dimension: int = 24) -> Matrix:
    raw = rng.normal(size=(rows, dimension))
    return np.asarray(raw / np.linalg.norm(raw, axis=1, keepdims=True), dtype=np.float32)


@pytest.mark.parametrize("queries", [1, 5, 40])  # faiss has another way from 20 on
@pytest.mark.parametrize("top_k", [1, 7, 300, 1000])
def test_search_is_brute_force(queries: int, top_k: int) -> None:
    rng = np.random.default_rng(queries * top_k)
    vectors, asked = unit_rows(rng, 300), unit_rows(rng, queries)
    scores, rows = VectorIndex.build(vectors).search(asked, top_k)
    full = asked @ vectors.T
    expected = np.argsort(-full, axis=1, kind="stable")[:, :top_k]
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(scores, np.take_along_axis(full, expected, axis=1), atol=1e-6)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_equal_scores_are_ordered_by_row() -> None:
    one, other = np.eye(4, dtype=np.float32)[:2]
    vectors = np.stack([other, one, other, one, one, other])
    searched = VectorIndex.build(vectors)
    for queries in (1, 30):
        scores, rows = searched.search(np.stack([one] * queries), 6)
        assert rows.tolist() == [[1, 3, 4, 0, 2, 5]] * queries
        assert scores.tolist() == [[1, 1, 1, 0, 0, 0]] * queries


def test_an_index_survives_its_own_bytes() -> None:
    vectors = unit_rows(np.random.default_rng(1), 50)
    again = VectorIndex.from_bytes(VectorIndex.build(vectors).to_bytes())
    assert (again.size, again.dimension) == (50, 24)
    np.testing.assert_array_equal(again.vectors(), vectors)


# --- damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [[name] for name in FILES] + [["pages.jsonl", "vectors.faiss"]])
def test_a_missing_file_is_named_and_none_that_is_present(folder: Path, missing: list[str]) -> None:
    for name in missing:
        (live_folder(folder) / name).unlink()
    with pytest.raises(IndexDamagedError) as caught:
        load_live(folder)
    message = str(caught.value)
    assert any(name in message for name in missing)
    assert not [name for name in FILES if name not in missing and name in message]
    assert f"python -m ingest PATH --rebuild --index {folder}" in message


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["one bit", "cut short", "empty", "longer"])
def test_a_damaged_file_is_named_and_no_other(folder: Path, name: str, damage: str) -> None:
    path = live_folder(folder) / name
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(
        {
            "one bit": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
            "cut short": data[:-1],
            "empty": b"",
            "longer": data + b"\n",
        }[damage]
    )
    with pytest.raises(IndexDamagedError) as caught:
        load_live(folder)
    message = str(caught.value)
    assert f"{path} is damaged" in message
    assert not [other for other in FILES if other != name and other in message]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", "null", f'{{"format_version": {FORMAT_VERSION}}}', "\ufffd", "3"]
)
def test_a_damaged_manifest_is_named(folder: Path, text: str) -> None:
    path = live_folder(folder) / "manifest.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(IndexDamagedError) as caught:
        load_live(folder)
    assert f"{path} is damaged" in str(caught.value)


@pytest.mark.parametrize(
    "old", ['"created": "20', '"max_tokens": 256', '"checksum": "', '"checksum"', "plants"]
)
def test_any_change_of_the_manifest_is_damage_and_the_next_ingest_mends_it(
    folder: Path, corpus: Path, old: str
) -> None:
    path = live_folder(folder) / "manifest.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(old, f"{old[:-1]}9", 1), encoding="utf-8")
    for read in (load_live, lambda folder: read_manifest(folder, live_name(folder))):
        with pytest.raises(
            IndexDamagedError, match=f"{path} is damaged; run: python -m ingest PATH --rebuild"
        ):
            read(folder)
    ingest_folder(corpus, folder)
    assert load_live(folder).passages


@pytest.mark.parametrize(
    ("key", "value"), [("passages", 3), ("views", 3), ("sources", []), ("files", {}), ("files", [])]
)
def test_a_manifest_that_says_other_than_the_files_is_damage(folder: Path, key: str, value: object) -> None:
    path = live_folder(folder) / "manifest.json"
    content = {**json.loads(path.read_text(encoding="utf-8")), key: value}
    del content["checksum"]
    path.write_bytes(index._dump_manifest(content))  # whose own checksum is right
    with pytest.raises(IndexDamagedError):
        load_live(folder)


@pytest.mark.parametrize("is_rebuild", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_the_place_of_a_file_is_damage_and_the_next_ingest_mends_it(
    folder: Path, corpus: Path, name: str, is_rebuild: bool
) -> None:
    before = load_live(folder).passages
    path = live_folder(folder) / name
    path.unlink()
    path.mkdir()
    with pytest.raises(IndexDamagedError, match=f"{name} cannot be read .*python -m ingest PATH --rebuild"):
        load_live(folder)
    ingest([corpus], folder, is_rebuild=is_rebuild, make_encoder=lambda _: FakeEncoder())
    assert load_live(folder).passages == before


@pytest.mark.parametrize("name", [*FILES, "CURRENT"])
def test_a_file_on_a_bad_sector_is_damage_and_one_without_permission_is_not(
    folder: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    refused = live_folder(folder) / name if name in FILES else folder / name
    inode, code = refused.stat().st_ino, errno.EIO
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == name and path.stat().st_ino == inode:
            raise OSError(code, os.strerror(code), str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(IndexDamagedError, match=f"{name} cannot be read .*python -m ingest PATH --rebuild"):
        load_live(folder)
    code = errno.EACCES
    with pytest.raises(PermissionError):
        load_live(folder)
    code = errno.EIO
    ingest_folder(corpus, folder)
    assert load_live(folder).passages


@pytest.mark.parametrize("pointer", [b"", b"\xff\xfe", b"../../etc", b"000009-0123abcd", b"a\nb", b"."])
def test_a_damaged_pointer_is_an_error_of_one_sentence_and_the_next_ingest_mends_it(
    folder: Path, corpus: Path, pointer: bytes
) -> None:
    (folder / "CURRENT").write_bytes(pointer)
    with pytest.raises(IndexDamagedError, match="python -m ingest PATH --rebuild --index"):
        load_live(folder)
    ingest_folder(corpus, folder)
    assert load_live(folder).passages


def test_a_folder_without_an_index_names_the_command(tmp_path: Path) -> None:
    for place in (tmp_path / "nothing", tmp_path):
        with pytest.raises(IndexMissingError) as caught:
            load_live(place)
        assert str(caught.value).startswith(
            f"There is no index in {place}; run: python -m ingest PATH --index {place}"
        )


def test_an_index_folder_can_be_moved(folder: Path, tmp_path: Path) -> None:
    before = load_live(folder)
    shutil.move(folder, tmp_path / "elsewhere")
    after = load_live(tmp_path / "elsewhere")
    assert (after.passages, after.guide, after.manifest) == (before.passages, before.guide, before.manifest)


# --- mismatch --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 0, "1", None])
def test_another_format_names_both_versions_and_the_command(folder: Path, version: object) -> None:
    path = live_folder(folder) / "manifest.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({"format_version": version, "anything": data["sources"]}))
    with pytest.raises(IndexMismatchError) as caught:
        load_live(folder)
    message = str(caught.value)
    assert f"has format {version}, this version reads {FORMAT_VERSION}" in message
    assert f"run: python -m ingest PATH --index {folder}" in message


@pytest.mark.parametrize(("field", "value"), [("name", "another"), ("revision", "0123456789abcdef")])
def test_another_encoder_is_a_mismatch_that_names_both(
    folder: Path, encoder: FakeEncoder, field: str, value: str
) -> None:
    manifest = read_manifest(folder, live_name(folder))
    check_encoder(manifest, encoder)
    setattr(encoder, field, value)
    with pytest.raises(IndexMismatchError) as caught:
        check_encoder(manifest, encoder)
    message = str(caught.value)
    assert "encoder fake (1, " in message
    assert value[:8] in message
    assert "run: python -m ingest" in message


def test_other_views_are_a_mismatch(folder: Path, encoder: FakeEncoder) -> None:
    manifest = dataclasses.replace(read_manifest(folder, live_name(folder)), views_version=VIEWS_VERSION + 1)
    with pytest.raises(IndexMismatchError, match=f"views {VIEWS_VERSION + 1}.*views {VIEWS_VERSION}"):
        check_encoder(manifest, encoder)


def test_another_passage_size_is_a_mismatch(folder: Path, encoder: FakeEncoder) -> None:
    manifest = read_manifest(folder, live_name(folder))
    encoder.max_tokens = 512
    check_encoder(manifest, encoder)  # it reads more than a passage ever has
    encoder.max_tokens = 40
    with pytest.raises(IndexMismatchError, match=r"passages of 256 .*passages of 40 .*python -m ingest PATH"):
        check_encoder(manifest, encoder)


# --- generations, killed processes -----------------------------------------------------------------


def change(corpus: Path, words: str) -> None:
    (corpus / "plants.md").write_text(GUIDE + f"\n## News\n\n{words}\n", encoding="utf-8")


def test_no_more_generations_are_kept_than_stated_and_the_live_one_is_the_newest(
    folder: Path, corpus: Path
) -> None:
    names = [live_name(folder)]
    for number in range(4):
        change(corpus, f"The news is number {number}.")
        names.append(ingest_folder(corpus, folder))
    assert names == sorted(set(names))
    assert generations(folder) == names[-KEPT_GENERATIONS:]
    assert live_name(folder) == names[-1]


def test_left_overs_of_killed_ingests_are_removed_by_the_next(folder: Path, corpus: Path) -> None:
    root = folder / "generations"
    (root / ".staged-000007-0123abcd").mkdir()
    shutil.copytree(live_folder(folder), root / "000008-0123abcd")  # complete, but never made live
    (folder / ".CURRENT-999999").write_text("0000")
    change(corpus, "Some news.")
    name = ingest_folder(corpus, folder)
    assert name > "000008"
    assert len(generations(folder)) == KEPT_GENERATIONS
    assert not [path for path in generations(folder) if path.startswith(".")]
    assert sorted(path.name for path in folder.iterdir()) == ["CURRENT", "generations", "lock"]
    assert load_live(folder).name == name


class Killed(BaseException):
    """What stands for a process that is killed: nothing catches it."""


@pytest.fixture(params=["_write", "rename", "replace"])
def crash(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Crash:
    """Set the n-th write, rename or replace of an ingest to fail before it is done."""
    left = [10**9]
    owner = index if request.param == "_write" else Path
    real = getattr(owner, request.param)

    def fail(*args: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return real(*args)

    def arm(count: int) -> None:
        left[0] = count

    monkeypatch.setattr(owner, request.param, fail)
    return arm


def test_an_ingest_that_ends_at_any_step_leaves_the_old_generation_whole(
    folder: Path, corpus: Path, crash: Crash
) -> None:
    """Ensures that the pointer is the last thing that is written, whatever was written before it."""
    old = load_live(folder)
    change(corpus, "Some news.")
    steps = 0
    while True:
        crash(steps)
        try:
            ingest_folder(corpus, folder)
        except Killed:
            steps += 1
            assert load_live(folder).passages == old.passages
        else:
            break
    assert steps >= 1
    assert len(load_live(folder).passages) == len(old.passages) + 1
    assert len(generations(folder)) <= KEPT_GENERATIONS


KILLING = """
import os, random, signal, sys, time
from pathlib import Path
from ingest.build import ingest
from ingest.index import KEPT_GENERATIONS, live_name, load_live
from tests.conftest import FakeEncoder

work, kills = Path(sys.argv[1]), int(sys.argv[2])
index, corpora = work / "index", [work / "old", work / "new"]

def update(corpus):
    return ingest([corpus], index, make_encoder=lambda name: FakeEncoder())

update(corpora[0])
states = {load_live(index).passages: "old"}
update(corpora[1])
states[load_live(index).passages] = "new"
started = time.perf_counter()
update(corpora[0])
duration = time.perf_counter() - started
seen, moved = [], 0
for at in range(kills):
    before = live_name(index)
    child = os.fork()
    if child == 0:
        while True:
            for corpus in corpora:
                update(corpus)
    time.sleep(random.Random(at).uniform(0.2, 3) * duration)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    moved += live_name(index) != before
    if not moved:
        duration *= 1.3  # the machine has become slower since it was measured
    seen.append(states[load_live(index).passages])
update(corpora[0]); update(corpora[1])
left = [path.name for path in (index / "generations").iterdir()]
assert states[load_live(index).passages] == "new"
assert len(left) == KEPT_GENERATIONS and not [name for name in left if name.startswith(".")], left
print(len(seen), moved)
"""


# The process that is killed is a child made by fork, so that it ingests at once. Elsewhere it runs: .ci/run
# fails on a skip.
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork, which Windows lacks")
def test_a_process_killed_at_random_moments_leaves_the_old_or_the_new_index_whole(tmp_path: Path) -> None:
    for name, more in (("old", ""), ("new", "\n## News\n\nThe news is out.\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plants.md").write_text(GUIDE + more, encoding="utf-8")
        (tmp_path / name / "guide.toml").write_text('title = "Plants"')
    done = subprocess.run(
        [sys.executable, "-c", KILLING, str(tmp_path), "15"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kills, moved = map(int, done.stdout.split())
    assert kills == 15
    assert moved >= 1  # some children got far enough to publish


def test_a_reader_never_fails_while_ingests_publish(folder: Path, corpus: Path) -> None:
    """Ensures that a running page picks up new generations without failing a message."""
    stop = threading.Event()
    seen: list[Generation] = []
    failures: list[GuideError] = []

    def read() -> None:
        while not stop.is_set():
            try:
                seen.append(load_live(folder))
            except GuideError as exc:
                failures.append(exc)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        for number in range(8):
            change(corpus, f"The news is number {number}.")
            ingest_folder(corpus, folder)
    finally:
        stop.set()
        reader.join(60)
    assert failures == []
    assert len({generation.name for generation in seen}) > 1


def test_a_generation_that_is_replaced_while_it_is_read_gives_way_to_the_new_one(
    folder: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ensures that this holds also when it happens twice in a row."""
    real = index.load_generation
    replaced: list[str] = []

    def slow(index_dir: Path, name: str) -> Generation:
        if len(replaced) < 2:
            replaced.append(name)
            monkeypatch.setattr(index, "load_generation", real)
            for words in ("One.", "Two.", "Three."):  # so many that the one being read is removed
                change(corpus, f"{words} Number {len(replaced)}.")
                ingest_folder(corpus, folder)
            monkeypatch.setattr(index, "load_generation", slow)
        return real(index_dir, name)

    monkeypatch.setattr(index, "load_generation", slow)
    loaded = load_live(folder)
    assert len(replaced) == 2
    assert loaded.name == live_name(folder)


# --- two at once -----------------------------------------------------------------------------------


class SlowEncoder(FakeEncoder):
    """An encoder that waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()

    def encode_passages(self, texts: list[str]) -> Matrix:
        self.has_begun.set()
        assert self.may_go_on.wait(60)
        return super().encode_passages(texts)


def test_a_second_ingest_waits_for_the_first(corpus: Path, tmp_path: Path) -> None:
    folder, slow, encoder = tmp_path / "index", SlowEncoder(), FakeEncoder()
    first = threading.Thread(target=ingest_folder, args=(corpus, folder, slow), daemon=True)
    first.start()
    assert slow.has_begun.wait(60)
    second = threading.Thread(target=ingest_folder, args=(corpus, folder, encoder), daemon=True)
    second.start()
    time.sleep(0.1)
    assert second.is_alive()
    assert not (folder / "CURRENT").exists()
    slow.may_go_on.set()
    first.join(60)
    second.join(60)
    assert encoder.encoded == []  # the second found everything done
    assert generations(folder) == [live_name(folder)]


def test_a_lock_that_is_not_released_is_an_error_that_says_so(
    folder: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "LOCK_WAIT_S", 0.05)
    before = load_live(folder)
    code = (
        "import sys; from pathlib import Path; from ingest.lock import hold_lock\n"
        f"with hold_lock(Path({str(folder)!r})): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        change(corpus, "Some news.")
        with pytest.raises(IndexLockedError) as caught:
            ingest_folder(corpus, folder)
        assert str(caught.value) == (
            f"Another ingest is writing to {folder} (process {holder.pid} on {socket.gethostname()}); "
            "wait until it has ended and run this again."
        )
        assert load_live(folder).passages == before.passages  # reading needs no lock
        holder.kill()
    ingest_folder(corpus, folder)  # a killed holder holds nothing
    assert len(load_live(folder).passages) == len(before.passages) + 1


def test_the_lock_is_released_at_the_end_of_the_block_also_after_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ensures that this does not wait for the garbage collector: the objects are kept here."""
    monkeypatch.setattr(lock, "LOCK_WAIT_S", 0.05)
    kept = [hold_lock(tmp_path) for _ in range(3)]
    with kept[0]:
        pass
    with pytest.raises(ZeroDivisionError), kept[1]:
        raise ZeroDivisionError
    with kept[2], pytest.raises(IndexLockedError), hold_lock(tmp_path):
        pass


def test_the_checksums_in_the_manifest_are_those_of_the_files(folder: Path) -> None:
    files = load_live(folder).manifest.files
    assert {
        name: hashlib.sha256((live_folder(folder) / name).read_bytes()).hexdigest() for name in files
    } == files


def test_view_kinds_survive(folder: Path) -> None:
    assert {view.kind for view in load_live(folder).views} == set(ViewKind)


def test_a_file_given_as_the_index_is_named(tmp_path: Path) -> None:
    """Ensures that nobody is sent to an ingest that refuses the same path."""
    (tmp_path / "a.md").write_text("text")
    with pytest.raises(IndexMissingError, match="the index is a folder; give --index"):
        live_name(tmp_path / "a.md")
