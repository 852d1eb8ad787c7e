"""Faults: a process that ends at any call to the file system, a full disk, a lock that is held."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ingest.index import live_name, load_live
from ingest.lock import hold_lock
from tests.conftest import GUIDE, ROOT
from tests.ingest.test_index import ingest_folder

# Runs an ingest in a child for each call to the file system that it makes, and ends the child there as
# kill -9 would: nothing is flushed, nothing is cleaned up. A write counts twice: it also ends half done.
ENDING = """
import json, os, shutil, sys
from pathlib import Path
from ingest import index
from ingest.build import ingest
from ingest.errors import GuideError
from ingest.index import KEPT_GENERATIONS, live_name, load_live
from tests.conftest import FakeEncoder

work, template = Path(sys.argv[1]), Path(sys.argv[1]) / "template"
corpora = {"old": work / "old", "new": work / "new"}
EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.scandir", "os.listdir"}


def update(folder, corpus):
    return ingest([corpus], folder, make_encoder=lambda name: FakeEncoder())


def end_at(count, folder):
    left = [count]

    def step(what, *args):
        path = str(args[0][0]) if what in EVENTS else ""
        if path and (str(folder) in path or os.sep not in path):  # or within an open folder
            tick()

    def tick():
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)

    real_sync = os.fsync

    def sync(handle):
        tick()
        real_sync(handle)

    real_write = index._write

    def write(path, data):
        path.write_bytes(data[: len(data) // 2])
        tick()
        return real_write(path, data)

    os.fsync, index._write = sync, write
    sys.addaudithook(step)


for number in range(KEPT_GENERATIONS):  # so many that the ingest also has one to remove
    for name in ("new", "old"):
        update(template, corpora[name])
states = {load_live(template).passages: "old"}
probe = work / "probe"
shutil.copytree(template, probe)
update(probe, corpora["new"])
states[load_live(probe).passages] = "new"
folder, seen = work / "index", []
while True:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    child = os.fork()
    if child == 0:
        end_at(len(seen), folder)
        update(folder, corpora["new"])
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == 0:
        break
    assert os.waitstatus_to_exitcode(status) == 9, status
    state = states[load_live(folder).passages]  # whole, and one of the two
    seen.append(state)
    report = update(folder, corpora["new"])
    assert report.is_changed == (state == "old"), (len(seen), state)
    assert states[load_live(folder).passages] == "new"
    update(folder, corpora["old"])
    left = sorted(path.name for path in (folder / "generations").iterdir())
    assert len(left) == KEPT_GENERATIONS and left[0][0] != ".", left
    extra = {path.name for path in folder.iterdir()} - {"CURRENT", "generations", "lock"}
    assert not extra, extra
print(json.dumps(seen))
"""


# Each call to the file system is tried in a child made by fork; nothing else ends a process just there
# without importing everything anew fifty times. Where fork exists it runs: .ci/run fails on a skip.
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork, which Windows lacks")
def test_a_process_that_ends_at_any_call_to_the_file_system_leaves_the_old_or_the_new_index(
    tmp_path: Path,
) -> None:
    for name, more in (("old", ""), ("new", "\n## News\n\nThe news is out.\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plants.md").write_text(GUIDE + more, encoding="utf-8")
        (tmp_path / name / "guide.toml").write_text('title = "Plants"')
    done = subprocess.run(
        [sys.executable, "-c", ENDING, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert len(seen) >= 50
    assert seen == sorted(seen, reverse=True)  # old up to one moment, new after it
    assert set(seen) == {"old", "new"}


FULL = """
import resource, signal, sys
from ingest import __main__ as command
from tests.conftest import FakeEncoder

command.load_encoder = lambda name: FakeEncoder()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write past the limit fails as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
sys.exit(command.main([sys.argv[1], "--index", sys.argv[2]]))
"""


# A disk is made full by a limit of the process, which Windows does not have. Elsewhere it runs: .ci/run fails
# on a skip.
@pytest.mark.skipif(os.name == "nt", reason="needs RLIMIT_FSIZE, which Windows lacks")
@pytest.mark.parametrize("room", [0, 100, 2000, 20_000])
def test_a_full_disk_is_one_sentence_and_the_index_is_as_it_was(
    corpus: Path, tmp_path: Path, room: int
) -> None:
    folder = tmp_path / "index"
    ingest_folder(corpus, folder)
    before = load_live(folder)
    (corpus / "plants.md").write_text(GUIDE + "\n## News\n\nThe news is out.\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(corpus), str(folder), str(room)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert re.match(rf"{re.escape(str(folder))}\S+ cannot be written: ", done.stderr)
    assert "Make room and run this again; the index is as it was." in done.stderr
    assert load_live(folder).passages == before.passages
    assert [path.name for path in (folder / "generations").iterdir()] == [before.name]
    ingest_folder(corpus, folder)
    assert len(load_live(folder).passages) == len(before.passages) + 1


# As above: the limit that makes a disk full is one that Windows does not have.
@pytest.mark.skipif(os.name == "nt", reason="needs RLIMIT_FSIZE, which Windows lacks")
def test_an_index_that_is_up_to_date_needs_no_room(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    ingest_folder(corpus, folder)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(corpus), str(folder), "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "was up to date" in done.stdout


def test_a_waiting_ingest_says_for_whom_it_waits_and_goes_on(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    code = textwrap.dedent(
        f"""
        import sys
        from ingest import __main__ as command
        from tests.conftest import FakeEncoder
        command.load_encoder = lambda name: FakeEncoder()
        sys.exit(command.main([{str(corpus)!r}, "--index", {str(folder)!r}]))
        """
    )
    with hold_lock(folder):
        waiting = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert waiting.stderr is not None
        told = waiting.stderr.readline()
    out, err = waiting.communicate(timeout=60)
    assert told.startswith(f"Another ingest is writing to {folder} (process {os.getpid()} on ")
    assert told.endswith("waiting for it.\n")
    assert (waiting.returncode, err) == (0, "")
    assert f"Index {live_name(folder)} live" in out
