"""The tools as a server of the Model Context Protocol: the one module that imports its SDK."""

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server import Server
from mcp.server.stdio import stdio_server

from generator import __version__
from generator.cli.assistant.tools import TOOLS, call

_INSTRUCTIONS = (
    "Plans vLLM deployments on paper, without a GPU. Ask `fit` which GPUs hold a model, `models` which models GPUs "
    "hold, `plan` for a configuration with its reasons, `explain` for one argument of vLLM, `check` for a deployment. "
    "Figures are ranges: quote both ends, and the verdict's three answers (starts, carries, meets)."
)


def server() -> Server:
    """A server with every tool; it prints nothing and writes nothing."""
    return Server(
        "vllm-wizard",
        version=__version__,
        instructions=_INSTRUCTIONS,
        on_list_tools=_listed,
        on_call_tool=_called,
    )


def serve() -> None:
    """Answer over standard input and output until they close."""
    anyio.run(_serve)


async def _serve() -> None:
    made = server()
    async with stdio_server() as (incoming, outgoing):
        await made.run(incoming, outgoing, made.create_initialization_options())


async def _listed(_: object, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    reads = types.ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True)
    return types.ListToolsResult(
        tools=[
            types.Tool(
                name=name,
                description=one.says,
                input_schema=one.takes.model_json_schema(),
                output_schema=one.gives,
                annotations=reads,
            )
            for name, one in TOOLS.items()
        ]
    )


async def _called(_: object, asked: types.CallToolRequestParams) -> types.CallToolResult:
    """The answer of one tool, worked out beside the loop that reads and writes."""
    found = await anyio.to_thread.run_sync(call, asked.name, asked.arguments)
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=found.text)],
        structured_content=found.content,
        is_error=found.failed,
    )
