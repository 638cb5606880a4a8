"""Measures saved runs with pytrec_eval: python against_trec_eval.py FOLDER RETRIEVAL.json"""

import collections
import json
import pathlib
import sys

import pytrec_eval

NAMES = {
    "nDCG@3": "ndcg_cut_3",
    "nDCG@10": "ndcg_cut_10",
    "MAP@100": "map_cut_100",
    "Recall@100": "recall_100",
    "P@1": "P_1",
    "MRR@10": "recip_rank",
}


def table(path, columns):
    rows = collections.defaultdict(dict)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            cells = line.split()
            query, document, value = (cells[column] for column in columns)
            rows[query][document] = float(value)
    return rows


folder = pathlib.Path(sys.argv[1])
with open(sys.argv[2], encoding="utf-8") as text:
    told = json.load(text)["retrieval"]
compared = differing = 0
for model, collections_ in told.items():
    for name, measures in collections_.items():
        run = table(folder / f"{name}.{model}.run", (0, 2, 4))
        judged = {q: {d: int(g) for d, g in row.items()} for q, row in table(folder / f"{name}.qrels", (0, 2, 3)).items()}
        # The first ten in trec_eval's order: by score, equal ones by descending document id.
        ten = {q: dict(sorted(row.items(), key=lambda x: (x[1], x[0]), reverse=True)[:10]) for q, row in run.items()}
        wanted = {"ndcg_cut.3,10", "map_cut.100", "recall.100", "P.1"}
        full = pytrec_eval.RelevanceEvaluator(judged, wanted).evaluate(run)
        first = pytrec_eval.RelevanceEvaluator(judged, {"recip_rank"}).evaluate(ten)
        for ours, theirs in NAMES.items():
            source = first if ours == "MRR@10" else full
            value = sum(source.get(query, {}).get(theirs, 0.0) for query in judged) / len(judged)
            compared += 1
            if abs(value - measures[ours]) > 5e-7:
                differing += 1
                print(f"{model} {name} {ours}: {measures[ours]:.6f}, pytrec_eval {value:.6f}")
print(f"{compared} compared, {differing} differ")
sys.exit(differing > 0)
