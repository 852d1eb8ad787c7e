"""What the tests share: a fake encoder whose vectors are a function of the text, and no network."""

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.lexical import STOPWORDS, terms
from ingest.datatypes import Matrix

ROOT = Path(__file__).parents[1]
ORIGINAL = Path(os.environ.get("GUIDE_ORIGINAL", ROOT.parent / "shared" / "guide" / "original.txt"))
LOCAL_HOSTS = {"127.0.0.1", "::1", "localhost"}

GUIDE = """\
# Caring for a House Plant

Plants clean the air of a room. They need light, water and patience.

## Watering

Water the plant when the top of the soil is dry. Too much water rots the roots, and the leaves turn
yellow. In winter it needs half as much.

These watering methods are good:

- **Soaking:** Put the pot into a bowl of water. Wait for 20-30 minutes. Let it drain well. This suits
  dry soil.
- **Misting:** Fill a bottle with soft water. Spray the leaves from below. Never mist in full sun.

## Pests

Check the leaves once a week. Call a plant doctor in these situations:

- The leaves have sticky spots.
- White wool grows on the stems.
- The plant loses all its leaves.

## Frequently Asked Questions

### How often should I feed a plant?

Feed it every two weeks from March to September. Do not feed it in winter.

### Can I use coffee grounds?

Yes, a spoonful a month. More makes the soil sour.
"""


class FakeEncoder:
    """Vectors that are a function of the text: each stem of a content word points in its own direction.

    Texts that share words are near, others are not, so a test can name the winner.
    """

    name = "fake"
    revision = "1"
    dimension = 2048  # few stems share a direction
    max_tokens = 256

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split()) + 2

    def knows_word(self, word: str) -> bool:
        return word in STOPWORDS

    def encode_passages(self, texts: list[str]) -> Matrix:
        self.encoded += texts
        return self._encode(texts)

    def encode_queries(self, texts: list[str]) -> Matrix:
        return self._encode(texts)

    def _encode(self, texts: list[str]) -> Matrix:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for term in terms(text):
                vectors[row, int(hashlib.md5(term.encode()).hexdigest(), 16) % self.dimension] += 1  # noqa: S324
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder with a small guide and its guide.toml."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "plants.md").write_text(GUIDE, encoding="utf-8")
    (folder / "guide.toml").write_text('title = "Caring for a House Plant"\n', encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection to another machine fails the test that makes it."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in LOCAL_HOSTS:
            raise AssertionError(f"A connection to {address} was attempted.")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


def run_python(code: str, **environment: str) -> str:
    """Run code in a process of its own; gives what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
