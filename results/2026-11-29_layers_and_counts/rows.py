# The tables of README.md from a sweep's table.json: average precision, the domains' mean and ROC-AUC.
#
#   python3 rows.py expert_count.json
import json
import statistics
import sys

AP, MEAN, ROC = "all.average_precision", "cisi+cacm+vis+cca.average_precision", "all.roc_auc"


def short(value, form):
    return "-" if value is None else format(value, form).replace("0.", ".", 1)


def probability(p):
    return "-" if p is None else "<.001" if p < 0.0005 else short(p, ".3f") if p < 0.0995 else short(p, ".2f")


results = json.load(open(sys.argv[1]))
rows = {}
for row in results["comparisons"]:
    rows.setdefault(row["cell"], {})[row["measure"]] = row
for name, row in rows.items():
    cells = {cell["seed"]: cell["values"][AP] for cell in results["cells"] if cell["name"] == name and cell["seed"]}
    base = {cell["seed"]: cell["values"][AP] for cell in results["cells"] if cell["name"] == row[AP]["baseline"]}
    own = name == results["baseline"]
    ap, mean = row[AP], row[MEAN]
    each = "-" if own or not cells else " ".join(short(cells[seed] - base[seed], "+.4f") for seed in sorted(cells))
    spread = statistics.stdev(cells.values()) if len(cells) > 1 else None
    print("|", " | ".join([
        name, short(ap["mean"], ".4f"), short(spread, ".4f"), "-" if own else short(ap["difference"], "+.4f"), each,
        "-" if own else probability(ap["p_paired_t"]), "-" if own else short(ap["detectable"], ".4f"),
        short(mean["mean"], ".4f"), "-" if own else short(mean["difference"], "+.4f"),
        "-" if own else probability(mean["p_paired_t"]), short(row[ROC]["mean"], ".4f"),
        "" if ap["core_seconds"] is None else f"{ap['core_seconds']:.0f}",
        "" if ap["peak_mib"] is None else f"{ap['peak_mib']:.0f}"]), "|")
