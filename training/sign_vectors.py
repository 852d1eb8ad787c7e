"""Keep the vectors of the gate's example wordings, so that no first start waits for them.

Run as ``python -m training.sign_vectors`` after training and after larger changes of the examples; then set
``KEPT_SHA256`` in ``bot/sign_encoder.py`` to the checksum that it prints. What is not kept is computed.
"""

import hashlib
import logging
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from bot.safety import universal_signs
from bot.sign_encoder import KEPT_VECTORS, key_of, load_sign_encoder
from bot.sign_likeness import examples_of
from bot.sign_words import trained_reader
from ingest.signs import read_signs

LOGGER = logging.getLogger(__name__)


def main() -> None:
    """Write the file and print its checksum."""
    signs = universal_signs().merge(read_signs(Path("corpus/warning-signs")))
    texts = [example.text for example in examples_of(signs, *trained_reader(signs))]
    vectors = load_sign_encoder().encode_queries(texts)
    scales = np.abs(vectors).max(axis=1) / 127  # eight bits a number: their cosines differ by less than 0.001
    bytes_ = np.round(vectors / scales[:, None]).astype(np.int8)
    save_file({"keys": key_of(texts).copy(), "vectors": bytes_, "scales": scales}, str(KEPT_VECTORS))
    LOGGER.info(f"{len(texts)} vectors, sha256 {hashlib.sha256(KEPT_VECTORS.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
