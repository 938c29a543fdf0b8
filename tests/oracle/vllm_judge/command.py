"""`vllm serve` up to the engine's configuration: parse, validate, the server's own checks, configure."""

from __future__ import annotations

import importlib

from vllm.config.reasoning import ReasoningConfig
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.cli.serve import ServeSubcommand
from vllm.usage.usage_lib import UsageContext
from vllm.utils.argparse_utils import FlexibleArgumentParser

_SERVER_CHECKS = ("vllm.entrypoints.launchers.launcher", "vllm.entrypoints.openai.api_server")


class _Parser(FlexibleArgumentParser):
    """VLLM's parser, which says its error to us and not to a terminal."""

    def error(self, message):
        raise ValueError(message)


def configured(question, answer):
    """The engine's configuration; `answer["level"]` names how far the command came."""
    answer["level"] = "parse"
    command = ServeSubcommand()
    given = _parsed(command, question)
    answer["level"] = "validate"
    command.validate(given)
    answer["level"] = "server"
    _server_checks()(given)
    given.skip_tokenizer_init, given.load_format = True, "dummy"
    answer["level"] = "config"
    ReasoningConfig.initialize_token_ids = lambda *_args: None  # it would ask for a tokenizer
    config = AsyncEngineArgs.from_cli_args(given).create_engine_config(UsageContext.OPENAI_API_SERVER)
    _as_one_engine(config)
    answer.update(_figures(config))
    return config


def _parsed(command, question):
    words = list(question["argv"])
    if question.get("nodes", 1) > 1:
        words += ["--nnodes", str(question["nodes"]), "--node-rank", "0", "--master-addr", "127.0.0.1"]
    parser = _Parser()
    below = parser.add_subparsers(dest="subparser", required=False)
    command.subparser_init(below).set_defaults(dispatch_function=command.cmd)
    given = parser.parse_args(["serve", question["directory"], *words])
    given.model = given.model_tag or given.model
    given.revision = question.get("revision") or given.revision
    return given


def _server_checks():
    """`validate_api_server_args`, which knows the parsers' names; its module moved in 0.32."""
    for place in _SERVER_CHECKS:
        try:
            return importlib.import_module(place).validate_api_server_args
        except (ImportError, AttributeError):
            continue
    return lambda _given: None


def _as_one_engine(config):
    """Each replica is an engine of its own; only mixtures of experts keep the group (v1/engine/core.py)."""
    parallel = config.parallel_config
    if parallel.data_parallel_size > 1:
        parallel.data_parallel_rank = 0
        if not config.model_config.is_moe:
            parallel.data_parallel_size = parallel.data_parallel_size_local = 1


def _figures(config):
    scheduler, cache = config.scheduler_config, config.cache_config
    return {
        "max_num_batched_tokens": scheduler.max_num_batched_tokens,
        "max_num_seqs": scheduler.max_num_seqs,
        "max_model_len": config.model_config.max_model_len,
        "kv_cache_dtype": cache.cache_dtype,
        "dtype": str(config.model_config.dtype).removeprefix("torch."),
        "quantization": config.model_config.quantization,
        "cudagraph_mode": str(config.compilation_config.cudagraph_mode).rpartition(".")[2],
    }
