"""Make the gate's examples that come with the product, so that no first start waits for them.

Run as ``python -m training.sign_examples`` after training and after each change of the examples or of the
code that reads them; then set ``KEPT_EXAMPLES`` in ``bot/sign_encoder.py`` to the checksums that it prints.
Until then a start makes them itself.
"""

import hashlib
import logging
from pathlib import Path

from bot.safety import universal_signs
from bot.sign_encoder import KEPT_EXAMPLES, WEIGHTS, load_sign_encoder
from bot.sign_examples import make_examples, state_of, write_examples
from ingest.signs import read_signs

LOGGER = logging.getLogger(__name__)


def main() -> None:
    """Write the files and print their checksums."""
    universal, encoder = universal_signs(), load_sign_encoder()
    own = universal.merge(read_signs(Path("corpus/warning-signs")))
    for name, signs in zip(KEPT_EXAMPLES, (own, universal), strict=True):
        examples = make_examples(signs, encoder)
        write_examples(WEIGHTS / name, examples, state_of(signs, encoder))
        checksum = hashlib.sha256((WEIGHTS / name).read_bytes()).hexdigest()
        LOGGER.info(f"{name}: {len(examples.texts)} examples, sha256 {checksum}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
