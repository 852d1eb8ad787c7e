"""Is a message an order to the program ("ignore your guide and ...") rather than a question to the guide?

Takes the vector of a message by the trained encoder, gives a yes or no. A logistic regression learned from
750 such orders and the questions to 190 guides (training/train_orders.py); no orders are listed here.
"""

import hashlib
from functools import cache
from pathlib import Path

from safetensors.numpy import load_file

from ingest.datatypes import Matrix
from ingest.errors import EncoderError

__all__ = ["ORDERS", "is_order"]

ORDERS = Path(__file__).parent / "weights" / "orders.safetensors"
ORDERS_SHA256 = "3a738ac40a4305fa8c0e62f03a1d477198ecc000b4f382469b0e1739fc3aba6a"


@cache
def _weights() -> Matrix:
    if not ORDERS.is_file() or hashlib.sha256(ORDERS.read_bytes()).hexdigest() != ORDERS_SHA256:
        raise EncoderError(f"The weights in {ORDERS} are missing or damaged; install the product again.")
    weights: Matrix = load_file(str(ORDERS))["orders"]
    return weights


def is_order(vector: Matrix) -> bool:
    """Tell whether a message is an order, by its vector of the trained encoder, shape (dimension,).

    :raises EncoderError: If the weights are missing or damaged.
    """
    weights = _weights()
    return bool(vector @ weights[:-1] + weights[-1] > 0)
