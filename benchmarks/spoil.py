"""Files cut short or filled with garbage, and disks that are full or read-only; then a run."""

import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from small import STAGES, WAYS, expected, read_params, shell, write_params, wrong

LITTLE_DISK = 20_000_000


def corruption(numbers: Iterable[int], chance: random.Random) -> None:
    """Spoil a file, then run."""
    shell(*WAYS["dvc repro"])
    objects = [path for path in Path(".dvc/cache/files").rglob("*") if path.is_file()]
    kinds: dict[str, list[Path]] = {
        "busy paths": [Path(".dvc/tmp/rwlock")],
        "workspace lock": [Path(".dvc/tmp/selfsame.lock")],
        "stage lock": [Path(".dvc/tmp/stage-two.lock")],
        "a flow's file": [Path(".dvc/tmp/flows/run-terminal-0")],
        "dvc.lock": [Path("dvc.lock")],
        "cache object": objects,
        "noted run": [path for path in Path(".dvc/cache/runs").rglob("*") if path.is_file()],
        "output": [Path("two.txt")],
        "half an output": [Path(".partial-three.txt")],
    }
    tally: Counter[tuple[str, str]] = Counter()
    for number in numbers:
        kind = list(kinds)[number % len(kinds)]
        path = chance.choice(kinds[kind])
        path.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
        spoilt = chance.choice(
            [b"", content[: len(content) // 2], chance.randbytes(100), b"\0" * 100, b"{[<<<<\n"]
        )
        if path.exists():
            path.chmod(0o644)
        path.write_bytes(spoilt)
        way = ("flow", "dvc repro")[number // len(kinds) % 2]
        run = shell(*WAYS[way])
        words = run.stdout + run.stderr
        if run.returncode == 0 and wrong():
            sys.exit(f"{kind} {path} = {spoilt[:40]!r}, {way}: wrong {wrong()} in silence")
        if "Traceback" in words:
            sys.exit(f"{kind} {path} = {spoilt[:40]!r}, {way}:\n{words}")
        tally[kind, "recovered" if run.returncode == 0 else "one sentence"] += 1
        if run.returncode:  # a person restores or deletes what the sentence names
            path.write_bytes(content) if content else path.unlink(missing_ok=True)
            shell("dvc", "--wait-for-lock", "repro")
        elif kind in ("noted run", "cache object") and content and path.exists():
            path.chmod(0o644)
            path.write_bytes(content)  # one spoilt file at a time
        if wrong():
            sys.exit(f"{kind} {path}: wrong {wrong()} at last\n{words}")
    print(f"{number + 1} files spoilt: none served, no traceback")
    for (kind, outcome), count in sorted(tally.items()):
        print(f"  {kind:16} {outcome:14} {count}")


@contextmanager
def little_disk(place: Path) -> Iterator[None]:
    """Put a disk of ``LITTLE_DISK`` bytes in a folder's place, with the folder's content; needs root."""
    aside = place.with_name(f"{place.name}-aside")
    place.mkdir(parents=True, exist_ok=True)
    shutil.copytree(place, aside, symlinks=True)
    mounted = shell("mount", "-t", "tmpfs", "-o", f"size={LITTLE_DISK}", "tmpfs", str(place))
    if mounted.returncode:
        sys.exit(f"the disk part needs root: {mounted.stderr}")
    try:
        shutil.copytree(aside, place, symlinks=True, dirs_exist_ok=True)
        yield
        shutil.rmtree(aside)
        shutil.copytree(place, aside, symlinks=True)
    finally:
        shell("umount", "--lazy", str(place))
        shutil.copytree(aside, place, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(aside)


def disk(numbers: Iterable[int], chance: random.Random) -> None:
    """Fill a disk, or make it read-only, where something is written; then mend it and run again."""
    places = [".dvc/cache", ".dvc/tmp", "lineage", ".scratch", os.environ["PREFECT_HOME"]]
    shell(*WAYS["flow"])
    tally: Counter[tuple[str, str, str]] = Counter()
    for number in numbers:
        place = Path(places[number % len(places)]).resolve()
        full = number // len(places) % 4 != 3
        with little_disk(place):
            before = {name: Path(f"{name}.txt").read_bytes() for name in STAGES}
            values = read_params()
            values[chance.choice(list(STAGES))] = chance.randrange(1000)
            write_params(values)
            filler = place / "filler"
            if full:
                room = shutil.disk_usage(place).free - chance.choice([0, 4096, 30_000, 200_000])
                filler.write_bytes(b"\0" * max(room, 0))
            else:
                shell("mount", "-o", "remount,ro", str(place))
            way = ("flow", "dvc repro")[number % 2]
            run = shell(*WAYS[way])
            words = run.stdout + run.stderr
            kind = "full" if full else "read-only"
            spoilt = [
                name
                for name in STAGES
                if Path(f"{name}.txt").read_bytes() not in (before[name], expected()[name].encode())
            ]
            if spoilt or (run.returncode == 0 and wrong()) or "Traceback" in words:
                sys.exit(
                    f"{kind} {place}, {way}: status {run.returncode}, spoilt {spoilt}, {wrong()}\n{words}"
                )
            if full:
                filler.unlink()
            else:
                shell("mount", "-o", "remount,rw", str(place))
            tally[place.name, kind, "one sentence" if run.returncode else "went well"] += 1
            again = shell(*WAYS[way])
            if again.returncode or wrong():
                sys.exit(f"{kind} {place}, {way}, mended: {wrong()}\n{words}\n{again.stdout}{again.stderr}")
    print(f"{number + 1} times: old results whole, no traceback, and the run after it ended well")
    for (place_name, kind, outcome), count in sorted(tally.items()):
        print(f"  {place_name:10} {kind:10} {outcome:14} {count}")
