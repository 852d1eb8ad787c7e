"""The encoder of the warning-sign gate: vectors learned from example wordings (docs/model-card.md).

It does not depend on the encoder that the guide names, and needs no torch. What the gate makes of the
wordings that come with the product is kept in a file; where one is added or taken away, it is computed.
"""

import hashlib
from pathlib import Path

from bot.sign_examples import Examples, read_examples
from ingest.encode import BUNDLED_MODEL, OnnxEncoder, load_layers

__all__ = ["KEPT_EXAMPLES", "SIGN_LAYERS", "WEIGHTS", "kept_examples", "load_sign_encoder"]

WEIGHTS = Path(__file__).parent / "weights"
SIGN_LAYERS = WEIGHTS / "signs.safetensors"
SIGN_SHA256 = "3499e53645bcef606225c10c2b91dc4e717d2b678128ee1af730583b2523011b"
TRAINED_OVER = (
    "036606464fe4619e8e0ab0c94d48fb7937550b5821418c337f6ca0b0deed2f01"  # sha256 of the layers below
)
# Of the product's own guide, and of a guide without signs of its own; made by training.sign_examples.
KEPT_EXAMPLES = {
    "sign-examples.safetensors": "",
    "sign-examples-universal.safetensors": "",
}


def kept_examples(state: str) -> Examples | None:
    """Give the examples that come with the product where they are of that state, else None."""
    for name, checksum in KEPT_EXAMPLES.items():
        path = WEIGHTS / name
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == checksum:
            examples = read_examples(path, state)
            if examples is not None:
                return examples
    return None


def load_sign_encoder() -> OnnxEncoder:
    """Locate the encoder and check its weights; they are read at the first vector.

    :raises EncoderError: If they are missing or damaged.
    """
    return load_layers(f"{BUNDLED_MODEL}+signs", SIGN_LAYERS, SIGN_SHA256)
