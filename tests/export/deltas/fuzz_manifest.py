"""Any bytes as the manifest of a folder of deltas: a checked chain, or an error that explains.

`python -m tests.export.deltas.fuzz_manifest [SECONDS]` goes on mutating the corpus in `manifests/`.
"""

from __future__ import annotations

import pathlib
import random
import re
import sys
import tempfile
import time

from recs.export.deltas import manifest

CORPUS = pathlib.Path(__file__).parent / "manifests"
CHAINS = {"chain", "one_base", "no_entries"}  # of the corpus; all else is refused
PIECES = [
    b"-base", b"-delta", b"../", b"/", b"\n", b"\x00", b"\xff", b"\\u0661", b"NaN", b"-Infinity",
    b"1e999", b"-1", b"9" * 30, b"9" * 5000, b"true", b"null", b"{}", b"[]", b'"', b"[" * 3000,
    b'"name"', b'"cursors"', b'"entries"', b'"version"',
]  # fmt: skip


def check(content: bytes, folder: pathlib.Path) -> bool:
    """Returns whether the content is a chain; raises an AssertionError when it is neither."""
    (folder / manifest.NAME).write_bytes(content)
    try:
        entries = manifest.read(folder)
    except ValueError as error:
        message = str(error)
    else:
        check_chain(entries, folder)
        return True
    rule = "The manifest of a folder of deltas must list bases and deltas in their order"
    assert message.startswith(rule)
    assert "Received: " in message
    assert f"(in {folder / manifest.NAME})" in message
    assert len(message) < 1000
    return False


def check_chain(entries: tuple[manifest.Entry, ...], folder: pathlib.Path) -> None:
    """Checks what `read` promises of entries, and that they can be written again."""
    numbers = [entry.number for entry in entries]
    assert numbers == sorted(set(numbers))
    for entry in entries:
        assert re.fullmatch("[0-9]+-(base|delta)", entry.name)
        assert entry.name.endswith(entry.kind)
        assert type(entry.step) is int
        assert all(type(cursor) is str for cursor in entry.cursors)
    manifest.write(folder, entries)
    assert manifest.read(folder) == entries


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Returns the content with a few bytes or pieces replaced, inserted, removed or repeated."""
    found = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(found))
        end = min(len(found), at + rng.choice([0, 0, 1, 1, 8, 60]))
        new = rng.choice(
            [b"", bytes([rng.randrange(256)]), rng.choice(PIECES), bytes(found[at:end])]
        )
        found[at : end if rng.random() < 0.7 else at] = new
    return bytes(found)


def main(seconds: float) -> None:
    rng, stop, count = random.Random(), time.monotonic() + seconds, 0
    seeds = [path.read_bytes() for path in sorted(CORPUS.iterdir())]
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < stop:
            content = mutated(rng.choice(seeds), rng)
            try:
                check(content, pathlib.Path(folder))
            except BaseException:
                print(f"after {count}: {content!r}", flush=True)
                raise
            count += 1
    print(f"{count:,} manifests: each a chain, or refused")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
