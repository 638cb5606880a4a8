"""How far two training curves are apart: python curves.py EXPECTED.jsonl GOT.jsonl"""

import json
import statistics
import sys


def losses(path):
    with open(path, encoding="utf-8") as lines:
        entries = [json.loads(line) for line in lines]
    return {entry["step"]: entry["loss"] for entry in entries if "loss" in entry}


def mean_difference(expected, got, steps):
    mean = statistics.mean(expected[step] for step in steps)
    return abs(statistics.mean(got[step] for step in steps) - mean) / mean


expected, got = (losses(path) for path in sys.argv[1:3])
steps = sorted(expected)
assert steps == sorted(got), "the curves have other steps"
single = [abs(got[step] - expected[step]) / expected[step] for step in steps]
windows = [mean_difference(expected, got, steps[i : i + 20]) for i in range(0, len(steps), 20)]
print(f"{len(steps)} steps: at most {max(single):.4%}, median {statistics.median(single):.4%}")
print(f"means over 20 steps: at most {max(windows):.4%}; over all: {mean_difference(expected, got, steps):.4%}")
