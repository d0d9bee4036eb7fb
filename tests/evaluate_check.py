"""evaluate_check.py FOLDER: the numbers of evaluation.json are scikit-learn's and scipy's on predictions.csv and predictions-against.csv."""

import csv
import json
import math
import pathlib
import sys
import warnings

import numpy as np
from scipy import stats
from sklearn import metrics

warnings.filterwarnings("ignore", category=UserWarning)
folder = pathlib.Path(sys.argv[1])
said = json.loads((folder / "evaluation.json").read_text())
compared = 0


def close(name, ours, theirs, tolerance=1e-12):
    global compared
    compared += 1
    if ours is None or not abs(ours - theirs) <= tolerance:
        sys.exit(f"FAILED: {name}: {ours} here, {theirs} there")


def read(name):
    """Truth and prediction as indices, probabilities, groups and paths of the clips whose label is a class."""
    rows = [row for row in csv.DictReader((folder / name).open()) if row["correct"] != ""]
    classes = [column[2:] for column in rows[0] if column.startswith("p:")]
    p = np.array([[float(row["p:" + k]) for k in classes] for row in rows])
    of = {k: i for i, k in enumerate(classes)}
    return (np.array([of[row["label"]] for row in rows]), np.array([of[row["class"]] for row in rows]), p, np.array([row["group"] for row in rows]),
            np.array([row["path"] for row in rows]), classes)


def brier(truth, p):
    return float(np.mean(np.sum((p - np.eye(p.shape[1])[truth]) ** 2, axis=1)))


def ece(truth, predicted, p):
    confidence = p.max(axis=1)
    bins = np.minimum(14, (confidence * 15).astype(int))
    return sum(abs(confidence[bins == b].sum() - (predicted == truth)[bins == b].sum()) for b in range(15)) / len(truth)


def scores(truth, predicted, p):
    macro = {"average": "macro", "zero_division": 0}
    kappa = metrics.cohen_kappa_score(truth, predicted)
    return {"accuracy": metrics.accuracy_score(truth, predicted), "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted),
            "precision": metrics.precision_score(truth, predicted, **macro), "recall": metrics.recall_score(truth, predicted, **macro),
            "f1": metrics.f1_score(truth, predicted, **macro), "jaccard": metrics.jaccard_score(truth, predicted, **macro),
            "weighted_f1": metrics.f1_score(truth, predicted, average="weighted", zero_division=0),
            "kappa": 0.0 if math.isnan(kappa) else kappa, "mcc": metrics.matthews_corrcoef(truth, predicted),
            "log_loss": metrics.log_loss(truth, p, labels=range(p.shape[1])), "brier": brier(truth, p), "ece": ece(truth, predicted, p)}


def check_model(name, model):
    truth, predicted, p, groups, paths, classes = read(name)
    for key, value in scores(truth, predicted, p).items():
        close(f"{name} {key}", model["scores"][key], value)
    confusion = metrics.confusion_matrix(truth, predicted, labels=range(len(classes)))
    if confusion.tolist() != model["confusion"]:
        sys.exit(f"FAILED: {name}: the confusion is {model['confusion']} here, {confusion.tolist()} there")
    precision, recall, f1, clips = metrics.precision_recall_fscore_support(truth, predicted, labels=range(len(classes)), zero_division=0)
    for k, of in enumerate(model["classes"]):
        close(f"{name} clips of {classes[k]}", of["clips"], clips[k])
        if clips[k]:
            close(f"{name} recall of {classes[k]}", of["recall"], recall[k])
            close(f"{name} average precision of {classes[k]}", of["average_precision"], metrics.average_precision_score(truth == k, p[:, k]))
        if 0 < clips[k] < len(truth):
            close(f"{name} ROC AUC of {classes[k]}", of["roc_auc"], metrics.roc_auc_score(truth == k, p[:, k]))
        if of["named"]:
            close(f"{name} precision of {classes[k]}", of["precision"], precision[k])
        close(f"{name} F1 of {classes[k]}", of["f1"], f1[k])
    right = stats.binomtest(int((truth == predicted).sum()), len(truth))
    for method, key in (("wilson", "wilson"), ("exact", "clopper_pearson")):
        interval = right.proportion_ci(method=method)
        close(f"{name} {method} low", model["accuracy_independent_clips"][key]["low"], interval.low)
        close(f"{name} {method} high", model["accuracy_independent_clips"][key]["high"], interval.high)
    for clusters, key in ((paths, "over_videos"), (groups, "over_groups")):
        check_bootstrap(f"{name} {key}", (predicted == truth).astype(float), clusters, model[key])


def check_bootstrap(name, values, clusters, ours):
    """The percentile interval of a share over resampled clusters, by scipy. Both draw at random: a quantile of n draws has the standard error
    sqrt(q (1 - q) / n) / density, where the density is about that of a normal distribution of the bootstrap's spread. Five of them, and the steps
    between possible shares, are allowed."""
    names = np.unique(clusters)
    right = np.array([values[clusters == c].sum() for c in names])
    clips = np.array([(clusters == c).sum() for c in names], dtype=float)
    close(f"{name} clusters", ours["clusters"], len(names))
    if len(names) < 2:
        return
    drawn = stats.bootstrap((right, clips), lambda r, n, axis=-1: r.sum(axis) / n.sum(axis), paired=True, vectorized=True, n_resamples=4000,
                            method="percentile", random_state=1)
    spread = drawn.standard_error
    error = 5 * math.sqrt(0.025 * 0.975) * math.sqrt(1 / 2000 + 1 / 4000) / (stats.norm.pdf(1.96) / spread) if spread > 0 else 0
    step = 1 / len(values)
    close(f"{name} low", ours["accuracy"]["low"], drawn.confidence_interval.low, error + step)
    close(f"{name} high", ours["accuracy"]["high"], drawn.confidence_interval.high, error + step)


def check_pair(paired):
    a, b = read("predictions.csv"), read("predictions-against.csv")
    right_a, right_b = a[0] == a[1], b[0] == b[1]
    first, second = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    close("first alone", paired["only_model_right"], first)
    close("second alone", paired["only_against_right"], second)
    close("McNemar", paired["mcnemar_exact_p"], stats.binomtest(first, first + second, 0.5).pvalue if first + second else 1)
    of_a, of_b = scores(*a[:3]), scores(*b[:3])
    for key in of_a:
        close(f"difference of {key}", paired["difference"][key], of_a[key] - of_b[key])
    differences = right_a.astype(float) - right_b.astype(float)
    check_bootstrap("difference over videos", differences, a[4], paired["difference_over_videos"])
    check_bootstrap("difference over groups", differences, a[3], paired["difference_over_groups"])


check_model("predictions.csv", said["model"])
check_model("predictions-against.csv", said["against"])
check_pair(said["paired"])
print(f"{compared} numbers are those of scikit-learn and scipy")
