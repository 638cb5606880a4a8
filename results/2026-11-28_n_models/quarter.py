# N models within the budget of one, beside one model of all, dense and with experts: the second table of README.md.
#
#   python3 quarter.py n_models_vs_n_experts.json n_models_quarter.json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from figures import SEEDS, cells_of, detectable, paired_t

DOMAINS = ("cisi", "cacm", "vis", "cca")


def precisions(path):
    """Average precision of finished cells by name, seed and domain."""
    return {(*key, domain): cell["values"][domain + ".average_precision"]
            for key, cell in cells_of(path).items() for domain in DOMAINS}


whole, quarter = map(precisions, sys.argv[1:])
for base in ("dense-all", "experts"):
    differences = {domain: [quarter["only-" + domain, seed, domain] - whole[base, seed, domain] for seed in SEEDS]
                   for domain in DOMAINS}
    differences["mean of domains"] = [statistics.mean(differences[domain][i] for domain in DOMAINS) for i in range(len(SEEDS))]
    for name, values in differences.items():
        print(f"n-models less {base}, {name}: {statistics.mean(values):+.4f}, p {paired_t(values):.3f}, detectable "
              f"{detectable(values):.4f}, of each seed", *(f"{value:+.4f}" for value in values))
