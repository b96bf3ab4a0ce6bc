"""Reads `go test -json` files.

    testresults.py words FILE        what tests logged of their counts, seeds and measurements, under the test's name
    testresults.py loud FILE         why suites or tests did not run, in their own words
    testresults.py repeatable FILE   the failed tests that may be repeated, a line each: package and test. The exit status
                                     is 1 when anything else failed: a test that is not in quarantine, or a package
                                     whose failure no test explains
    testresults.py missing FILE PACKAGE...   the packages that have no result at all: what ran them has died. The exit
                                     status is 1 when there are any
    testresults.py rates FILE        how often each test failed, of how many runs, where that is above 0
    testresults.py failures FILE     what the tests that failed last said, without the progress of their clusters
    testresults.py counts FILE       how many tests passed, failed and were skipped, by their last result
    testresults.py quarantine [DAYS] checks scripts/quarantine.txt; with DAYS, no entry may be older
"""

import datetime
import json
import os
import pathlib
import re
import sys

MODULE = "github.com/geoshard/geoshard"
QUARANTINE = pathlib.Path(os.environ.get("GEOSHARD_QUARANTINE") or pathlib.Path(__file__).with_name("quarantine.txt"))
MOST_QUARANTINED = 5
MOST_LINES = 60  # of one failed test
LOGGED = re.compile(r"\s+(\w+\.go):\d+: (.*\d.*)")
PROGRESS = re.compile(r"^\d+\.\d\ds ")  # of clusters that tests start
LOUD = re.compile(r"((?:CONTAINER SUITE NOT RUN|NOT TESTED).*)")
RESULTS = ("pass", "fail", "skip")


def read(path):
    """Returns the results of tests and of packages, each a list in the order of the runs, and what each said."""
    tests, packages, words = {}, {}, {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            package = event.get("Package", event.get("ImportPath", "")).removeprefix(MODULE).strip("/") or "."
            test = (package, event.get("Test", ""))
            if event["Action"] in RESULTS:
                (tests if test[1] else packages).setdefault(test, []).append(event["Action"])
            elif event["Action"] == "build-fail":
                packages.setdefault((package, ""), []).append("fail")
            elif event["Action"] == "output":
                words.setdefault(test, []).append(event["Output"].rstrip("\n"))
    return tests, packages, words


def quarantined():
    """Returns the tests in quarantine with their dates. What is wrong with the file ends the program."""
    entries = {}
    for number, line in enumerate(QUARANTINE.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split(maxsplit=3)
        try:
            package, test, date, _reason = fields
            entries[package, test] = datetime.date.fromisoformat(date)
        except ValueError:
            sys.exit(f"{QUARANTINE.name}:{number}: want PACKAGE TEST YYYY-MM-DD REASON, got: {line}")
        if "/" in test:
            sys.exit(f"{QUARANTINE.name}:{number}: name the top-level test, not a subtest: {test}")
    if len(entries) > MOST_QUARANTINED:
        sys.exit(f"{QUARANTINE.name}: {len(entries)} entries, at most {MOST_QUARANTINED} are allowed: make one of the tests right")
    return entries


def show_words(tests, words):
    for test, said in words.items():
        if not test[1] or tests.get(test, ["fail"])[-1] == "fail":
            continue
        told = [m[2].strip() for m in map(LOGGED.match, said) if m and not PROGRESS.match(m[2].strip())]
        if told:
            print(f"--- {test[0]} {test[1]}", *(f"    {line[:240]}" for line in told[:40]), sep="\n")


def show_failures(tests, words):
    for test, results in tests.items():
        if results[-1] != "fail":
            continue
        said = [line for line in words.get(test, []) if not ((m := LOGGED.match(line)) and PROGRESS.match(m[2].strip()))]
        print(f"=== failed: {test[0]} {test[1]}", *(line[:1000] for line in said[-MOST_LINES:]), sep="\n")


def repeatable(tests, packages, words):
    """Prints the failed tests in quarantine; returns whether nothing else failed."""
    allowed = quarantined()
    failed = {(package, name.split("/")[0]) for (package, name), results in tests.items() if results[-1] == "fail"}
    only = True
    for test in sorted(failed):
        if test in allowed:
            print(*test)
        else:
            only = False
    for (package, _), results in packages.items():
        explained = any(p == package for p, _ in failed)
        # Tests behind one that panics, or that ran out of time, did not run.
        stopped = any(line.startswith("panic: ") for (p, _), said in words.items() if p == package for line in said)
        if results[-1] == "fail" and (stopped or not explained):
            only = False
    return only


def show_rates(tests):
    for (package, name), results in sorted(tests.items()):
        if failed := results.count("fail"):
            print(f"{failed} of {len(results)} runs failed: {package} {name}")


def main(view, *arguments):
    if view == "quarantine":
        entries = quarantined()
        for (package, test), date in entries.items():
            age = (datetime.date.today() - date).days
            print(f"in quarantine for {age} days: {package} {test}")
            if arguments and age > int(arguments[0]):
                sys.exit(f"{QUARANTINE.name}: {package} {test} is there for more than {arguments[0]} days: make it right")
        return
    tests, packages, words = read(arguments[0])
    if view == "words":
        show_words(tests, words)
    elif view == "failures":
        show_failures(tests, words)
    elif view == "loud":
        print(*sorted({m[1].strip() for said in words.values() for m in map(LOUD.search, said) if m}), sep="\n")
    elif view == "repeatable":
        sys.exit(0 if repeatable(tests, packages, words) else 1)
    elif view == "missing":
        known = {package for package, _ in packages}
        missing = [p for p in (name.removeprefix("./") for name in arguments[1:]) if p not in known]
        print(*(f"NO RESULT: {p}: what ran its tests was ended from outside, or has died" for p in missing), sep="\n", end="\n" if missing else "")
        sys.exit(1 if missing else 0)
    elif view == "rates":
        show_rates(tests)
    elif view == "counts":
        last = [results[-1] for results in tests.values()]
        print(", ".join(f"{last.count(r)} {label}" for r, label in zip(RESULTS, ("passed", "failed", "skipped"))))
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
