"""Compiles the engine without TensorFlow, three times, and runs its own tests.

Plain: the flags of the op. ASan and UBSan: memory and overflow. TSan:
races. Objects stay in pytest's cache, named by what they are made of, so that an unchanged engine
is not compiled again.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
import platform
import re
import shutil
import subprocess

import pytest

from recs.ops import build

HERE = pathlib.Path(__file__).parent
SLOW = pytest.mark.slow

SANITIZED = ("-O1", "-g1", "-ffp-contract=off")


@dataclasses.dataclass(frozen=True)
class Variant:
    name: str
    engine: tuple[str, ...]
    tests: tuple[str, ...]
    link: tuple[str, ...] = ()
    in_units: bool = True
    environment: tuple[tuple[str, str], ...] = ()


_ASAN = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_TSAN = ("-fsanitize=thread",)
VARIANTS = {
    variant.name: variant
    for variant in (
        # Tests at -O1: they compile in half the time.
        Variant("plain", build.ENGINE_FLAGS, ("-O1", "-ffp-contract=off")),
        # Source by source: each has the headers it needs.
        Variant("asan", SANITIZED + _ASAN, SANITIZED + _ASAN, _ASAN, in_units=False),
        # A reader holds all shards' locks; the detector of deadlocks follows at most 64 a thread.
        Variant("tsan", SANITIZED + _TSAN, SANITIZED + _TSAN, _TSAN,
                environment=(("TSAN_OPTIONS", "detect_deadlocks=0:halt_on_error=1"),)),
    )
}  # fmt: skip

UNIT_TESTS = tuple(sorted(p.name for p in HERE.glob("*_test.cc")))
PROGRAMS = {
    "unit": (*UNIT_TESTS, "main.cc"),
    "fuzz_table": ("fuzz_table.cc",),
    "fuzz_table_file": ("fuzz_table_file.cc", "fuzz_inputs.cc"),
    "allocation_failure": ("allocation_failure.cc",),
    "concurrency": ("concurrency.cc",),
    "replay": ("replay.cc",),
    "crash": ("crash.cc",),
    "soak": ("soak.cc",),
}
LINK = {
    "allocation_failure": ("-Wl,--wrap=calloc,--wrap=mmap",),
    "unit": ("-Wl,--wrap=read",),
}


class Builder:
    """Compiles and links into a folder that outlives the session."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._units = folder / "units"
        self.compiler = build.find_compiler()
        version = subprocess.run([self.compiler, "--version"], capture_output=True, check=True)
        headers = sorted([*build.SOURCES.rglob("*.h"), *HERE.glob("*.h")])
        self._common = version.stdout + b"".join(p.read_bytes() for p in headers)

    def program(self, name: str, variant: Variant) -> pathlib.Path:
        folders = (build.SOURCES / part for part in build.ENGINE_FOLDERS)
        engine = sorted(p for folder in folders for p in folder.glob("*.cc"))
        if variant.in_units:
            self._units.mkdir(exist_ok=True)
            engine = build.engine_units(engine, self._units)
        jobs = [(source, (*variant.engine, *build.UNIT_FLAGS)) for source in engine]
        jobs += [(HERE / source, variant.tests) for source in PROGRAMS[name]]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            objects = list(pool.map(lambda job: self._object(*job), jobs))
        linked = self.folder / f"{name}-{variant.name}"
        self._run([*map(str, objects), "-pthread", *variant.link, *LINK.get(name, ())], linked)
        return linked

    def _object(self, source: pathlib.Path, flags: tuple[str, ...]) -> pathlib.Path:
        contents = source.read_bytes()
        if source.parent == self._units:
            included = re.findall(r'#include "(.*)"', contents.decode())
            contents = b"".join((build.SOURCES / name).read_bytes() for name in included)
        parts = (self._common, contents, " ".join(flags).encode())
        target = (
            self.folder / f"{source.stem}-{hashlib.sha256(b'|'.join(parts)).hexdigest()[:16]}.o"
        )
        if not target.exists():
            includes = [f"-I{build.SOURCES}", f"-I{HERE}"]
            self._run([*flags, "-std=c++17", *build.WARNINGS, *includes, "-c", str(source)], target)
        return target

    def _run(self, arguments: list[str], target: pathlib.Path) -> None:
        # Another session may build at the same time: each writes beside and renames.
        partial = target.with_suffix(f".{os.getpid()}")
        command = [self.compiler, *arguments, "-o", str(partial)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
        partial.replace(target)


@pytest.fixture(scope="session")
def builder(request: pytest.FixtureRequest) -> Builder:
    if platform.system() != "Linux":
        pytest.skip("the engine's tests use the linker and the sanitizers of Linux")
    return Builder(request.config.cache.mkdir("engine"))


def run(builder: Builder, name: str, variant: str, *arguments: str) -> str:
    chosen = VARIANTS[variant]
    done = subprocess.run(
        [str(builder.program(name, chosen)), *arguments],
        capture_output=True, text=True, check=False, timeout=1200,
        env={**os.environ, **dict(chosen.environment)},
    )  # fmt: skip
    assert done.returncode == 0, f"{name} ({variant}) {arguments}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize(
    "variant", ["plain", pytest.param("asan", marks=SLOW), pytest.param("tsan", marks=SLOW)]
)
def test_every_part(builder, variant):
    assert "tests passed" in run(builder, "unit", variant)


