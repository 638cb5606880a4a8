# The tables of README.md from a sweep's table.json: average precision, the domains' mean and ROC-AUC; and, where there are
# such rows, what the single layers have more than none in the domains' mean.
#
#   python3 rows.py expert_count.json
import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from figures import paired_t, probability, short

AP, MEAN, ROC = "all.average_precision", "cisi+cacm+vis+cca.average_precision", "all.roc_auc"


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

means = {(cell["name"], cell["seed"]): cell["values"][MEAN] for cell in results["cells"] if cell["seed"]}
single = sorted({name for name, _ in means if name.startswith("layer-")})
if single:
    over = [statistics.mean(means[name, seed] for name in single) - means["none", seed] for seed in "012"]
    print("single layers less none:", *(short(value, "+.4f") for value in over), "p", probability(paired_t(over)))
