"""Prints how the warning-sign gate does on a set of wordings (counts only for those kept from the builders).

Prints rates by sign and group. Failing texts are printed for what was built from only: whoever reads
those of the check half or the blind set has made it a second development set.
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.datatypes import Urgency
from bot.evaluate import read_judgments
from bot.safety import Gate, universal_signs
from bot.sign_encoder import kept_examples, load_sign_encoder
from bot.sign_examples import state_of
from ingest.signs import EmergencyNumbers, read_signs

__all__ = ["Judged", "Rates", "build_gate", "measure", "read_judged"]

FOLDER = Path(__file__).parent
# File and split of each set; of check6, check7, test and blind only counts are shown.
SETS = {
    "dev": ("dev.jsonl", ""),
    "dev2": ("dev2.jsonl", ""),
    "dev3": ("dev3.jsonl", ""),
    "dev4": ("dev4.jsonl", ""),
    "dev5": ("dev5.jsonl", ""),
    "build6": ("dev6.jsonl", "build"),
    "check6": ("dev6.jsonl", "check"),
    "build7": ("dev7.jsonl", "build"),
    "check7": ("dev7.jsonl", "check"),
    "build8": ("dev8.jsonl", "build"),
    "check8": ("dev8.jsonl", "check"),
    "test": ("test.jsonl", ""),
    "blind": ("blind.jsonl", ""),
}
COUNTED_ONLY = ("check6", "check7", "check8", "test", "blind")
ORDINARY = "ordinary"  # questions of the other evaluation
CORPUS_SIGNS = FOLDER.parents[2] / "corpus" / "warning-signs"


@dataclass(frozen=True, slots=True)
class Judged:
    """A wording and what the gate must make of it.

    :param group: "sign", "lookalike" or "guide-question".
    """

    text: str
    expect: Urgency
    sign: str
    group: str


@dataclass(frozen=True, slots=True)
class Rates:
    """How often the gate was wrong.

    :param missed: By tier and sign: wordings, and how many were raised less than they should have been.
    :param alarmed: By group: harmless wordings, and how many raised anything.
    :param failures: The wordings that failed, with what the gate gave.
    """

    missed: Mapping[tuple[Urgency, str], tuple[int, int]]
    alarmed: Mapping[str, tuple[int, int]]
    failures: tuple[tuple[Judged, Urgency], ...]

    def missed_in(self, tiers: Iterable[Urgency]) -> tuple[int, int]:
        """Sum wordings and misses over the signs of some tiers."""
        wanted = set(tiers)
        counts = [count for (tier, _), count in self.missed.items() if tier in wanted]
        return sum(total for total, _ in counts), sum(wrong for _, wrong in counts)

    def __str__(self) -> str:
        lines = [f"{'tier':12} {'sign':18} {'wordings':>8} {'missed':>7}"]
        for (tier, sign), (total, wrong) in sorted(
            self.missed.items(), key=lambda item: (-item[0][0].rank, item[0][1])
        ):
            lines.append(f"{tier:12} {sign:18} {total:8} {wrong:7}")
        lines.append(f"{'harmless':12} {'group':18} {'wordings':>8} {'alarms':>7}")
        for group, (total, wrong) in sorted(self.alarmed.items()):
            lines.append(f"{'none':12} {group:18} {total:8} {wrong:7}")
        return "\n".join(lines)


def read_judged(path: Path, split: str = "") -> list[Judged]:
    """Read judged wordings, one JSON object a line.

    :param split: "build" or "check" to read only that half.
    """
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    rows = [row for row in rows if not split or row["split"] == split]
    return [
        Judged(row["text"], Urgency(row["expect"]), row["sign"], row.get("group", "lookalike"))
        for row in rows
    ]


def read_ordinary() -> list[Judged]:
    """Read the questions of the dev half of the evaluation, none of which should raise anything."""
    judgments = read_judgments(FOLDER.parent / "questions.jsonl")
    dev = [judgment for judgment in judgments if judgment.split == "dev"]
    return [Judged(item.turns[0].question, Urgency.NONE, "none", item.category) for item in dev]


def build_gate(*, is_model_used: bool) -> Gate:
    """Build the gate of this repository's guide, with or without comparison by meaning."""
    signs = universal_signs().merge(read_signs(CORPUS_SIGNS))
    if not is_model_used:
        return Gate(signs, EmergencyNumbers())
    encoder = load_sign_encoder()
    return Gate(signs, EmergencyNumbers(), encoder, kept_examples(state_of(signs, encoder)))


def measure(gate: Gate, judged: Iterable[Judged]) -> Rates:
    """Hold the gate against judged wordings; to raise a sign higher than expected is no miss."""
    missed: dict[tuple[Urgency, str], tuple[int, int]] = {}
    alarmed: dict[str, tuple[int, int]] = {}
    failures: list[tuple[Judged, Urgency]] = []
    for item in judged:
        given = gate.assess([item.text]).urgency
        if item.expect is Urgency.NONE:
            is_wrong = given is not Urgency.NONE
            total, wrong = alarmed.get(item.group, (0, 0))
            alarmed[item.group] = (total + 1, wrong + is_wrong)
        else:
            is_wrong = given.rank < item.expect.rank
            total, wrong = missed.get((item.expect, item.sign), (0, 0))
            missed[item.expect, item.sign] = (total + 1, wrong + is_wrong)
        if is_wrong:
            failures.append((item, given))
    return Rates(missed, alarmed, tuple(failures))


def _place(name: str) -> tuple[Path, str]:
    file, split = SETS[name]
    return FOLDER / file, split


def main() -> None:
    """Print the rates of one set."""
    parser = argparse.ArgumentParser(description="Hold the warning-sign gate against judged wordings.")
    parser.add_argument("set", choices=(*SETS, ORDINARY))
    parser.add_argument("--model", action="store_true", help="compare by meaning as well")
    options = parser.parse_args()
    judged = read_ordinary() if options.set == ORDINARY else read_judged(*_place(options.set))
    rates = measure(build_gate(is_model_used=options.model), judged)
    print(rates)  # noqa: T201
    if options.set not in COUNTED_ONLY:
        for item, given in rates.failures:
            print(f"expected {item.expect}, got {given}: {item.text}")  # noqa: T201


if __name__ == "__main__":
    main()
