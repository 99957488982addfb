#!/usr/bin/python3
"""Reads `go test -json` and says what ran on PostgreSQL.

Exit code 1 when a test failed, or when a package has no sub-test named "postgres"
or fewer of them than of "sqlite": its cases on PostgreSQL did not run.
"""

import collections
import json
import sys


def main(path):
    results = collections.defaultdict(collections.Counter)
    output = collections.defaultdict(list)
    failed = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("{"):
                continue
            event = json.loads(line)
            package = event.get("Package", event.get("ImportPath", "?"))
            test, action = event.get("Test", ""), event["Action"]
            if action in ("output", "build-output"):
                output[package, test].append(event["Output"])
            elif action in ("fail", "build-fail"):
                failed.append((package, test))
            elif action == "pass":
                results[package].update()  # a package counts also without any case
                for engine in ("sqlite", "postgres"):
                    if engine in test.split("/")[1:]:
                        results[package][engine] += 1
    for key in failed:
        sys.stderr.write("FAIL %s %s\n%s" % (*key, "".join(output[key][-40:])))
    missing = 0
    for package, count in sorted(results.items()):
        print("accept: postgres: %s: %d cases on PostgreSQL" % (package.split("/", 1)[1], count["postgres"]))
        if count["postgres"] < max(count["sqlite"], 1):
            print("accept: postgres: %s: but %d on SQLite" % (package, count["sqlite"]), file=sys.stderr)
            missing += 1
    if not results:
        print("accept: postgres: no test ran", file=sys.stderr)
        missing += 1
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
