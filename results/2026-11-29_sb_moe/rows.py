# The tables of README.md from the sweep's table.json: nDCG@10 of each collection, and means over the sizes of heads.
#
#   python3 rows.py sb_moe.json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from figures import SEEDS, cells_of, costs, detectable, paired_t, probability, rows_of, short

MEASURES = [f"retrieval.{collection}.nDCG@10" for collection in ("cisi", "cacm", "cisi+cacm", "beir")]
HEADS = ("head-3", "head-6", "head-9", "head-12")


def difference_text(difference, p, least):
    return "-" if difference is None else f"{short(difference, '+.4f')} ({probability(p)}; {short(least, '.4f')})"


def print_rows(rows):
    for name, row in rows.items():
        is_contrast = " vs " in name
        columns = [name.replace(",head.inference=", " ")]
        for cell in (row[measure] for measure in MEASURES):
            difference = difference_text(cell["difference"], cell["p_paired_t"], cell["detectable"])
            columns += [difference] if is_contrast else [short(cell["mean"], ".4f"), difference]
        print("|", " | ".join(columns + ([] if is_contrast else costs(row[MEASURES[0]]))), "|")


def print_means(cells):
    """Of each seed the mean over the four sizes, one inference less another."""
    def mean(inference, seed, measure):
        names = ["dense,head.inference=top1"] if inference == "dense" else [f"{h},head.inference={inference}" for h in HEADS]
        return statistics.mean(cells[name, seed]["values"][measure] for name in names)

    for one, other in (("top1", "dense"), ("all", "dense"), ("random", "dense"), ("all", "top1"), ("random", "top1")):
        columns = [f"{one} less {other}"]
        for measure in MEASURES:
            over = [mean(one, seed, measure) - mean(other, seed, measure) for seed in SEEDS]
            columns.append(difference_text(statistics.mean(over), paired_t(over), detectable(over)))
        print("|", " | ".join(columns), "|")


print_rows(rows_of(sys.argv[1]))
print_means(cells_of(sys.argv[1]))
