"""Run tests again and again on a machine that is busy with other things, and count what fails.

    python -m tests.repeat tests/e2e/test_up.py --times 20 --busy 4
    python -m tests.repeat tests/e2e/test_up.py --times 1 --busy 4 -- -k killed --again 20

Each time is a pytest of its own; with `--again 20`, one pytest runs each test twenty times in a row, on one
installation. `--busy` processes keep the processors busy meanwhile. What follows `--` goes to
pytest. Prints a line per time and, at the end, how often each test failed. The exit code is 1 if any did. Logs and
state of what failed are kept (tests/failures.py).
"""

import argparse
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
KEPT = re.compile(r"kept in (\S+)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", nargs="+", help="files or tests, as pytest takes them")
    parser.add_argument("--times", type=int, default=1_000, help="as often as this")
    parser.add_argument("--minutes", type=float, default=1_000, help="begin no further one after so many minutes")
    parser.add_argument("--busy", type=int, default=0, help="processes that keep the machine busy")
    own, _, further = " ".join(sys.argv[1:]).partition(" -- ")
    arguments = parser.parse_args(own.split())
    end, failures, done = time.monotonic() + arguments.minutes * 60, Counter[str](), 0
    with busy(arguments.busy):
        while done < arguments.times and time.monotonic() < end:
            started = time.monotonic()
            run = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", *arguments.tests, *further.split()],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            done += 1
            failed = FAILED.findall(run.stdout) or ([] if run.returncode == 0 else ["pytest itself"])
            failures.update(failed)
            kept = ", ".join(dict.fromkeys(KEPT.findall(run.stdout)))
            print(f"{done}: {time.monotonic() - started:.0f} s, {', '.join(failed) or 'passed'} {kept}", flush=True)
            if failed == ["pytest itself"]:
                print(run.stdout[-2000:], run.stderr[-2000:], flush=True)
    for test, count in failures.most_common():
        print(f"{test} failed {count} of {done} times")
    print(f"{done} times, {len(failures)} different failures")
    return bool(failures)


@contextmanager
def busy(count: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    raise SystemExit(main())
