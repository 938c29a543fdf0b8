"""What a person sees of plans and systems, as rich renderables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from generator.cli import console, verdict
from generator.cli.picture import memory_picture
from generator.presenting.speed import (
    cost_text,
    energy_text,
    pass_text,
    runner_up_text,
    scaling_text,
    speed_details,
    speed_text,
)
from generator.presenting.text import count_text, gib_text, plural, times_text, tokens_text

if TYPE_CHECKING:
    from generator.models.plan import Plan, Repair
    from generator.sources.nvml import DetectedSystem

_REPAIRED = {"does_not_fit": "make it fit", "tight": "make the start sure", "fits": "meet what is asked for"}
_PRICE_HOLDS = timedelta(days=90)
"""Cloud prices of GPUs fell by tens of percent a year: a quarter is as long as one is taken as it is."""
_LABEL = 10


def show_plan(plan: Plan, *, explain: bool) -> None:
    """Print a plan: verdict, memory of one rank, what it carries, the command; reasons when asked for."""
    for line in (*headline_rows(plan), *answer_rows(plan), "", *memory_picture(plan), "", *_capacity(plan)):
        console.show(line)
    if explain:
        console.show("")
        _show_decisions(plan)
        _show_kernels(plan)
        _show_speed(plan)
        _show_alternatives(plan)
    _show_remarks(plan)
    if plan.feasibility.verdict != "does_not_fit":
        console.show("")
        console.out(_wrapped(plan.command))


def _show_remarks(plan: Plan) -> None:
    """Print notes, warnings and repairs."""
    for text in plan.advisories:
        console.show(f"[cyan]note:[/cyan] {console.escaped(text)}")
    for text in plan.warnings:
        console.show(f"[yellow]warning:[/yellow] {console.escaped(text)}")
    if plan.cost and (age := price_note(plan.cost.read_on, datetime.now(tz=UTC).date())):
        console.show(f"[cyan]note:[/cyan] {age}")
    if _is_amiss(plan) and not plan.repairs:
        console.show("\nno single change that was tried mends it: ask for less, or combine several")
    if plan.repairs:
        show_repairs(plan.repairs, _REPAIRED[plan.feasibility.verdict])


def show_repairs(repairs: Iterable[Repair], what: str = _REPAIRED["does_not_fit"]) -> None:
    """Print the changes by their numbers, each with what it makes of the plan."""
    console.show(f"\n[bold]Smallest changes that {what}[/bold] (--apply N plans with one)")
    for number, repair in enumerate(repairs, 1):
        flags = console.escaped(" ".join(repair.flags))
        console.show(f"  {number}. {console.escaped(repair.title)}: [bold]{flags}[/bold]")
        console.show(f"     [dim]{console.escaped(repair.effect)}[/dim]")


def _is_amiss(plan: Plan) -> bool:
    """Whether the plan does not fit, or misses a target that could be checked."""
    return plan.feasibility.verdict == "does_not_fit" or plan.feasibility.meets.answer == "no"


def price_note(read_on: str, today: date) -> str:
    """What to know of a price that was read long ago; empty for a recent one, and for the user's own."""
    if not read_on or today - date.fromisoformat(read_on) <= _PRICE_HOLDS:
        return ""
    days = (today - date.fromisoformat(read_on)).days
    return f"The price was read {days} days ago, on {read_on}, and may have moved: give yours with --price."


def show_system(system: DetectedSystem) -> None:
    """Print the GPUs of this machine."""
    from rich.table import Table  # noqa: PLC0415 - start-up time

    table = Table(box=None, pad_edge=False)
    for heading in ("GPU", "name", "memory", "in use", "capability"):
        table.add_column(heading)
    for gpu in system.gpus:
        table.add_row(
            str(gpu.index),
            gpu.name,
            _memory_word(gpu.memory_total_bytes),
            _memory_word(gpu.memory_used_bytes),
            gpu.capability.words,
        )
    console.show(f"driver {system.driver_version}, CUDA {system.cuda_version}")
    console.show_table(table)
    for text in system.notes:
        console.warn(text)


def _memory_word(value: int | None) -> str:
    return "shared with the CPU" if value is None else gib_text(value)


def answer_rows(plan: Plan) -> tuple[str, ...]:
    """The three answers and a context that is cut, a row each; none for a pooling server's."""
    if plan.runner == "pooling":
        return ()
    return tuple(_row(label, text, colour) for label, text, colour in verdict.answers(plan))


def headline_rows(plan: Plan) -> tuple[str, str]:
    """The model on its GPUs, and the worst of the verdict's answers."""
    model = plan.model
    revision = f" @ {model.revision[:12]}" if model.revision else ""
    embedded = ", embedded facts" if model.source == "embedded" else ""
    what = f"[bold]{console.escaped(model.id)}[/bold]{revision} ({count_text(model.parameters)} parameters{embedded})"
    several = f", {len(plan.servers)} servers of {plural(plan.layout.ranks, 'GPU')}" if plan.servers else ""
    where = f"[bold]{plural(plan.cluster.total_gpus, 'GPU')}[/bold] {console.escaped(plan.cluster.gpu.name)}{several}"
    return f"{what} on {where}", verdict.headline(plan)


