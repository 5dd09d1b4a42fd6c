"""What the benchmarks share: CPU time of a call, a table for people, rows for a file.

Figures are CPU time (user and system, all threads of this process), so that other work on the machine
disturbs little; compare ratios within one run, not microseconds between runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Figure = str | float | None
Row = Mapping[str, Figure]
"""Column → what stands there. Rows of one table may have different columns."""


def compared(what: str, size: str, figure: float, unit: str, other: str, other_figure: float) -> Row:
    """A row that says how many times as much `other` takes."""
    return {
        "what": what,
        "size": size,
        unit: figure,
        "compared with": other,
        f"its {unit}": other_figure,
        "times": other_figure / figure if figure > 0 else None,
    }


def cpu_us(call: Callable[[], object], *, repeats: int = 7, at_least_s: float = 0.02) -> float:
    """Median CPU time of one call in µs, over `repeats` rounds of at least `at_least_s` each."""
    call()
    rounds, spent = 1, 0.0
    while (spent := _spent(call, rounds)) < at_least_s:
        rounds = max(2 * rounds, int(1.2 * rounds * at_least_s / max(spent, 1e-6)))
    return statistics.median(_spent(call, rounds) for _ in range(repeats)) / rounds * 1e6


def machine() -> str:
    """The machine in one line, for the head of a table."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{os.cpu_count()} x {model}, {platform.system()}, Python {platform.python_version()}"


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned text, numbers to the right; an empty line between groups of the first column."""
    if not rows:
        return ""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    numeric = {
        column for column in columns if all(isinstance(row.get(column), int | float | None) for row in rows)
    }
    cells = [columns, *([_shown(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    grouped = len({line[0] for line in cells}) < len(cells)
    lines: list[str] = []
    for above, line in zip([cells[0], *cells], cells, strict=False):
        if line is cells[1] or (grouped and line[0] != above[0]):
            lines.append("")
        aligned = (
            text.rjust(width) if column in numeric else text.ljust(width)
            for column, text, width in zip(columns, line, widths, strict=True)
        )
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def options(description: str | None, quick: str) -> argparse.Namespace:
    """What every benchmark of the core takes on its command line: `--json FILE` and `--quick`."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", metavar="FILE", help="also write the rows to FILE")
    parser.add_argument("--quick", action="store_true", help=quick)
    return parser.parse_args()


def report(title: str, rows: Sequence[Row], json_file: str | Path | None = None) -> None:
    """Print the table; write `{title, machine, rows}` to `json_file` when one is given."""
    print(f"{title}\n{machine()}\n\n{table(rows)}\n", flush=True)
    if json_file is not None:
        whole = {"title": title, "machine": machine(), "rows": [dict(row) for row in rows]}
        Path(json_file).write_text(json.dumps(whole, indent=1) + "\n")


def _spent(call: Callable[[], object], rounds: int) -> float:
    begin = time.process_time()
    for _ in range(rounds):
        call()
    return time.process_time() - begin


def _shown(figure: Figure) -> str:
    """Three digits that count."""
    if figure is None:
        return ""
    if isinstance(figure, str):
        return figure
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:#.3g}"
