"""A benchmark beside the plan: a Markdown table, and a picture of each further token's time."""

from collections.abc import Iterator

from generator.models.measured import Comparison, RunCompared

_WIDTH, _ROW, _LEFT, _RIGHT, _TOP = 720, 44, 150, 110, 40
_HEAD = "| at once | figure | measured | estimated | target | |\n|---|---|---|---|---|---|"
_TITLE = "Each further token, in ms: measured (bar) beside the estimate's range (band) and the target (line)"


def figure_text(value: float | None) -> str:
    """A measured figure with as many decimals as tell something; empty of none."""
    if value is None:
        return ""
    return f"{value:,.{0 if value >= 100 else 1 if value >= 1 else 2}f}"  # noqa: PLR2004 - three digits tell enough


def expected_text(one: Comparison) -> str:
    """The estimate with its range; empty without one."""
    if one.expected is None:
        return ""
    return f"{figure_text(one.expected)} ({figure_text(one.low)} to {figure_text(one.high)})"


def bench_text(runs: tuple[RunCompared, ...]) -> str:
    """Every figure of every run as a Markdown table."""
    rows = [f"| {run.run.concurrency} {_cells(one)}" for run in runs for one in run.figures]
    counts = [
        f"- {run.run.concurrency} at once: {run.run.completed} requests in {run.run.duration_s:,.1f} s"
        f"{f', {run.run.failed} failed' if run.run.failed else ''}"
        for run in runs
    ]
    return "\n".join(("# What the running server delivers", "", _HEAD, *rows, "", *counts, "", "![times](bench.svg)"))


def _cells(one: Comparison) -> str:
    return (
        f"| {one.figure} | {figure_text(one.measured)} {one.unit} | {expected_text(one)} | {figure_text(one.target)} "
        f"| {one.outcome} |"
    )


def bench_picture(runs: tuple[RunCompared, ...]) -> str:
    """An SVG of one row a concurrency, for light and dark."""
    rows = [(run.run.concurrency, run.figures[1]) for run in runs]
    most = max(max(one.measured, one.high or 0, one.target or 0) for _, one in rows) or 1.0
    height = _TOP + _ROW * len(rows) + 10
    parts = [part for place, (count, one) in enumerate(rows) for part in _row(place, count, one, most)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{_TITLE}">\n'
        "<style>text{font:13px sans-serif;fill:#444}.band{fill:#9bb8d3}.bar{fill:#1f5a92}.worse{fill:#b3372f}"
        ".target{stroke:#111;stroke-width:2}@media(prefers-color-scheme:dark){text{fill:#ccc}.target{stroke:#eee}}"
        "</style>\n"
        f'<text x="10" y="20">{_TITLE}</text>\n' + "\n".join(parts) + "\n</svg>"
    )


def _row(place: int, count: int, one: Comparison, most: float) -> Iterator[str]:
    top = _TOP + place * _ROW
    scale = (_WIDTH - _LEFT - _RIGHT) / most
    yield f'<text x="10" y="{top + 20}">{count} at once</text>'
    if one.low is not None and one.high is not None:
        start, wide = _LEFT + one.low * scale, max(1.0, (one.high - one.low) * scale)
        yield f'<rect class="band" x="{start:.1f}" y="{top + 4}" width="{wide:.1f}" height="26"/>'
    kind = "worse" if one.fails else "bar"
    yield f'<rect class="{kind}" x="{_LEFT}" y="{top + 12}" width="{one.measured * scale:.1f}" height="10"/>'
    if one.target is not None:
        x = _LEFT + one.target * scale
        yield f'<line class="target" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + 34}"/>'
    yield f'<text x="{_WIDTH - _RIGHT + 8}" y="{top + 20}">{one.measured:,.1f} ms</text>'