def _capacity(plan: Plan) -> tuple[str, ...]:
    if plan.runner == "pooling" and plan.feasibility.fits:
        return _passes(plan)
    if plan.kv_cache is None:
        return (_row("KV cache", "no room for one"),)
    cache, load = plan.kv_cache, plan.inputs.load_in(plan.kv_cache.at_max_model_len)
    tokens, longest = tokens_text(cache.capacity_tokens), tokens_text(cache.at_max_model_len)
    room = f"{times_text(cache.max_concurrency)} requests of {longest} tokens"
    shape = f"{tokens_text(load.prompt_tokens)} + {tokens_text(load.gen_tokens)} tokens"
    room_for = plan.feasibility.max_concurrency_at_context
    in_flight = plan.scaling.concurrency if plan.scaling else load.concurrency
    each = " on each replica" if plan.scaling else ""
    asked = f"{plural(in_flight, 'request')} of {shape} at once{each}; room for {room_for:,}"
    blocks = _row("KV cache", f"{tokens} tokens in {cache.num_blocks:,} blocks: {room}")
    return blocks, _row("Workload", asked), *(_row(label, text) for label, text in _delivered(plan))


def _delivered(plan: Plan) -> Iterator[tuple[str, str]]:
    """Speed, cost, energy and replicas, the second-best layout, and servers that would do better."""
    if plan.estimate or plan.estimate_missing:
        yield "Speed", speed_text(plan.estimate) if plan.estimate else f"no estimate: {plan.estimate_missing}"
    if plan.cost:
        yield "Cost", cost_text(plan.cost)
    if plan.energy:
        yield "Energy", energy_text(plan.energy)
    if plan.scaling:
        yield "Replicas", scaling_text(plan.scaling)
    yield from _compared(plan)


def _compared(plan: Plan) -> Iterator[tuple[str, str]]:
    """The runner-up, and independent servers where they would serve more."""
    if plan.runner_up:
        yield "Runner-up", runner_up_text(plan.runner_up)
    several = None if plan.servers else next((one for one in plan.alternatives if one.servers > 1), None)
    if several:
        yield "Or", f"{several.gain} ({several.kind})"


def _passes(plan: Plan) -> tuple[str, ...]:
    """What a pooling server keeps of a prompt, and how fast it is."""
    cache = "none: no token is kept after its pass"
    if plan.kv_cache:
        blocks = f"{plan.kv_cache.num_blocks:,} blocks"
        cache = f"{tokens_text(plan.kv_cache.capacity_tokens)} tokens in {blocks}, for prompts in progress"
    lines = [_row("KV cache", cache)]
    if plan.pooling:
        lines.append(_row("Speed", pass_text(plan.pooling)))
    return tuple(lines)


def _show_decisions(plan: Plan) -> None:
    """Print each argument with its reason, and what would change it."""
    console.show("[bold]Why[/bold]")
    for decision in plan.decisions:
        console.show(_hanging(f"{decision.field} {decision.value}", decision.reason, "  "))
        if decision.change:
            console.show(f"[dim]{_hanging('', f'change it: {decision.change}', '    ')}[/dim]")


def _show_kernels(plan: Plan) -> None:
    """Print what attention and experts run in."""
    found = plan.kernels
    rows = (("attention", ", ".join(found.attention)), ("experts", found.experts))
    console.show("\n[bold]Which kernels run[/bold]")
    for name, text in rows:
        if text:
            console.show(_hanging(name, text, "  "))


def _show_speed(plan: Plan) -> None:
    """Print every figure of the estimate with its range, or why there is none; a pooling server's is one line above."""
    if plan.pooling:
        return
    console.show("\n[bold]How fast[/bold]")
    for name, text in speed_details(plan.estimate) if plan.estimate else (("no estimate", plan.estimate_missing),):
        console.show(_hanging(name, text, "  "))


def _show_alternatives(plan: Plan) -> None:
    """Print what else could be had, what it gains, and why it was not chosen."""
    if not plan.alternatives:
        return
    console.show("\n[bold]What else could be had[/bold]")
    for other in plan.alternatives:
        console.show(_hanging(other.kind, f"{other.gain} with {' '.join(other.flags)}", "  "))
        console.show(f"[dim]{_hanging('', f'not chosen: {other.lost}', '    ')}[/dim]")


def _row(label: str, text: str, colour: str = "default") -> str:
    """One figure of the plan as markup: the label in bold, later lines below the first one's text."""
    head = f"{label:<{_LABEL}}"
    return f"[bold {colour}]{label}[/bold {colour}]{_broken(f'{head}{text}', '', ' ' * _LABEL)[len(label) :]}"


def _hanging(head: str, text: str, indent: str) -> str:
    """`head: text` as markup, the head in bold, wrapped to the terminal with later lines further in."""
    whole = _broken(f"{head}: {text}" if head else text, indent, f"{indent}  ")
    start = f"{indent}{console.escaped(head)}"
    return (
        f"{indent}[bold]{console.escaped(head)}[/bold]{whole[len(start) :]}"
        if head and whole.startswith(start)
        else whole
    )


def _broken(text: str, first: str, later: str) -> str:
    """The text as markup, broken at the terminal's width between words."""
    import textwrap  # noqa: PLC0415 - start-up time

    return console.escaped(
        textwrap.fill(
            text, console.width(), initial_indent=first, subsequent_indent=later,
            break_long_words=False, break_on_hyphens=False,
        )
    )  # fmt: skip


def _wrapped(command: tuple[str, ...]) -> str:
    """The command over several lines, one flag a line, ready to paste."""
    import shlex  # noqa: PLC0415 - start-up time

    lines = [" ".join(map(shlex.quote, command[:3]))]
    for word in command[3:]:
        if word.startswith("--"):
            lines.append(f"  {word}")
        else:
            lines[-1] += f" {shlex.quote(word)}"
    return " \\\n".join(lines)
