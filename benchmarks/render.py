"""Puts the results of the benchmarks into docs/explanation/speed.md, between two comments.

``python benchmarks/render.py [--check]``; with ``--check`` nothing is written, and the exit code is 1 where the page
shows other results than benchmarks/results.json.
"""

import sys

import results

PAGE = results.ROOT / "docs" / "explanation" / "speed.md"
FIRST = "<!-- Made of benchmarks/results.json by benchmarks/render.py; changes are overwritten. -->"
LAST = "<!-- End of what benchmarks/render.py makes. -->"


def region(found: results.Results) -> str:
    """The tables, and the machine that they were measured on."""
    machine = found["machine"]
    versions = {"Python": machine["python"], **machine["libraries"]}
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    dates = sorted({one["date"] for one in found["benchmarks"].values() if one["date"]})
    measured = " to ".join([dates[0], dates[-1]] if len(dates) > 1 else dates)
    lines = [
        f"Measured on {measured}: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['os']}; {named}. Ratios above what is wanted are bold.",
        "",
        "| compared | ours | other | ratio | wanted |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    missing: list[str] = []
    for name, one in found["benchmarks"].items():
        if one["status"] != "done":
            missing.append(f"`{name}`: {one['status']}")
        for row in one["rows"]:
            if "skipped" in row:
                missing.append(f"{row['name']}: {row['skipped']}")
                continue
            lines.append("| " + " | ".join(_cells(row)) + " |")
    if missing:
        lines += ["", "Left out: " + "; ".join(missing) + "."]
    return "\n".join(lines)


def _cells(row: results.Results) -> list[str]:
    wanted, ratio = row["at_most"], f"{row['ratio']:.2g}" if row["ratio"] < 0.1 else f"{row['ratio']:.2f}"
    if wanted is not None and row["ratio"] > wanted:
        ratio = f"**{ratio}**"
    times = [_amount(row[key], row["unit"]) for key in ("measured", "reference")]
    return [row["name"].replace("|", "/"), *times, ratio, "" if wanted is None else f"{wanted:.2g}"]


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def rendered(text: str, found: results.Results) -> str:
    """The page with these results in it."""
    before, _, rest = text.partition(FIRST)
    _, end, after = rest.partition(LAST)
    if not end:
        sys.exit(f"{PAGE} lacks the comments that the results stand between:\n{FIRST}\n{LAST}")
    return f"{before}{FIRST}\n\n{region(found)}\n\n{LAST}{after}"


def main() -> int:
    """Write the page, or check it."""
    found = results.read(results.COMMITTED)
    if found is None:
        sys.exit(f"There is no {results.COMMITTED}; make bench writes it.")
    text = PAGE.read_text()
    page = rendered(text, found)
    if page == text:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"{PAGE} shows other results than {results.COMMITTED}: python benchmarks/render.py", file=sys.stderr)
        return 1
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
