"""Measure the site: `python -m benchmarks.site`.

Builds the site and opens every page in a browser, at the widths of a screen and of a
phone. Prints the time of the build, the size of each page, its requests, messages on
the console, and the violations that axe-core found.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from tests.site.chromium import AXE, ROOT, MissingToolError, served
from tests.site.visit import Visit, page_names, visit_all
from workshop.site.build import build


def main() -> int:
    """Print the figures; return 1 if there is no site or no browser."""
    with tempfile.TemporaryDirectory(prefix="workshop-site-") as folder:
        site = Path(folder) / "site"
        start = time.perf_counter()
        if not build(ROOT, site):
            return 1
        seconds = time.perf_counter() - start
        names = page_names(site)
        size = sum(it.stat().st_size for it in site.rglob("*") if it.is_file())
        try:
            with served(site) as home:
                visits = visit_all(home, names)
        except MissingToolError as missing:
            sys.stderr.write(f"{missing}\n")
            return 1
    print(f"Built {len(names)} pages, {size / 1e6:.1f} MB, in {seconds:.1f} s.\n")
    print(f"{'page':<42} {'kB':>5} {'requests':>9}")
    there = {it.name: it for it in visits}
    for visit in sorted(there.values(), key=lambda it: -it.weight):
        print(f"{visit.name:<42} {visit.weight / 1e3:>5.0f} {len(visit.asked):>9}")
    weights = [it.weight / 1e3 for it in there.values()]
    print(f"\nMedian {median(weights):.0f} kB, heaviest {max(weights):.0f} kB.")
    _requests(visits, home)
    said = sum(len(it.said) for it in visits)
    print(f"Errors and warnings on the console: {said}.")
    _judgement(visits)
    return 0


def _requests(visits: list[Visit], home: str) -> None:
    hosts = Counter(urlsplit(url).netloc for it in visits for url in it.asked)
    outside = [url for it in visits for url in it.outside(home)]
    print(f"Requests: {hosts.total()}, of them to other servers: {len(outside)}.")
    for url in sorted(set(outside)):
        print(f"  {url}")


def _judgement(visits: list[Visit]) -> None:
    found = Counter(it.partition(")")[0] for v in visits for it in v.violations)
    looks = f"{len(visits)} visits, each in the light and the dark theme"
    print(f"{AXE}, {looks}: {found.total()} violations.")
    for rule, count in found.most_common():
        print(f"  {count} times {rule})")


if __name__ == "__main__":
    sys.exit(main())
