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
SIGN_SHA256 = "172722b4f9401cbd66048f92835d7e16c641b7a0b64f50c521182aacbd88fe2b"
TRAINED_OVER = (
    "089ca0cc5f01188fc9e5171e71a151d39deeaad2b1fc0c69717f5742b8f26dc6"  # sha256 of the layers below
)
# Of the product's own guide, and of a guide without signs of its own; made by training.sign_examples.
KEPT_EXAMPLES = {
    "sign-examples.safetensors": "c7777160c5b34038568e7fbc9ebafdfb1c87f93f20710d967cb3d7eb9db26923",
    "sign-examples-universal.safetensors": "ba79d83bb1d6986842fb7a49ebc5cb1dce39c5dd7bfb9d1782fe8f24caa744fd",
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
