"""Real PHANGS data: fetch a galaxy's files from the archives, and make the course's table of it.

    python data/fetch.py ngc7496            fetch what the table is made of
    python data/fetch.py build ngc7496      make the table, at 150 pc
    python data/fetch.py list               what there is, how large, and what is here
    python data/fetch.py verify             compare what is here with its checksums
    python data/fetch.py clean ngc7496      remove what was fetched and built

Fetching can be stopped and started again at any moment. Files go to data/phangs/, or to the folder
that --to names. The work is done by helpers/archives.py and helpers/build.py.
"""

import argparse
import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORDS = ("list", "verify", "build", "clean")
ASK_ABOVE = 1_000_000_000


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="data/fetch.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("what", nargs="*", help="galaxies, or one of the words above and galaxies")
    made.add_argument("--surveys", nargs="+", help="alma, muse, jwst, hst, masks (all but hst)")
    made.add_argument("--to", type=Path, help="the folder of the files")
    made.add_argument("--registry", type=Path, help="addresses of your own (see docs/fetching.md)")
    made.add_argument("--dry-run", action="store_true", help="say what would be fetched, and stop")
    made.add_argument("--jobs", type=int, default=2, help="files at a time")
    part = made.add_mutually_exclusive_group()
    part.add_argument("--subset", action="store_true", help="needed extensions only (as always)")
    part.add_argument("--whole", action="store_true", help="whole files, with every extension")
    made.add_argument("--yes", action="store_true", help="do not ask, however much it is")
    made.add_argument("--co", choices=("detected", "all"), default="detected",
                      help="build: pixels with CO, or all")  # fmt: skip
    made.add_argument("--kernels", type=Path, help="build: a folder of convolution kernels")
    return made


def main(words: list[str]) -> int:
    from helpers import archives
    from helpers.download import Refused

    options = parser().parse_args(words)
    options.to = archives.FOLDER if options.to is None else options.to
    word = options.what[0] if options.what and options.what[0] in WORDS else "fetch"
    options.galaxies = options.what[word != "fetch" :]
    if word == "fetch" and not options.galaxies:
        parser().print_help()
        return 1
    if options.jobs < 1:
        print(f"--jobs {options.jobs}: give 1 or more.", file=sys.stderr)
        return 1
    try:
        return DO[word](options)
    except (ValueError, Refused, OSError) as fault:
        print(fault, file=sys.stderr)
    except KeyboardInterrupt:
        print("\nStopped. What has come is kept; start again to go on.", file=sys.stderr)
    return 1


def size(count: int | None) -> str:
    if count is None:
        return "?"
    return f"{count / 1e9:.1f} GB" if count > 1e9 else f"{count / 1e6:.1f} MB"


def fetch(options) -> int:
    from helpers import archives
    from helpers.download import Connection
    from helpers.galaxies import get_galaxy

    connection, surveys = Connection(), options.surveys or archives.USUAL
    galaxies = [get_galaxy(name) for name in options.galaxies]
    plans = []
    for galaxy in galaxies:
        print(f"{galaxy.name}: asking the archives ...", flush=True)
        made = archives.plan(
            galaxy, surveys, options.to, connection=connection, own=options.registry
        )
        plans += made
        for outcome, _ in made:
            if outcome.state != "absent" or outcome.why:
                print(
                    f"  {outcome.survey:5} {outcome.product:18} {outcome.state:9}"
                    f"{size(outcome.bytes):>10}"
                )
        for why in dict.fromkeys(o.why for o, _ in made if o.why):
            print(f"  {why}")
        absent = [o.product for o, _ in made if o.state == "absent"]
        if absent:
            print(f"  not in the archives: {', '.join(absent)}")
    coming = [o for o, _ in plans if o.state == "to fetch"]
    known = sum(o.bytes or 0 for o in coming)
    unknown = sum(o.bytes is None for o in coming)
    more = f", and {unknown} file(s) of unknown size" if unknown else ""
    some = "" if options.whole else "at most "
    place = next(p for p in (options.to, *options.to.resolve().parents) if p.is_dir())
    free = shutil.disk_usage(place).free
    print(
        f"To fetch: {len(coming)} file(s), {some}{size(known)}{more}; on disk as much, and "
        f"{size(free)} are free in {place}."
    )
    if options.dry_run or not coming:
        return int(any(o.state == "failed" for o, _ in plans))
    if known > free:
        print("That does not fit: make room, or give another folder with --to.", file=sys.stderr)
        return 1
    if known > ASK_ABOVE and not options.yes:
        if not sys.stdin.isatty():
            print("That is above 1 GB: say --yes if you want it.", file=sys.stderr)
            return 1
        if input("That is above 1 GB. Fetch it? [y/N] ").strip().lower() not in ("y", "yes"):
            return 1
    outcomes = archives.fetch(
        plans,
        options.to,
        subset=not options.whole,
        jobs=options.jobs,
        connection=connection,
        progress=Told(),
    )
    failed = [o for o in outcomes if o.state == "failed"]
    fetched = [o for o in outcomes if o.state == "fetched"]
    print(
        f"Fetched {len(fetched)} file(s), {size(sum(o.bytes for o in fetched))}; "
        f"{size(connection.received)} in {connection.requests} requests."
    )
    for outcome in fetched:
        if outcome.why:
            print(f"  {outcome.survey} {outcome.product}: {outcome.why}")
    for outcome in failed:
        print(f"  {outcome.survey} {outcome.product}: {outcome.why}", file=sys.stderr)
    if not failed:
        keys = " ".join(galaxy.key for galaxy in galaxies)
        print(f"Next: python data/fetch.py build {keys}")
    return int(bool(failed))


