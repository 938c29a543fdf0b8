"""Code of a model's own repository: what vLLM runs only with consent, and what it does without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError, UnsupportedArchitectureError

if TYPE_CHECKING:
    from generator.planning.case import Case

_NAMELESS = frozenset({"", "None"})


def check_code(case: Case) -> None:
    """Return only where vLLM reads the model's config.json and builds its class with the consent that the user gives.

    Raises:
        RequestError: the repository's own code is needed for it, and nobody allowed that.
        UnsupportedArchitectureError: it is needed, and config.json names none.
    """
    trusted = case.request.trust_remote_code
    for facts in (case.facts, *((case.draft.facts,) if case.draft else ())):
        if facts.custom_code and facts.architecture.generic and not trusted:
            raise RequestError(f"{facts.id} runs code of its own repository: read it, then add --trust-remote-code")
    _check_config_class(case)
    _check_class(case)


def _check_class(case: Case) -> None:
    """The class is vLLM's, Transformers', or code of the repository (0.33 models/registry.py: _raise_for_unsupported).

    Raises:
        UnsupportedArchitectureError: it is none of them.
    """
    facts, name = case.facts, case.architecture.architecture
    if name in case.tables.classes.strangers and not (facts.custom_code or facts.built_by):
        raise UnsupportedArchitectureError(
            f"{facts.id} names the class {name[:80]!r}, which neither vLLM nor Transformers has, and its config.json "
            "names no code of its own (auto_map): vLLM does not start it; take config.json as its repository has it"
        )


def _check_config_class(case: Case) -> None:
    """Transformers takes a `model_type` of its own or of vLLM's, or the repository's class where that is allowed."""
    facts, kind = case.facts, case.tables.model_type
    if kind.has_config_class or facts.built_by or kind.name in _NAMELESS:
        return
    stranger = f"model_type {kind.name!r}, which neither vLLM {case.release} nor Transformers knows"
    if facts.custom_code and case.request.trust_remote_code:
        return
    if facts.custom_code:
        raise RequestError(
            f"{facts.id} has {stranger}: the class of its config.json is code of its own repository; read it, then add "
            "--trust-remote-code"
        )
    raise UnsupportedArchitectureError(
        f"{facts.id} has {stranger}, and its config.json names no code of its own (auto_map): vLLM does not start it; "
        "take config.json as the repository publishes it, or pin a release that knows the type (--vllm)"
    )


def lacks_tokenizer_code(case: Case) -> bool:
    """Whether the tokenizer is code of the model's repository that nobody allowed to run."""
    read = case.facts.tokenizer_code
    own = case.tables.model_type.tokenizer_code if read is None else read
    loads = not case.fixed.get("skip_tokenizer_init") and case.fixed.get("tokenizer") is None
    return own and loads and not case.request.trust_remote_code