# A million operations, and fewer where each costs tens of times as much.
@pytest.mark.parametrize(
    ("variant", "operations"),
    [
        ("plain", 20_000),
        pytest.param("plain", 1_000_000, marks=SLOW),
        pytest.param("asan", 100_000, marks=SLOW),
    ],
)
def test_random_operations_against_a_map(builder, variant, operations):
    assert "operations" in run(builder, "fuzz_table", variant, "--operations", str(operations))


CORPUS = sorted(map(str, (HERE / "corpus" / "table_file").iterdir()))


@pytest.mark.parametrize(
    ("variant", "changes"), [("plain", 100), pytest.param("asan", 1_000, marks=SLOW)]
)
def test_files_of_any_contents_are_read_or_refused(builder, variant, changes):
    output = run(builder, "fuzz_table_file", variant, str(changes), *CORPUS)
    assert output == f"{len(CORPUS) * (changes + 1)} inputs\n"


@SLOW
def test_libfuzzer_finds_nothing_in_files(tmp_path):
    clang = shutil.which("clang++")
    if clang is None:
        pytest.skip("libFuzzer comes with clang")
    (tmp_path / "empty.cc").write_text(
        'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n'
    )
    empty = [clang, "-fsanitize=fuzzer", "empty.cc", "-o", "empty"]
    if subprocess.run(empty, cwd=tmp_path, capture_output=True, check=False).returncode:
        pytest.skip("this clang is without the runtime of libFuzzer")
    folders = (build.SOURCES / part for part in build.ENGINE_FOLDERS)
    engine = [str(p) for folder in folders for p in sorted(folder.glob("*.cc"))]
    flags = (*SANITIZED, "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")
    program = str(tmp_path / "fuzz")
    subprocess.run(
        [clang, *flags, "-std=c++17", f"-I{build.SOURCES}", f"-I{HERE}", *engine,
         str(HERE / "fuzz_table_file.cc"), "-pthread", "-o", program], check=True,
    )  # fmt: skip
    # The same inputs in every run. Remove the seed and the limit to look for new ones.
    limits = ["-seed=1", "-runs=20000", "-max_len=8192", "-rss_limit_mb=4096"]
    new_inputs = tmp_path / "new_inputs"
    new_inputs.mkdir()
    corpus = [str(new_inputs), str(HERE / "corpus" / "table_file")]
    subprocess.run([program, *limits, *corpus], check=True, cwd=tmp_path)


def test_operations_can_be_replayed_from_a_file(builder, tmp_path):
    inputs = [bytes([kind, 1, *range(256), *range(0, 256, 3)]) for kind in (0, 1)]
    for i, content in enumerate([b"", *inputs]):
        (tmp_path / str(i)).write_bytes(content)
    output = run(builder, "fuzz_table", "plain", *(str(tmp_path / str(i)) for i in range(3)))
    counts = [int(line.split()[1]) for line in output.splitlines()]
    assert counts[0] == 0
    assert min(counts[1:]) > 5


@SLOW
@pytest.mark.parametrize("variant", ["plain", "asan"])
def test_every_allocation_may_fail(builder, variant):
    assert "passed" in run(builder, "allocation_failure", variant)


@SLOW
@pytest.mark.parametrize(
    ("variant", "rounds"),
    [("plain", 200), ("tsan", 40)],
)
def test_everything_at_once(builder, variant, rounds):
    assert "passed" in run(builder, "concurrency", variant, str(rounds))


@SLOW
@pytest.mark.parametrize(
    ("variant", "steps"),
    [("plain", 300), ("tsan", 30)],
)
def test_saves_beside_training_are_of_the_step_they_name(builder, variant, steps):
    assert "passed" in run(builder, "replay", variant, str(steps))


@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=SLOW)])
def test_a_killed_process_leaves_the_last_complete_state(builder, kills):
    assert "passed" in run(builder, "crash", "plain", str(kills))


@SLOW
def test_cycles_of_saving_evicting_and_restoring_keep_their_memory(builder):
    assert "passed" in run(builder, "soak", "plain", "100")


def test_a_failing_check_names_seed_and_operation(builder, tmp_path):
    """The one thing that no passing run shows."""
    source = tmp_path / "fails.cc"
    source.write_text(
        '#include "check.h"\n'
        'int main() { recs::testing::note = "seed 5, operation 7"; CHECK_EQ(1 + 1, 3); }\n'
    )
    program = tmp_path / "fails"
    subprocess.run(
        [builder.compiler, "-std=c++17", f"-I{HERE}", str(source), "-o", str(program)], check=True
    )
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "CHECK_EQ(1 + 1, 3): 2 and 3; during seed 5, operation 7" in done.stderr
