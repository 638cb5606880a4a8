# The routing table of README.md from the two files of the sweep, and what gates learned from the runs of its cells.
#
#   python3 tables.py routing.md routing_xeon.md     the table; each seed beside `dense` in the same file, the second first
#   python3 tables.py RUNS/routing                   for each cell with a gate, means over its last ten steps
import json
import math
import pathlib
import statistics
import sys

MEASURES = 3  # columns: average precision, the domains' mean, ROC-AUC
DENSE = "dense,experts.layers=middle"


def cells_of(path):
    cells = {}
    for line in open(path):
        columns = [column.strip() for column in line.split("|")]
        if len(columns) > 12 and columns[1].isdigit() and columns[5] == "finished" and columns[3] != "-":
            cells[columns[2], columns[3]] = [float(column) for column in columns[7 : 7 + MEASURES]]
    return cells


# Two-sided p of a paired t-test over two or three seeds, where Student's distribution has a closed form.
def paired_t(values):
    deviation = statistics.stdev(values)
    if deviation == 0:
        return None
    t = abs(statistics.mean(values)) / (deviation / math.sqrt(len(values)))
    return 1 - t / math.sqrt(2 + t * t) if len(values) == 3 else 1 - 2 / math.pi * math.atan(t)


def routing_table(paths):
    files = [(path, cells_of(path)) for path in reversed(paths)]
    names = dict.fromkeys(name for _, cells in reversed(files) for name, _ in cells)
    for name in names:
        rows, differences, sources = [], [], []
        for seed in "012":
            found = next(((path, cells) for path, cells in files if (name, seed) in cells and (DENSE, seed) in cells), None)
            if found is None:
                continue
            rows.append(found[1][name, seed])
            differences.append([a - b for a, b in zip(rows[-1], found[1][DENSE, seed])])
            sources.append(found[0])
        means = [f"{statistics.mean(column):.4f}" for column in zip(*rows)]
        over_dense = [f"{statistics.mean(column):+.4f}" for column in zip(*differences)]
        p = paired_t([row[0] for row in differences]) if len(rows) > 1 else None
        print(name, means, over_dense, "p", "-" if p is None else f"{p:.3f}", [f"{d[0]:+.4f}" for d in differences], sources)


def gates(folder):
    for log in sorted(pathlib.Path(folder).glob("*/metrics.jsonl")):
        steps = [step for step in map(json.loads, open(log)) if step.get("routers")]
        routers = [router for step in steps[-10:] for router in step["routers"]]
        if not routers or routers[0]["confidence"] == 1.0:
            continue
        figures = [statistics.mean(router[key] for router in routers)
                   for key in ("mutual_information_share", "dead_experts", "confidence")]
        largest = statistics.mean(max(router["load"]) for router in routers)
        told = [step.get("auxiliary_losses", {}).get("specified_expert", 0.0) for step in steps]
        print(log.parent.name, [f"{figure:.2f}" for figure in figures], f"largest load {largest:.2f}",
              f"specified-expert loss {statistics.mean(told[:5]):.2f} to {statistics.mean(told[-5:]):.2f}")


if len(sys.argv) == 2:
    gates(sys.argv[1])
else:
    routing_table(sys.argv[1:])
