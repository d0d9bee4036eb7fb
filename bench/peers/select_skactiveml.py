"""Core-set, BADGE and TypiClust of scikit-activeml over the arrays of a folder: seconds of the query and rows, as JSON.

    python3 select_skactiveml.py FOLDER k_center|badge|typiclust COUNT

FOLDER holds embeddings.npy [M, D] and head.npy [K, D], the weights of a linear classifier without intercept; no clip has a label.
"""

import json
import pathlib
import sys
import time

import numpy as np
from skactiveml.base import SkactivemlClassifier
from skactiveml.pool import Badge, CoreSet, TypiClust


class Linear(SkactivemlClassifier):
    """A classifier that is trained already: softmax(X head^T)."""

    def __init__(self, head=None, classes=None, missing_label=np.nan, cost_matrix=None, random_state=None):
        super().__init__(classes=classes, missing_label=missing_label, cost_matrix=cost_matrix, random_state=random_state)
        self.head = head

    def fit(self, X, y, sample_weight=None):
        self._validate_data(X, y, sample_weight, check_X_dict={"ensure_min_samples": 0, "ensure_min_features": 0})
        return self

    def predict_proba(self, X):
        logits = X @ self.head.T
        p = np.exp(logits - logits.max(1, keepdims=True))
        return p / p.sum(1, keepdims=True)


folder, strategy, count = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
X = np.load(folder / "embeddings.npy")
y = np.full(len(X), np.nan)
began = time.monotonic()
if strategy == "k_center":
    rows = CoreSet(random_state=0).query(X, y, batch_size=count)
elif strategy == "typiclust":
    rows = TypiClust(random_state=0).query(X, y, batch_size=count)
else:
    head = np.load(folder / "head.npy")
    model = Linear(head, classes=list(range(len(head)))).fit(X[:1], y[:1])
    began = time.monotonic()
    rows = Badge(random_state=0).query(X, y, clf=model, fit_clf=False, batch_size=count)
print(json.dumps({"seconds": time.monotonic() - began, "rows": [int(row) for row in rows]}))
