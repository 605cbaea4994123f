"""Ranking losses, forward and backward, and ranking metrics, beside TF-Ranking's.

    python benchmarks/ranking_losses.py [--batch 128] [--size 200] [--rounds 15] [--smoke]
    python benchmarks/ranking_losses.py --memory

Both sides compute the same numbers from the same arrays inside a `tf.function`; labels are graded
from 0 to 4. TF-Ranking (0.5.5) needs Keras 2 and so runs in a process of its
own, which waits while the other works: they take turns, call by call. The ratio is TF-Ranking's
median over that of recs, of the time that passed and of the time that processors were busy, which
other work on the machine disturbs less. Without padding and weights the defaults of both are the
same, and the values are compared.

With --memory: the peak of each pairwise loss for lists of 2,000, each in a process of its own,
above what is taken before the first call. TF-Ranking's matrices of all pairs take 2 GB each there.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np
import tensorflow as tf

import recs
from benchmarks.subprocesses import add_case_option, answer, in_a_process
from benchmarks.timing import table
from tests.parity.tfr_peer import installed

PEER = pathlib.Path(__file__).parent / "peers" / "tfr_ranking.py"
PAIRWISE = (
    "PairwiseHingeLoss",
    "PairwiseLogisticLoss",
    "PairwiseSoftZeroOneLoss",
    "PairwiseMSELoss",
)
OUTPUTS = {"ClickEMLoss": 2, "MixtureEMLoss": 2, "OrdinalLoss": 3}
ASKED = (
    [{"kind": "loss", "class": name} for name in PAIRWISE]
    + [
        {"kind": "loss", "class": "PairwiseLogisticLoss", "lambda": name}
        for name in ("NDCGLambdaWeight", "NDCGLambdaWeightV2")
    ]
    + [
        {"kind": "loss", "class": name}
        for name in (
            "YetiLogisticLoss",
            "SoftmaxLoss",
            "CalibratedSoftmaxLoss",
            "UniqueSoftmaxLoss",
            "ListMLELoss",
            "ApproxNDCGLoss",
            "ApproxMRRLoss",
            "GumbelApproxNDCGLoss",
            "CoupledRankDistilLoss",
            "SigmoidCrossEntropyLoss",
            "MeanSquaredLoss",
            *OUTPUTS,
        )
    ]
    + [
        {"kind": "metric", "class": name}
        for name in (
            "MRRMetric",
            "HitsMetric",
            "PrecisionMetric",
            "RecallMetric",
            "MeanAveragePrecisionMetric",
            "NDCGMetric",
            "DCGMetric",
            "ARPMetric",
            "OPAMetric",
        )
    ]
    + [{"kind": "metric", "class": "NDCGMetric", "options": {"topn": 10}}]
)
# Random, or with ties drawn by lot: their values differ from call to call.
RANDOM = {
    "YetiLogisticLoss",
    "GumbelApproxNDCGLoss",
    "CoupledRankDistilLoss",
    "ListMLELoss",
}


class Peer:
    """TF-Ranking, in a process that waits for questions."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(PEER), str(installed())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
        )

    def ask(self, **question):
        """Returns the answer to one question."""
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.exit(self._process.stderr.read()[-4000:])
        return json.loads(line)

    def end(self) -> None:
        """Lets the process end."""
        self._process.stdin.close()
        self._process.wait()