class Told:
    """A line now and then on how far each file has come."""

    def __init__(self, every: float = 5):
        self.every, self.next, self.lock = every, {}, threading.Lock()

    def __call__(self, name: str, done: int, total: int | None) -> None:
        with self.lock:
            now = time.monotonic()
            begun = name not in self.next
            if done != total and not begun and now < self.next[name]:
                return
            self.next[name] = now + self.every
            if not begun or done == total:
                of = "" if total is None else f" of {size(total)}"
                print(f"  {name}: {size(done)}{of}", flush=True)


def build(options) -> int:
    from helpers.build import build

    if not options.galaxies:
        print("Say which galaxy: python data/fetch.py build ngc7496", file=sys.stderr)
        return 1
    for name in options.galaxies:

        def told(what: str, done: int, of: int) -> None:
            print(f"  {done} of {of} maps; {what} ...", flush=True)

        table = build(name, options.to, co=options.co, kernels=options.kernels, progress=told)
        for what, why in table.meta["left_out"].items():
            print(f"  left out: {what}: {why}")
        absent = ", ".join(what for _, what in table.meta["absent"]) or "nothing"
        print(f"{table['galaxy'][0]}: a table of {len(table)} pixels; maps it lacks: {absent}.")
    return 0


def list_(options) -> int:
    from helpers import archives
    from helpers.galaxies import RESOLUTION, SAMPLE, get_galaxy

    names = options.galaxies or SAMPLE
    print(f"{'galaxy':10}{'150 pc':>8}   products read / inferred   here")
    for galaxy in map(get_galaxy, names):
        places = archives.products(galaxy, archives.USUAL, options.registry)
        read = sum(any(p.sure == "read" for p in each) for each in places.values())
        here = [
            path
            for each in places.values()
            if (path := next(filter(None, (archives.local(p, options.to) for p in each)), None))
        ]
        amount = f"{len(here)} files, {size(sum(p.stat().st_size for p in here))}" if here else "-"
        table = ", table" if (options.to / f"{galaxy.key}_table.ecsv").is_file() else ""
        print(
            f'{galaxy.name:10}{galaxy.angle(RESOLUTION).value:>7.2f}"   '
            f"{read:>13} / {len(places) - read:<8}   {amount}{table}"
        )
    print("Sizes in the archives: python data/fetch.py ngc7496 --dry-run")
    return 0


def verify(options) -> int:
    from helpers import archives

    states = archives.check_sums(options.to)
    for path, state in states.items():
        if state != "right":
            print(f"{path.parent.name}/{path.name}: {state}")
    right = sum(state == "right" for state in states.values())
    print(f"{right} of {len(states)} files are as they were when they were fetched.")
    if right < len(states):
        print("Remove those that changed, and fetch again.")
    return int(right < len(states))


def clean(options) -> int:
    from helpers import archives

    if not options.galaxies and not options.yes:
        print("Say which galaxy, or --yes for all that was fetched.", file=sys.stderr)
        return 1
    for name in options.galaxies or [None]:
        freed = archives.clean(name, options.to)
        print(f"{name or 'everything'}: {size(freed)} removed.")
    return 0


DO = {"fetch": fetch, "build": build, "list": list_, "verify": verify, "clean": clean}


def with_the_courses_python() -> None:
    """Start again with the Python that has what the course needs, installing it if need be."""
    import course

    try:
        course.install(course.LAB_LOCK)
    except (course.Failure, OSError) as failure:
        sys.exit(f"\n{failure}")
    command = [str(course.PYTHON), __file__, *sys.argv[1:]]
    if os.name == "posix":
        os.execve(command[0], command, course.environment())
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(subprocess.call(command, env=course.environment()))
    sys.exit(1)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    if any(importlib.util.find_spec(name) is None for name in ("pooch", "astropy", "filelock")):
        with_the_courses_python()
    sys.exit(main(sys.argv[1:]))
