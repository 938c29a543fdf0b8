"""pooling_api(): which requests a pooling server answers, as vLLM registers them for its task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.serving import PoolingApi

if TYPE_CHECKING:
    from typing import Literal

    from generator.planning.case import Case

    Kind = Literal["embed", "score", "classify", "pooling", ""]

_SCORES = (("/v1/rerank", "/v1/score"), ("/v2/rerank", "/rerank", "/score"))
_CLASSIFIERS = frozenset({"score", "classifier", "classifier.out_proj"})
"""Names of the matrix whose rows are a classifier's labels."""
_KINDS: dict[str, Kind] = {
    "embed": "embed", "classify": "classify", "token_embed": "pooling", "token_classify": "pooling",
}  # fmt: skip


def pooling_api(case: Case) -> PoolingApi | None:
    """What the server answers; None where it generates text.

    Routes by task: vLLM 0.33 entrypoints/pooling/factories.py:110, utils.py `enable_scoring_api`. Releases differ in
    which of them need the key: 0.19 guards /v1, 0.33 /v2 too (entrypoints/serve/middleware/authenticate.py:11).
    """
    if case.pooling is None:
        return None
    task, labels = _task(case), _labels(case)
    own = {"embed": (("/v1/embeddings",), ("/v2/embed",)), "classify": ((), ("/classify",))}
    guarded, keyless = own.get(task, ((), ()))
    scores = task in {"embed", "token_embed"} or (task == "classify" and labels in {None, 1})
    more = _SCORES if scores else ((), ())
    return PoolingApi(
        task=task,
        request="score" if task == "classify" and labels == 1 else _KINDS.get(task, ""),
        paths=(*guarded, *more[0]),
        keyless=(*keyless, *more[1], "/pooling"),
    )


def _task(case: Case) -> str:
    """The task that vLLM chooses (0.32 config/model.py:1904): the user's, then the class's own, then the conversion."""
    asked, own = case.mapping("pooler_config").get("task"), case.model_class
    if asked:
        return str(asked)
    if "ForTokenClassification" in own.name or own.pools_tokens:
        return "token_classify"
    if own.pooling_task:
        return own.pooling_task
    return "embed" if case.pooling is None or case.pooling.task == "embed" else "classify"


def _labels(case: Case) -> int | None:
    """Labels of the classifier; None where config.json does not decide. One that ranks has one."""
    if case.pooling is not None and case.pooling.task == "score":
        return 1
    if "hf_overrides" in case.fixed:
        return None
    found = (matrix.rows for matrix in case.facts.architecture.extra if matrix.name in _CLASSIFIERS)
    return next(found, None)
