"""Prints what tests logged of their counts, seeds and measurements, from a `go test -json` file: one line each, under the test's name.

The progress of clusters that tests start is left out; a failed test's words are printed by the runner already.
"""
import json
import re
import sys

LOGGED = re.compile(r"\s+(\w+_test\.go):\d+: (.*\d.*)")
PROGRESS = re.compile(r"^\d+\.\d\ds ")

words, failed = {}, set()
with open(sys.argv[1], encoding="utf-8") as results:
    for line in results:
        event = json.loads(line)
        test = (event.get("Package", "").split("/", 3)[-1], event.get("Test", ""))
        if event["Action"] == "fail":
            failed.add(test)
        logged = LOGGED.match(event.get("Output", ""))
        if logged and not PROGRESS.match(logged[2].strip()):
            words.setdefault(test, []).append(logged[2].strip())

for (package, test), lines in words.items():
    if (package, test) in failed:
        continue
    print(f"--- {package} {test}")
    for line in lines[:40]:
        print(f"    {line[:240]}")
