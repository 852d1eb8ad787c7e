"""Learn to tell orders to the program from questions: logistic regression on the vector of a message.

Learns from the questions to the guides: those that try to make a program leave its guide ("override"), and
all others; from orders.txt, further orders; and from identity.txt, what people ask about the page, the guide
itself and professionals, or ask in words of orders. Prints, over five
parts of the guides left out in turn, how many orders are told where few questions are taken for one.
Run as ``python -m training.train_orders``; then set ``ORDERS_SHA256`` in ``bot/orders.py`` to the checksum
that it prints. Anew whenever the encoder's layers are trained.
"""

import argparse
import hashlib
import json
import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression

from bot.orders import ORDERS
from bot.plain import to_plain
from ingest.encode import load_query_encoder

LOGGER = logging.getLogger(__name__)
FOLDS = 5
STRENGTH = 30.0  # of the fit against the regularisation
ORDER_WEIGHT = 8.0  # orders are few
IDENTITY_WEIGHT = 4  # and so are questions about the guide itself, which are nearest to them
MAX_QUESTIONS = 12_000
FALSE_SHARE = 0.003  # questions that may be taken for an order; the judge has to doubt them too


def _read(folder: Path) -> tuple[list[str], npt.NDArray[np.bool_], npt.NDArray[np.int64], int]:
    """Give messages, whether each is an order, its guide, and how many of the last are identity."""
    found: list[tuple[str, bool, int]] = []
    for number, path in enumerate(sorted(folder.glob("*.json"))):
        guide = json.loads(path.read_text(encoding="utf-8"))
        passages = [passage for section in guide["sections"] for passage in section["passages"]]
        found += [(q["q"], False, number) for passage in passages for q in passage["questions"]]
        found += [(u["q"], u["why"] == "override", number) for u in guide["unanswerable"]]
    found += [(text, True, at) for at, text in _lines(folder.parent / "orders.txt")]
    identity = [(text, False, at) for at, text in _lines(folder.parent / "identity.txt")] * IDENTITY_WEIGHT
    found += identity
    texts, orders, numbers = zip(*found, strict=True)
    return list(texts), np.array(orders), np.array(numbers), len(identity)


def _lines(path: Path) -> list[tuple[int, str]]:
    return list(enumerate(filter(None, path.read_text(encoding="utf-8").split("\n"))))


def _fit(vectors: npt.NDArray[np.floating], orders: npt.NDArray[np.bool_]) -> LogisticRegression:
    model = LogisticRegression(C=STRENGTH, class_weight={True: ORDER_WEIGHT, False: 1.0}, max_iter=2000)
    return model.fit(vectors, orders)


def main(folder: Path) -> None:
    """Write the weights and print the figures."""
    texts, orders, guides, identity_count = _read(folder)
    questions = np.flatnonzero(~orders)
    chosen = np.random.default_rng(1).choice(questions, MAX_QUESTIONS, replace=False)
    identity = np.arange(len(texts) - identity_count, len(texts))
    rows = np.unique(np.concatenate([np.flatnonzero(orders), chosen, identity]))
    texts, orders, guides = [texts[row] for row in rows], orders[rows], guides[rows]
    encoder = load_query_encoder()
    vectors = (encoder.encode_queries(texts) + encoder.encode_queries([to_plain(t) for t in texts])) / 2
    scores = np.zeros(len(texts))
    for fold in range(FOLDS):
        out = guides % FOLDS == fold
        scores[out] = _fit(vectors[~out], orders[~out]).decision_function(vectors[out])
    for share in (0.001, 0.002, 0.005, 0.01):
        told = (scores[orders] > np.quantile(scores[~orders], 1 - share)).mean()
        LOGGER.info(f"{100 * told:.1f} % of {orders.sum()} orders where {100 * share:.1f} % of questions")
    model = _fit(vectors, orders)
    base = model.intercept_[0] - np.quantile(scores[~orders], 1 - FALSE_SHARE)  # above 0 it is an order
    weights = np.append(model.coef_[0], base).astype(np.float32)
    save_file({"orders": weights}, str(ORDERS))
    LOGGER.info(f"{ORDERS}: sha256 {hashlib.sha256(ORDERS.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--guides", type=Path, default=Path("training/guides"))
    main(parser.parse_args().guides)
