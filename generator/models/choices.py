"""What is said of a word that is none of an argument's choices: all of a few of them, the nearest of many."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

_GLANCE = 120
"""Letters of a list that a person reads at a glance; of a longer one, only the nearest are named."""
_NAMED = 3
_SPELT = {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32", "16bit": "float16", "none": "auto", "off": "auto"}
"""What people write of number formats, beside vLLM's word for it."""


def none_of(what: str, choices: Sequence[object], value: Any, *, lists: str = "") -> str:
    """Why `value` is no choice of `what`, in one line; `lists` is the argument whose choices `explain` lists."""
    words = [str(choice) for choice in choices]
    near = nearest_choices(value, words) if isinstance(value, str) else []
    if len(", ".join(words)) <= _GLANCE or not (near or lists):
        return f"{what} takes one of {', '.join(words)}, not {value!r}{f': {near[0]}?' if near else ''}"
    found = f"nearest: {', '.join(near)}" if near else "none of its words is near"
    more = f"; `vllm-wizard explain {lists}` lists all {len(words)}" if lists else ""
    return f"{what} takes no {value!r}; {found}{more}"


def nearest_choices(typed: str, choices: Sequence[str]) -> list[str]:
    """At most three: what the word means, then what has it for a part, then what is spelt like it."""
    word = typed.strip().casefold()
    folded = {choice.casefold(): choice for choice in choices}
    meant = [folded[one] for one in (word, _SPELT.get(word, "")) if one in folded]
    parts = [choice for choice in choices if word in re.split("[_-]", choice.casefold())]
    spelt = [folded[one] for one in get_close_matches(word, folded, n=_NAMED)]
    return list(dict.fromkeys((*meant, *parts, *spelt)))[:_NAMED]
