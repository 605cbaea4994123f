"""`RECS_KERNELS` chooses the instructions of every kernel."""

from __future__ import annotations

import pytest

from recs.ops import kernel_path as paths
from tests.harness.new_process import run_code

FEATURES = {
    "portable": "flags: fpu sse2",
    "avx2": "flags: fpu avx2 fma popcnt",
    "avx512": "flags: avx2 fma popcnt avx512f avx512bw avx512cd avx512dq avx512vl",
}


@pytest.fixture(params=FEATURES)
def processor(request, tmp_path, monkeypatch):
    information = tmp_path / "cpuinfo"
    information.write_text(FEATURES[request.param])
    monkeypatch.setattr(paths, "PROCESSOR", information)
    monkeypatch.setattr(paths.platform, "machine", lambda: "x86_64")
    monkeypatch.delenv(paths.VARIABLE, raising=False)
    return request.param


def test_the_widest_path_is_the_default_and_narrower_ones_can_be_chosen(processor, monkeypatch):
    assert paths.kernel_path() == processor
    known = list(FEATURES)
    for path in known[: known.index(processor) + 1]:
        monkeypatch.setenv(paths.VARIABLE, path)
        assert paths.kernel_path() == path
    for path in known[known.index(processor) + 1 :]:
        monkeypatch.setenv(paths.VARIABLE, path)
        with pytest.raises(ValueError, match=paths.VARIABLE) as caught:
            paths.kernel_path()
        assert str(caught.value) == (
            f"`RECS_KERNELS` must name instructions that the processor has, at most '{processor}'. "
            f"Received: RECS_KERNELS='{path}' (in recs.ops). "
            "Unset it to use the widest instructions that the processor has."
        )


def test_an_unknown_path_is_refused(monkeypatch):
    monkeypatch.setenv(paths.VARIABLE, "AVX2")
    with pytest.raises(ValueError, match="`RECS_KERNELS` must be 'avx512', 'avx2' or 'portable'"):
        paths.kernel_path()


def test_another_processor_is_portable(monkeypatch):
    monkeypatch.delenv(paths.VARIABLE, raising=False)
    monkeypatch.setattr(paths.platform, "machine", lambda: "aarch64")
    assert paths.kernel_path() == "portable"


def test_the_engine_follows(monkeypatch):
    monkeypatch.setenv(paths.VARIABLE, "portable")
    program = (
        "from recs.ops.library import ops, suits_tensors\n"
        "print(suits_tensors(), ops().recs_kernel_path().numpy().decode())\n"
    )
    assert run_code(program).split() == ["False", "portable"]
