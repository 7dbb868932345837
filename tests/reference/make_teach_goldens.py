#!/usr/bin/python3
"""Writes goldens/golden-teach.safetensors: what fits of `vitgate teach` should find.

Needs numpy and scipy. The fits minimise the same functions by a plain method.
"""

import os

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax

import safetensors_io

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "goldens")
ROWS, FEATURES, CLASSES = 61, 7, 3
PENALTIES = (0.3, 0.003)


def losses(logits, shown, sigmoid):
    if sigmoid:
        return (np.logaddexp(0, logits) - shown * logits).sum(1)
    return -(shown * log_softmax(logits, axis=1)).sum(1)


def fit(x, shown, sigmoid, penalty):
    """Returns weights [features + 1, classes], of which the last row is the bias"""

    def objective(values):
        w = values.reshape(FEATURES + 1, CLASSES)
        logits = x @ w[:-1] + w[-1]
        e = 1 / (1 + np.exp(-logits)) if sigmoid else np.exp(log_softmax(logits, axis=1))
        residual = (e - shown) / ROWS
        gradient = np.vstack([x.T @ residual + penalty * w[:-1], residual.sum(0)])
        value = losses(logits, shown, sigmoid).mean() + penalty / 2 * (w[:-1] ** 2).sum()
        return value, gradient.ravel()

    found = minimize(objective, np.zeros((FEATURES + 1) * CLASSES), jac=True, method="BFGS",
                     options={"gtol": 1e-9, "maxiter": 10000})
    return found.x.reshape(FEATURES + 1, CLASSES)


def best_factor(logits, shown, sigmoid):
    """Returns the factor for logits that minimises the loss with smoothed targets"""
    doubt = 0.5 / (len(logits) + 1)
    off = doubt if sigmoid else doubt / (CLASSES - 1)
    targets = np.where(shown > 0, 1 - doubt, off)
    found = minimize_scalar(lambda t: losses(np.exp(t) * logits, targets, sigmoid).mean(),
                            bounds=(-3, 3), method="bounded", options={"xatol": 1e-9})
    return np.exp(found.x)


def oas_precision(x, labels):
    """Returns the inverse of the covariance within classes, shrunk by OAS"""
    means = np.array([x[labels == c].mean(0) for c in range(CLASSES)])
    residual, n, p = x - means[labels], len(x) - CLASSES, x.shape[1]
    s = residual.T @ residual / n
    squares, trace = (s * s).sum(), np.trace(s)
    share = min(1, ((1 - 2 / p) * squares + trace**2) /
                ((n + 1 - 2 / p) * (squares - trace**2 / p)))
    return np.linalg.inv((1 - share) * s + share * trace / p * np.eye(p)), means


def main():
    rng = np.random.default_rng(7)
    labels = rng.integers(0, CLASSES, ROWS)
    centres = rng.normal(size=(CLASSES, FEATURES))
    x = (centres[labels] + rng.normal(size=(ROWS, FEATURES))).astype("f4").astype("f8")
    x[:, 1] += 2 * x[:, 0]
    x = (x - x.mean(0)).astype("f4").astype("f8")
    one = np.eye(CLASSES)[labels]
    several = (rng.random((ROWS, CLASSES)) < 0.3 + 0.4 * one).astype("f8")
    precision, means = oas_precision(x, labels)
    tensors = {"x": x, "softmax.shown": one, "sigmoid.shown": several,
               "oas.precision": precision, "oas.means": means}
    for name, shown in (("softmax", one), ("sigmoid", several)):
        for penalty in PENALTIES:
            tensors[f"{name}.{penalty}"] = fit(x, shown, name == "sigmoid", penalty)
        w = tensors[f"{name}.{PENALTIES[-1]}"].astype("f4")
        logits = (x @ w[:-1] + w[-1]).astype("f4")
        tensors[name + ".logits"] = logits
        tensors[name + ".factor"] = np.array([best_factor(logits.astype("f8"), shown,
                                                          name == "sigmoid")])
    safetensors_io.write(os.path.join(FOLDER, "golden-teach.safetensors"),
                         {name: np.asarray(value, "f4") for name, value in tensors.items()})


if __name__ == "__main__":
    main()
