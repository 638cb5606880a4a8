# N models within the budget of one, beside one model of all, dense and with experts: the second table of README.md.
#
#   python3 quarter.py n_models_vs_n_experts.json n_models_quarter.json
import json
import math
import statistics
import sys

SEEDS = "012"
DOMAINS = ("cisi", "cacm", "vis", "cca")
DETECTABLE = 5.653  # standard errors: three seeds, power .8 at level .05, noncentral t


def precisions(path):
    """Average precision of finished cells by name, seed and domain."""
    return {(cell["name"], cell["seed"], domain): cell["values"][domain + ".average_precision"]
            for cell in json.load(open(path))["cells"] if cell["state"] == "finished" and cell["seed"] for domain in DOMAINS}


def error(values):
    return statistics.stdev(values) / math.sqrt(len(values))


def paired_t(values):
    """Two-sided p over three seeds, where Student's distribution has a closed form."""
    t = abs(statistics.mean(values)) / error(values)
    return 1 - t / math.sqrt(2 + t * t)


whole, quarter = map(precisions, sys.argv[1:])
for base in ("dense-all", "experts"):
    differences = {domain: [quarter["only-" + domain, seed, domain] - whole[base, seed, domain] for seed in SEEDS]
                   for domain in DOMAINS}
    differences["mean of domains"] = [statistics.mean(differences[domain][i] for domain in DOMAINS) for i in range(len(SEEDS))]
    for name, values in differences.items():
        print(f"n-models less {base}, {name}: {statistics.mean(values):+.4f}, p {paired_t(values):.3f}, detectable "
              f"{DETECTABLE * error(values):.4f}, of each seed", *(f"{value:+.4f}" for value in values))
