# The tables of README.md from a sweep's table.json: average precision, the domains' mean and ROC-AUC; and, where there are
# such rows, what the single layers have more than none in the domains' mean.
#
#   python3 rows.py expert_count.json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from figures import SEEDS, cells_of, costs, paired_t, probability, rows_of, short

AP, MEAN, ROC = "all.average_precision", "cisi+cacm+vis+cca.average_precision", "all.roc_auc"


rows = rows_of(sys.argv[1])
measured = {key: cell["values"] for key, cell in cells_of(sys.argv[1]).items()}
for name, row in rows.items():
    cells = {seed: values[AP] for (cell, seed), values in measured.items() if cell == name}
    base = {seed: values[AP] for (cell, seed), values in measured.items() if cell == row[AP]["baseline"]}
    own = row[AP]["baseline"] == name
    ap, mean = row[AP], row[MEAN]
    each = "-" if own or not cells else " ".join(short(cells[seed] - base[seed], "+.4f") for seed in sorted(cells))
    spread = statistics.stdev(cells.values()) if len(cells) > 1 else None
    print("|", " | ".join([
        name, short(ap["mean"], ".4f"), short(spread, ".4f"), "-" if own else short(ap["difference"], "+.4f"), each,
        "-" if own else probability(ap["p_paired_t"]), "-" if own else short(ap["detectable"], ".4f"),
        short(mean["mean"], ".4f"), "-" if own else short(mean["difference"], "+.4f"),
        "-" if own else probability(mean["p_paired_t"]), short(row[ROC]["mean"], ".4f"),
        *costs(ap)]), "|")

single = sorted({name for name, _ in measured if name.startswith("layer-")})
if single:
    over = [statistics.mean(measured[name, seed][MEAN] for name in single) - measured["none", seed][MEAN] for seed in SEEDS]
    print("single layers less none:", *(short(value, "+.4f") for value in over), "p", probability(paired_t(over)))
