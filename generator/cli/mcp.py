"""`vllm-wizard mcp`: the planner as tools of an assistant."""

import gc

from generator.errors import SourceError

_MISSING = (
    "the Model Context Protocol's SDK is not installed: `pip install 'mcp>=2.3,<3'` beside vllm-wizard, or install the "
    "checkout with its extra, `pip install '.[mcp]'`"
)


def mcp() -> None:
    """Serve plan, fit, models, explain and check as tools of the Model Context Protocol, over standard streams.

    An assistant starts it; a person has no use for it on a terminal. It needs the extra `mcp`.

    Example: vllm-wizard mcp
    """
    try:
        from generator.cli.assistant.server import serve  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"anyio", "mcp", "mcp_types"}:
            raise
        raise SourceError(_MISSING) from error
    gc.enable()  # a server lives long, unlike a command
    serve()