def lists(batch, size, outputs=None):
    """Returns labels from 0 to 4, and scores."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, (batch, size)).astype("float32")
    shape = (batch, size) if outputs is None else (batch, size, outputs)
    return {"labels": labels, "scores": rng.normal(size=shape).astype("float32")}


def ours(asked, arrays):
    """Returns a call of one loss, forward and backward, or of one metric."""
    labels, scores = (tf.constant(arrays[name]) for name in ("labels", "scores"))
    options = dict(asked["options"])
    if "lambda" in asked:
        options["lambda_weight"] = getattr(recs.losses, asked["lambda"])()
    if asked["kind"] == "metric":
        metric = getattr(recs.metrics, asked["class"])(**options)

        @tf.function
        def judge(labels, scores):
            metric.update_state(labels, scores)
            return metric.result()

        return lambda: judge(labels, scores).numpy()
    loss = getattr(recs.losses, asked["class"])(**options)

    @tf.function
    def step(labels, scores):
        with tf.GradientTape() as tape:
            tape.watch(scores)
            value = loss(labels, scores)
        return value, tape.gradient(value, scores)

    return lambda: step(labels, scores)[0].numpy()


def compared(asked, peer, folder, arguments):
    """Returns a line of the table: both medians and their ratio."""
    name = asked["class"]
    asked = {**asked, "options": dict(asked.get("options", {}))}
    if name == "OrdinalLoss":
        asked["options"]["ordinal_size"] = OUTPUTS[name]
    arrays = lists(arguments.batch, arguments.size, OUTPUTS.get(name))
    path = pathlib.Path(folder, "arrays.npz")
    np.savez(path, **arrays)
    call = ours(asked, arrays)
    theirs, mine = peer.ask(arrays=str(path), **asked)["value"], float(call())
    if name not in RANDOM:
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5, err_msg=name)
    wall = {"TF-Ranking": [], "recs": []}
    busy = {"TF-Ranking": [], "recs": []}
    for turn in range(arguments.rounds + 2):
        sides = [peer_seconds, own_seconds]
        for side in sides if turn % 2 else reversed(sides):
            key, seconds, cpu = side(peer, call)
            if turn >= 2:
                wall[key].append(seconds)
                busy[key].append(cpu)
    medians = {key: float(np.median(found)) * 1e3 for key, found in wall.items()}
    busy_ratio = np.median(busy["TF-Ranking"]) / np.median(busy["recs"])
    shown = name + (f", {asked['lambda']}" if "lambda" in asked else "")
    shown += f"@{asked['options']['topn']}" if "topn" in asked["options"] else ""
    ratio = medians["TF-Ranking"] / medians["recs"]
    times = [f"{medians[key]:.2f}" for key in ("TF-Ranking", "recs")]
    return [shown, *times, f"{ratio:.2f}", f"{busy_ratio:.2f}"]


def peer_seconds(peer, call):
    found = peer.ask(run=True)
    return "TF-Ranking", found["seconds"], found["cpu"]


def own_seconds(peer, call):
    start, busy = time.perf_counter(), time.process_time()
    call()
    return "recs", time.perf_counter() - start, time.process_time() - busy


def peak(name, weight, batch, size):
    """Returns how many MB a loss takes above what was taken before."""
    small = ours({"kind": "loss", "class": name, "options": {}}, lists(4, 30))
    small()
    asked = {"kind": "loss", "class": name, "options": {}}
    asked |= {"lambda": weight} if weight else {}
    call = ours(asked, lists(batch, size))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    call()
    seconds = time.perf_counter() - start
    return [(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, seconds]


def print_memory(batch, size):
    rows = []
    cases = [(name, None) for name in (*PAIRWISE, "ApproxNDCGLoss")]
    for name, weight in [*cases, ("PairwiseLogisticLoss", "NDCGLambdaWeight")]:
        megabytes, seconds = in_a_process(
            __file__, name=name, weight=weight, batch=batch, size=size
        )
        matrix = batch * size * size * 4 / 2**20
        shown = name + (f", {weight}" if weight else "")
        rows.append([shown, f"{megabytes:.1f}", f"{matrix:.1f}", f"{seconds:.2f}"])
    print(f"{batch} lists of {size} items, forward and backward, first call")
    print(table(["loss", "peak MB", "one matrix of pairs, MB", "s"], rows))


def main() -> None:
    arguments = parse()
    if arguments.case:
        answer(peak, arguments.case)
        return
    if arguments.memory:
        print_memory(arguments.batch, 2000)
        return
    peer = Peer()
    with tempfile.TemporaryDirectory() as folder:
        rows = [compared(asked, peer, folder, arguments) for asked in ASKED]
    peer.end()
    print(
        f"{arguments.batch} lists of {arguments.size} items, {arguments.rounds} rounds, ms a call"
    )
    print(table(["loss or metric", "TF-Ranking", "recs", "ratio", "of CPU time"], rows))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--memory", action="store_true", help="peak memory for lists of 2,000")
    parser.add_argument("--smoke", action="store_true", help="small lists, two rounds")
    add_case_option(parser)
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.batch, arguments.size, arguments.rounds = 4, 12, 2
    return arguments


if __name__ == "__main__":
    main()
