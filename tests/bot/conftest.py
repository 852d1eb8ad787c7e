"""A bot over the small guide with the fake encoder."""

from pathlib import Path

import pytest

from bot.chat import Bot, load_bot
from ingest.build import ingest
from tests.conftest import FakeEncoder


@pytest.fixture
def index(corpus: Path, tmp_path: Path, encoder: FakeEncoder) -> Path:
    folder = tmp_path / "index"
    ingest([corpus], folder, make_encoder=lambda _: encoder)
    return folder


@pytest.fixture
def bot(index: Path, encoder: FakeEncoder) -> Bot:
    return load_bot(index, encoder)
