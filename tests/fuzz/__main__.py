"""Try damaged inputs at every door, and print what is wrong: `python -m tests.fuzz --inputs 10000 --seed 0`.

Each input is made from (seed, number) alone: `--only NUMBER` tries one again and shows its traceback. A door
answers with a result that its own check finds right, or with a UserError; nothing else, no second over 10 and
no gigabyte over 1.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from llmcxr.common.errors import UserError
from tests.fuzz import models, pictures, texts
from tests.fuzz.mutations import Chance
from tests.memory import peak_bytes

DOORS = (
    pictures.Pictures, pictures.DicomFiles, pictures.Arrays, texts.CsvTables, texts.NihFolders,
    texts.OpeniFolders, texts.PredictionFiles, texts.Configurations, texts.Specs, texts.Reports,
    texts.Endpoints, models.Readers, models.Prompts, models.ImageTokenizers, models.Directories,
    models.CodeStores,
)  # fmt: skip
MOST_SECONDS = 10.0  # of work; a machine shared with others may take longer by the clock
HANGS_SECONDS = 120  # by the clock
MOST_BYTES = 2**30


def main() -> int:
    options = _parse()
    numbers = [options.only] if options.only is not None else range(options.inputs)
    order = [door for door in DOORS for _ in range(door.weight)]
    signal.signal(signal.SIGALRM, _interrupt)
    with tempfile.TemporaryDirectory() as folder:
        doors = {}
        for door in DOORS:
            place = Path(folder) / door.__name__
            place.mkdir()
            doors[door] = door(place)
        faults, counts = [], Counter()
        for number in numbers:
            # a step of the same length through the doors, so that a few inputs meet all of them
            door = order[(number * 37) % len(order)]
            if options.door in (None, door.__name__):
                faults += _try(doors[door], options.seed, number, options.only is not None, counts)
    for name, count in sorted(counts.items()):
        print(f"{count:6d} {name}")
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults")
    return min(len(faults), 1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="NUMBER")
    parser.add_argument("--door", choices=[door.__name__ for door in DOORS])
    return parser.parse_args()


def _try(door: object, seed: int, number: int, is_shown: bool, counts: Counter) -> list[str]:
    """Try one input; returns what is wrong with how it was answered."""
    name, before = type(door).__name__, peak_bytes()
    said, started = "", time.process_time()
    signal.alarm(HANGS_SECONDS)
    try:
        door.try_one(Chance(seed, number))
        counts[f"{name}: read"] += 1
    except UserError as error:
        counts[f"{name}: refused"] += 1
        if is_shown:
            print(error)
    except Exception as error:
        if is_shown:
            traceback.print_exc()
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {str(error)[:160]!r} at {Path(place.filename).name}:{place.lineno}"
    finally:
        signal.alarm(0)
    seconds, after = time.process_time() - started, peak_bytes()
    wrong = [said] if said else []
    if seconds > MOST_SECONDS:
        wrong.append(f"took {seconds:.0f} s")
    if after > max(before, MOST_BYTES):
        wrong.append(f"took {after / 2**30:.1f} GB")
    return [f"{name} {number}: {one}" for one in wrong]


def _interrupt(*_: object) -> None:
    raise TimeoutError(f"no answer in {HANGS_SECONDS} s")


if __name__ == "__main__":
    sys.exit(main())
