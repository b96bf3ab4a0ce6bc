"""Prints what a `go test -json` file says.

    testwords.py words FILE     what tests logged of their counts, seeds and measurements, a line each, under the test's name
    testwords.py repeated FILE  the tests that failed at first and passed when they were repeated
    testwords.py counts FILE    how many tests passed, failed and were skipped, by their last result

The progress of clusters that tests start is left out; a failed test's words are printed by the runner already.
"""

import json
import re
import sys

LOGGED = re.compile(r"\s+(\w+_test\.go):\d+: (.*\d.*)")
PROGRESS = re.compile(r"^\d+\.\d\ds ")
RESULTS = ("pass", "fail", "skip")

view, path = sys.argv[1:]
words, results = {}, {}
with open(path, encoding="utf-8") as lines:
    for line in lines:
        event = json.loads(line)
        if not event.get("Test"):
            continue
        test = (event.get("Package", "").split("/", 3)[-1], event["Test"])
        if event["Action"] in RESULTS:
            results.setdefault(test, []).append(event["Action"])
        logged = LOGGED.match(event.get("Output", ""))
        if logged and not PROGRESS.match(logged[2].strip()):
            words.setdefault(test, []).append(logged[2].strip())

if view == "words":
    for (package, name), logged in words.items():
        if results.get((package, name), ["fail"])[-1] == "fail":
            continue
        print(f"--- {package} {name}")
        for line in logged[:40]:
            print(f"    {line[:240]}")
elif view == "repeated":
    for (package, name), outcomes in results.items():
        if "fail" in outcomes[:-1] and outcomes[-1] == "pass":
            print(f"FAILED AT FIRST, PASSED WHEN REPEATED: {package} {name}")
else:
    last = [outcomes[-1] for outcomes in results.values()]
    print(", ".join(f"{last.count(r)} {label}" for r, label in zip(RESULTS, ("passed", "failed", "skipped"))))
