# The tables of README.md from the sweep's table.json: nDCG@10 of each collection, and means over the sizes of heads.
#
#   python3 rows.py sb_moe.json
import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from figures import detectable, paired_t, probability, short

COLLECTIONS = ("cisi", "cacm", "cisi+cacm", "beir")
SEEDS = "012"
HEADS = ("head-3", "head-6", "head-9", "head-12")


def measure(collection):
    return f"retrieval.{collection}.nDCG@10"


def difference_text(difference, p, least):
    return "-" if difference is None else f"{short(difference, '+.4f')} ({probability(p)}; {short(least, '.4f')})"


def compared(row):
    return difference_text(row["difference"], row["p_paired_t"], row["detectable"])


def print_rows(results):
    rows = {}
    for row in results["comparisons"]:
        rows.setdefault(row["cell"], {})[row["measure"]] = row
    for name, row in rows.items():
        cells = [row[measure(collection)] for collection in COLLECTIONS]
        if not cells[0]["seeds"] and cells[0]["planned"]:
            continue
        columns = [name.replace(",head.inference=", " ")]
        for cell in cells:
            columns += [compared(cell)] if " vs " in name else [short(cell["mean"], ".4f"), compared(cell)]
        if " vs " not in name:
            columns += ["" if cells[0][key] is None else f"{cells[0][key]:.0f}" for key in ("core_seconds", "peak_mib")]
        print("|", " | ".join(columns), "|")


def print_means(results):
    """Of each seed the mean over the four sizes, one inference less another."""
    values = {(cell["name"], cell["seed"]): cell["values"] for cell in results["cells"] if cell["state"] == "finished"}
    for one, other in (("top1", "dense"), ("all", "dense"), ("random", "dense"), ("all", "top1"), ("random", "top1")):
        columns = [f"{one} less {other}"]
        for collection in COLLECTIONS:
            def value(head, inference, seed):
                name = "dense,head.inference=top1" if inference == "dense" else f"{head},head.inference={inference}"
                return values[name, seed][measure(collection)]
            try:
                over = [statistics.mean(value(head, one, seed) - value(head, other, seed) for head in HEADS) for seed in SEEDS]
                columns.append(difference_text(statistics.mean(over), paired_t(over), detectable(over)))
            except KeyError:
                columns.append("not run")
        print("|", " | ".join(columns), "|")


results = json.load(open(sys.argv[1]))
print_rows(results)
print_means(results)
