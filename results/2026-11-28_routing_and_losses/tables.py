# Tables of README.md from the files of the sweeps, and what gates learned from the runs of their cells.
#
#   python3 tables.py dense,experts.layers=middle X=routing_xeon.json Z=routing.md   routers
#   python3 tables.py symmetric A=loss_avx2.json                                     `mnr-dot`
#   python3 tables.py symmetric Z=loss.md                                            the other losses, from four digits
#   python3 tables.py RUNS/routing         for each cell with a gate, means over its last ten steps
#
# Each seed of a row is of the first file that has it and, to compare it with, the row that is named first.
import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import figures
from figures import SEEDS, detectable, paired_t, probability, short

MEASURES = ("all.average_precision", "cisi+cacm+vis+cca.average_precision", "all.roc_auc")


def cells_of(path):
    """Finished cells by name and seed: average precision, the domains' mean, ROC-AUC, core seconds, peak MiB.

    table.json has all digits, table.md four."""
    if path.endswith(".json"):
        return {key: [cell["values"][m] for m in MEASURES] + [cell["core_seconds"], cell["peak_mib"]]
                for key, cell in figures.cells_of(path).items()}
    cells = {}
    for line in open(path):
        columns = [column.strip() for column in line.split("|")]
        if len(columns) > 12 and columns[1].isdigit() and columns[5] == "finished" and columns[3] != "-":
            cells[columns[2], columns[3]] = [float(columns[i]) for i in (7, 8, 9, 13, 14)]
    return cells


def table(baseline, named_files):
    files = [(machine, cells_of(path)) for machine, path in (named.split("=", 1) for named in named_files)]
    names = dict.fromkeys(name for _, cells in reversed(files) for name, _ in cells)
    for name in names:
        rows, differences, machines = [], [], []
        for seed in SEEDS:
            machine, cells = next((m, c) for m, c in files if (name, seed) in c and (baseline, seed) in c)
            rows.append(cells[name, seed])
            differences.append([a - b for a, b in zip(rows[-1], cells[baseline, seed])])
            machines.append(machine)
        mean = [statistics.mean(column) for column in zip(*rows)]
        over = [statistics.mean(column) for column in zip(*differences)]
        base = name == baseline
        where = " ".join(machines) if len(set(machines)) > 1 else machines[0]
        print("|", " | ".join([
            name.replace(",experts.layers=", " "), short(mean[0], ".4f"), short(statistics.stdev(r[0] for r in rows), ".4f"),
            "-" if base else short(over[0], "+.4f"), "-" if base else " ".join(short(d[0], "+.4f") for d in differences),
            "-" if base else probability(paired_t([d[0] for d in differences])),
            "-" if base else short(detectable([d[0] for d in differences]), ".4f"), short(mean[1], ".4f"),
            "-" if base else short(over[1], "+.4f"), short(mean[2], ".4f"),
            " ".join(f"{statistics.mean(r[3] for r, m in zip(rows, machines) if m == machine):.0f}"
                     for machine in sorted(set(machines), reverse=True)), f"{max(r[4] for r in rows):.0f}", where]), "|")


def gates(folder):
    for log in sorted(pathlib.Path(folder).glob("*/metrics.jsonl")):
        steps = [step for step in map(json.loads, open(log)) if step.get("routers")]
        routers = [router for step in steps[-10:] for router in step["routers"]]
        if not routers or routers[0]["confidence"] == 1.0:
            continue
        figures = [statistics.mean(router[key] for router in routers)
                   for key in ("mutual_information_share", "dead_experts", "confidence")]
        largest = statistics.mean(max(router["load"]) for router in routers)
        losses = {name: [step["auxiliary_losses"][name] for step in steps] for name in steps[0].get("auxiliary_losses", {})}
        print(log.parent.name, [f"{figure:.2f}" for figure in figures], f"largest load {largest:.2f}",
              *(f"{name} {statistics.mean(values[:5]):.2f} to {statistics.mean(values[-5:]):.2f}"
                for name, values in losses.items() if name != "total" and any(values)))


if len(sys.argv) == 2:
    gates(sys.argv[1])
else:
    table(sys.argv[1], sys.argv[2:])
