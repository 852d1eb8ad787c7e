"""Speed and memory of the whole product, as its operator and its visitors meet them.

    python -m benchmarks.run [--every N]

Prints: a full ingest of corpus/, an ingest without changes, the time from a command to its first answer,
the answers of all judged questions (p50, p95), alone and with eight people asking at once, and the memory
of a serving process. Run it on an idle machine; it takes a few minutes.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from bot.chat import Bot, load_bot
from bot.evaluate import read_judgments

ROOT = Path(__file__).parents[1]
PEOPLE = 8


def seconds_of(*command: str) -> float:
    """Run a command of the product; gives its wall time in seconds."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def latencies_ms(bot: Bot, conversations: Sequence[Sequence[str]]) -> list[float]:
    """Answer conversations one after the other; gives the time of each answer in milliseconds."""
    return [turn.latency_ms for turns in conversations for turn in bot.converse(turns)]


def together(bot: Bot, conversations: Sequence[Sequence[str]]) -> list[float]:
    """Answer the conversations of eight people at once; gives the time of each answer in milliseconds."""
    times: list[float] = []

    def ask(own: Sequence[Sequence[str]]) -> None:
        times.extend(latencies_ms(bot, own))

    threads = [threading.Thread(target=ask, args=(conversations[at::PEOPLE],)) for at in range(PEOPLE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def spread(times: Sequence[float]) -> str:
    """Say the median and the 95th percentile."""
    cuts = statistics.quantiles(times, n=20)
    return f"p50 {statistics.median(times):.0f} ms, p95 {cuts[18]:.0f} ms over {len(times)} answers"


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description="Measure start, ingest, latency and memory.")
    parser.add_argument("--every", type=int, default=3, help="use every Nth judged conversation, 2 at least")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(f"ingest of corpus/ into an empty index: {seconds_of('-m', 'ingest', '--index', folder):.1f} s")
        print(f"ingest without changes: {seconds_of('-m', 'ingest', '--index', folder):.1f} s")
        first = seconds_of("-m", "bot", "How do I do the bridge?", "--index", folder)
        print(f"start to first answer (python -m bot): {first:.1f} s")
        started = time.perf_counter()
        bot = load_bot(folder)
        bot.reply("How do I do the bridge?")
        print(f"load and first answer in a process: {time.perf_counter() - started:.1f} s")
        judged = read_judgments(ROOT / "tests" / "evaluation")
        conversations = [[turn.question for turn in judgment.turns] for judgment in judged]
        # Two sets, for what was asked before is remembered.
        alone, others = conversations[:: args.every], conversations[args.every // 2 :: args.every]
        print(f"one person: {spread(latencies_ms(bot, alone))}")
        print(f"{PEOPLE} people at once: {spread(together(bot, others))}")
        print(f"memory of the process: {psutil.Process().memory_info().rss / 2**20:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
