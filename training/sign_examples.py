"""Keep what the gate makes of its example wordings, so that no first start waits for it.

Run as ``python -m training.sign_examples`` after training and after larger changes of the examples; then set
``KEPT_SHA256`` in ``bot/sign_encoder.py`` to the checksum that it prints. What is not kept is computed.
"""

import hashlib
import logging
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from bot.safety import universal_signs
from bot.sign_encoder import KEPT_EXAMPLES, key_of, load_sign_encoder
from bot.sign_likeness import encode_examples, examples_of, landmarks_of, state_of
from bot.sign_words import trained_reader
from ingest.signs import read_signs

LOGGER = logging.getLogger(__name__)


def main() -> None:
    """Write the file and print its checksum."""
    KEPT_EXAMPLES.unlink(missing_ok=True)  # nothing of an earlier state
    signs = universal_signs().merge(read_signs(Path("corpus/warning-signs")))
    examples = examples_of(signs, *trained_reader(signs))
    encoder = load_sign_encoder()
    rows = encode_examples(signs, encoder)
    vectors, weights = rows[:, : encoder.dimension], rows[:, encoder.dimension :]
    scales = np.abs(vectors).max(axis=1) / 127  # eight bits a number: their cosines differ by less than 0.001
    stored = {
        "keys": key_of([examples[at].text for at in landmarks_of(examples)]).copy(),
        "vectors": np.round(vectors / scales[:, None]).astype(np.int8),
        "scales": scales,
        "weights": weights.astype(np.float16),
        "state": np.frombuffer(bytes.fromhex(state_of(examples, encoder)), dtype=np.uint8).copy(),
    }
    save_file(stored, str(KEPT_EXAMPLES))
    checksum = hashlib.sha256(KEPT_EXAMPLES.read_bytes()).hexdigest()
    LOGGER.info(f"{len(rows)} landmarks of {len(examples)} examples, sha256 {checksum}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
