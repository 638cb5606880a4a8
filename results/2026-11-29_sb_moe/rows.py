# The tables of README.md from the sweep's table.json: nDCG@10 of each collection.
#
#   python3 rows.py sb_moe.json
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from figures import probability, short

MEASURES = {"cisi": "CISI", "cacm": "CACM", "cisi+cacm": "mean of both", "beir": "SciFact"}


def compared(row):
    if row["difference"] is None:
        return "-"
    return f"{short(row['difference'], '+.4f')} (p {probability(row['p_paired_t'])}, {short(row['detectable'], '.4f')})"


results = json.load(open(sys.argv[1]))
rows = {}
for row in results["comparisons"]:
    rows.setdefault(row["cell"], {})[row["measure"]] = row
for name, row in rows.items():
    first, *cells = [row[f"retrieval.{collection}.nDCG@10"] for collection in MEASURES]
    if not first["seeds"] and first["planned"]:
        continue
    columns = [name.replace(",head.inference=", " ")]
    for cell in [first, *cells]:
        columns += [compared(cell)] if " vs " in name else [short(cell["mean"], ".4f"), compared(cell)]
    if " vs " not in name:
        columns += ["" if first[key] is None else f"{first[key]:.0f}" for key in ("core_seconds", "peak_mib")]
    print("|", " | ".join(columns), "|")
