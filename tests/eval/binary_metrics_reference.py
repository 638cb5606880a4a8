# Prints the values that binary_metrics_test.cpp expects, as sentence-transformers 6.2.0 and scikit-learn compute them.
#
#   python3 -m venv st
#   st/bin/pip install sentence-transformers==6.2.0
#   st/bin/python tests/eval/binary_metrics_reference.py
import math

import numpy as np
from sentence_transformers.sentence_transformer.evaluation import BinaryClassificationEvaluator
from sklearn.metrics import matthews_corrcoef


def made(pairs, score_step, label_step):
    ranks = [i * score_step % 1009 for i in range(pairs)]
    return ([(rank - 500) / 1024 for rank in ranks],
            [int(rank + i * label_step % 701 > 850) for i, rank in enumerate(ranks)])


distinct = made(300, 37, 53)
for name, (scores, labels) in {
        "no scores equal": distinct,
        "fewer pairs": made(50, 271, 31),
        "most scores equal": ([math.floor(score * 1024 / 100) / 16 for score in distinct[0]], distinct[1]),
        "equal, positives first": ([.5, .5, .5, .5, .125], [1, 1, 0, 0, 0]),
        "equal, negatives first": ([.5, .5, .5, .5, .125], [0, 0, 1, 1, 0]),
        "one score for all": ([.5] * 4, [1, 1, 0, 0])}.items():
    scores, labels = np.array(scores), np.array(labels)
    accuracy, cut = BinaryClassificationEvaluator.find_best_acc_and_threshold(scores, labels, True)
    f1, precision, recall, f1_cut = BinaryClassificationEvaluator.find_best_f1_and_threshold(scores, labels, True)
    print(f"{name}: accuracy {float(accuracy)!r} at {float(cut)!r}, F1 {float(f1)!r} at {float(f1_cut)!r}, precision "
          f"{float(precision)!r}, recall {float(recall)!r}, Matthews {float(matthews_corrcoef(labels, scores >= f1_cut))!r}")
