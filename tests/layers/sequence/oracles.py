"""The papers' formulas in NumPy, float64: a loop over sequences, positions and heads.

Each takes a list of the vectors that count, `(n, dim)`, without any padding, and weights by name.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf


def layer_norm(x, gamma, beta, epsilon=1e-6):
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + epsilon) * gamma + beta


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def attention(x, query, key, value, heads, causal):
    n, dim = x.shape
    size = dim // heads
    q, k, v = x @ query, x @ key, x @ value
    result = np.zeros((n, dim))
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for t in range(n):
            seen = range(t + 1) if causal else range(n)
            scores = np.array([q[t, part] @ k[s, part] / np.sqrt(size) for s in seen])
            for s, weight in zip(seen, softmax(scores), strict=True):
                result[t, part] += weight * v[s, part]
    return result


def block(x, w, heads=1, norm="pre", causal=True):
    """One block; `w` in the order query, key, value, W1, b1, W2, b2, gamma, beta, gamma, beta."""
    query, key, value, w1, b1, w2, b2, *norms = w

    def attend(x):
        return attention(x, query, key, value, heads, causal)

    def network(x):
        return np.maximum(x @ w1 + b1, 0.0) @ w2 + b2

    for g, (gamma, beta) in zip((attend, network), (norms[:2], norms[2:]), strict=True):
        if norm == "pre":
            x = x + g(layer_norm(x, gamma, beta))
        else:
            x = layer_norm(x + g(x), gamma, beta)
    return x


def sasrec(x, w, blocks, heads=1, norm="pre", scale=True):
    """All positions of SASRec; `w` the positions, the blocks' weights, and the last norm's."""
    n, dim = x.shape
    positions, *rest = w
    x = (x * np.sqrt(dim) if scale else x) + positions[:n][::-1]
    for number in range(blocks):
        x = block(x, rest[11 * number : 11 * number + 11], heads, norm)
    return layer_norm(x, *rest[11 * blocks :]) if norm == "pre" else x


def gru(x, w, reset_after=False):
    """All states of a GRU; kernels with the columns of z, r and the candidate side by side."""
    kernel, recurrent, bias = w
    units = kernel.shape[1] // 3
    cut = [slice(i * units, (i + 1) * units) for i in range(3)]
    inner = bias[1] if reset_after else np.zeros(3 * units)
    outer = bias[0] if reset_after else bias
    h, states = np.zeros(units), []
    for step in x:
        z, r = (
            sigmoid(step @ kernel[:, c] + outer[c] + h @ recurrent[:, c] + inner[c])
            for c in cut[:2]
        )
        c = cut[2]
        after, before = r * (h @ recurrent[:, c] + inner[c]), (r * h) @ recurrent[:, c]
        past = after if reset_after else before
        h = z * h + (1.0 - z) * np.tanh(step @ kernel[:, c] + outer[c] + past)
        states.append(h)
    return np.array(states).reshape(len(x), units)


def numeric_gradient(f: Callable, arguments: list, eps: float = 1e-6) -> list:
    """Returns the gradient of `f(*arguments)`, a number, by central differences."""
    gradients = []
    for number, argument in enumerate(arguments):
        gradient = np.zeros_like(argument)
        for place in np.ndindex(*argument.shape):
            values = []
            for sign in (1.0, -1.0):
                moved = argument.copy()
                moved[place] += sign * eps
                values.append(f(*arguments[:number], moved, *arguments[number + 1 :]))
            gradient[place] = (values[0] - values[1]) / (2 * eps)
        gradients.append(gradient)
    return gradients


def randomize(layer, seed=0, scale=0.5):
    """Gives every trainable weight values that no two share, and returns them as float64."""
    rng = np.random.default_rng(seed)
    for weight in layer.trainable_weights:
        around = 1.0 if "gamma" in weight.path else 0.0
        weight.assign(around + rng.normal(size=weight.shape, scale=scale))
    return [np.asarray(weight, "float64") for weight in layer.trainable_weights]


def tape_gradients(layer, x, probe, **kwargs):
    """Returns the output, and the gradients of `sum(output * probe)` by inputs and weights."""
    x = tf.convert_to_tensor(x, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, **kwargs)
        loss = tf.reduce_sum(tf.cast(y, tf.float32) * probe)
    by_x, by_weights = tape.gradient(loss, [x, [w.value for w in layer.trainable_weights]])
    return (
        np.asarray(y),
        np.asarray(by_x),
        [np.asarray(tf.convert_to_tensor(g)) for g in by_weights],
    )


def activation_unit(q, history, w, activate, normalize=False):
    """Target attention of one item to what counts of a history; kernels and biases in turn."""
    n, dim = history.shape
    x = np.array([np.concatenate([q, k, q - k, q * k]) for k in history]).reshape(n, 4 * dim)
    for number in range(0, len(w), 2):
        x = x @ w[number] + w[number + 1]
        x = activate(x, number // 2) if number < len(w) - 2 else x
    a = softmax(x[:, 0]) if normalize else x[:, 0]
    return sum((a[t] * history[t] for t in range(n)), start=np.zeros(dim)), a
