"""A trace's summary as text."""

from generator.models.trace import Spread, Trace


def lines_of(found: Trace) -> tuple[str, ...]:
    """The summary as lines for people, the options that it comes to last."""
    options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in found.answers.items())
    left = f", {found.left_out:,} without prompt or answer left out" if found.left_out else ""
    lines = [
        f"{found.format} trace, sha256 {found.sha256[:12]}: {found.requests:,} requests{left}",
        f"prompt    {_spread(found.prompt_tokens)}",
        f"answer    {_spread(found.gen_tokens)}",
        f"longest   {found.longest_request_tokens:,} tokens with its answer: a shorter --max-model-len refuses it",
    ]
    if found.rates is not None:
        rates = found.rates
        lines.append(
            f"rate      {rates.mean:.3g} a second, busy minutes {rates.busy:.3g}, the busiest {rates.most:.3g}"
        )
    if found.concurrency:
        lines.append(f"in flight {found.concurrency:,}")
    if found.prefix_reuse:
        share, most = f"{found.prefix_reuse:.0%}", found.prefix_reuse
        lines.append(f"prefix    {share} of prompt tokens began an earlier request: at most --prefix-hit-ratio {most}")
    return (*lines, f"planned with {options}")


def _spread(found: Spread) -> str:
    percentiles = ", ".join(f"{name} {getattr(found, name):,}" for name in ("p50", "p95", "p99"))
    return f"{found.mean:,.0f} tokens on average, {percentiles}, most {found.most:,}"
