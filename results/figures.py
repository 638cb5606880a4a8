# What the scripts of the folders beside this one share: files of sweeps, p and power of three seeds, and figures as tables
# write them.
import json
import math
import statistics

SEEDS = "012"


def rows_of(path):
    """Of a sweep's table.json: name of a row -> measure -> the comparison."""
    rows = {}
    for row in json.load(open(path))["comparisons"]:
        rows.setdefault(row["cell"], {})[row["measure"]] = row
    return rows


def cells_of(path):
    """Finished cells of a sweep's table.json by name and seed."""
    return {(cell["name"], cell["seed"]): cell
            for cell in json.load(open(path))["cells"] if cell["state"] == "finished" and cell["seed"]}


def standard_error(values):
    return statistics.stdev(values) / math.sqrt(len(values))


def paired_t(values):
    """Two-sided p over three seeds, where Student's distribution has a closed form; None for no difference."""
    if statistics.stdev(values) == 0:
        return None
    t = abs(statistics.mean(values)) / standard_error(values)
    return 1 - t / math.sqrt(2 + t * t)


def detectable(values):
    """What that test finds in four of five tries at level .05 (noncentral t), if these seeds spread as others would."""
    return 5.653 * standard_error(values)


def short(value, form):
    return "-" if value is None else format(value, form).replace("0.", ".", 1)


def probability(p):
    return "-" if p is None else "<.001" if p < 0.0005 else short(p, ".3f") if p < 0.0995 else short(p, ".2f")


def costs(row):
    """Core seconds and peak MiB of a comparison, as two columns; references have none."""
    return ["" if row[key] is None else f"{row[key]:.0f}" for key in ("core_seconds", "peak_mib")]
