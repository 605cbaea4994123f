"""The methods of meta-learning as their papers write them: NumPy, float64, a matrix a task."""

from __future__ import annotations

import numpy as np


def forward(weights, x):
    """Returns the inputs of every layer and the output; tanh but for the last."""
    hidden = [x]
    for number, (kernel, bias) in enumerate(weights):
        x = x @ kernel + bias
        x = np.tanh(x) if number < len(weights) - 1 else x
        hidden.append(x)
    return hidden


def gradients(weights, x, y):
    """Returns the gradients of the mean over samples of the mean squared error, and of x."""
    hidden = forward(weights, x)
    delta = 2 * (hidden[-1] - y) / y.size
    found = []
    for number in reversed(range(len(weights))):
        found.insert(0, (hidden[number].T @ delta, delta.sum(0)))
        delta = delta @ weights[number][0].T
        if number:
            delta = delta * (1 - hidden[number] ** 2)
    return found, delta


def loss(weights, x, y):
    return np.mean((forward(weights, x)[-1] - y) ** 2)


def adapted(weights, x, y, rate, steps, adapting):
    """Returns a task's weights after gradient descent on its support."""
    for _ in range(steps):
        found, _ = gradients(weights, x, y)
        weights = [
            (w - rate * gw, b - rate * gb) if adapts else (w, b)
            for (w, b), (gw, gb), adapts in zip(weights, found, adapting, strict=True)
        ]
    return weights


def maml_loss(weights, tasks, rate, steps, adapting):
    """Returns the mean over tasks of the query loss; a task is `(xs, ys, xq, yq)`."""
    return np.mean(
        [loss(adapted(weights, xs, ys, rate, steps, adapting), xq, yq) for xs, ys, xq, yq in tasks]
    )


def finite_differences(function, weights, step=1e-6):
    """Returns the gradient of a function of weights by central differences."""
    found = []
    for layer, pair in enumerate(weights):
        of_layer = []
        for place, array in enumerate(pair):
            gradient = np.zeros_like(array)
            for index in np.ndindex(array.shape):
                values = []
                for sign in (1, -1):
                    moved = [[np.array(part) for part in p] for p in weights]
                    moved[layer][place][index] += sign * step
                    values.append(function([tuple(p) for p in moved]))
                gradient[index] = (values[0] - values[1]) / (2 * step)
            of_layer.append(gradient)
        found.append(tuple(of_layer))
    return found
