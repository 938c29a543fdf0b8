"""One prompt at a time; every one of them takes `?` for help and `<` for the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import questionary


class Turn(Enum):
    """What a person wants in place of an answer."""

    BACK = "<"
    HELP = "?"


_MENU = (
    ("completion-menu", "bg:#303030 fg:#ffffff"),
    ("completion-menu.completion.current", "bg:#005f87 fg:#ffffff noreverse"),
    ("completion-menu.meta.completion", "bg:#404040 fg:#dddddd"),
    ("completion-menu.meta.completion.current", "bg:#005f87 fg:#ffffff"),
)
"""What may be typed, and where it matches in amber, is to be read on a dark ground and on a light one."""


def typed(message: str, *, offered: Mapping[str, str] | None = None) -> str | Turn:
    """What a person types, blanks around it left out; `offered` is completed, each with what is said beside it.

    Nothing stands in the line before it is typed, so that typing replaces a default and never adds to it.

    Raises:
        KeyboardInterrupt: the person stopped.
    """
    import questionary  # noqa: PLC0415 - start-up time

    if offered:
        prompt = questionary.autocomplete(
            message, choices=list(offered), meta_information=dict(offered), match_middle=True,
            style=questionary.Style(list(_MENU)),
        )  # fmt: skip
    else:
        prompt = questionary.text(message)
    text = str(prompt.unsafe_ask()).strip()
    return Turn(text) if text in _TURNS else text


def one_of(message: str, choices: Iterable[tuple[str, Any]], default: Any = None, *, leaves: bool = True) -> Any:
    """The value that a person picks of labels and values, or a turn; without `leaves` nothing of it stays on screen.

    Raises:
        KeyboardInterrupt: the person stopped.
    """
    import questionary  # noqa: PLC0415 - start-up time

    offered = [questionary.Choice(label, value) for label, value in choices]
    known = [choice.value for choice in offered]
    start = offered[known.index(default)] if default in known else None
    told = "(arrows, Enter; ? help, < back)"
    prompt = _with_turns(questionary.select(message, choices=offered, default=start, instruction=told))
    prompt.application.erase_when_done = not leaves
    return prompt.unsafe_ask()


def many_of(message: str, choices: Iterable[tuple[str, Any]], chosen: Iterable[Any] = ()) -> Any:
    """The values that a person marks of labels and values, or a turn.

    Raises:
        KeyboardInterrupt: the person stopped.
    """
    import questionary  # noqa: PLC0415 - start-up time

    marked = set(chosen)
    offered = [questionary.Choice(label, value, checked=value in marked) for label, value in choices]
    return _with_turns(
        questionary.checkbox(message, choices=offered, instruction="(Space marks, Enter; ? help, < back)")
    ).unsafe_ask()


def agreed(message: str, *, default: bool) -> bool:
    """Whether a person agrees.

    Raises:
        KeyboardInterrupt: the person stopped.
    """
    import questionary  # noqa: PLC0415 - start-up time

    return bool(questionary.confirm(message, default=default).unsafe_ask())


_TURNS = frozenset(turn.value for turn in Turn)


def _with_turns(prompt: questionary.Question) -> questionary.Question:
    """The list with a key for each turn, which takes the list off the screen."""
    from prompt_toolkit.key_binding import KeyBindings, merge_key_bindings  # noqa: PLC0415 - start-up time

    keys = KeyBindings()
    for turn in Turn:
        keys.add(turn.value)(_leaving(turn))
    app = prompt.application
    app.key_bindings = merge_key_bindings([*filter(None, (app.key_bindings,)), keys])
    return prompt


def _leaving(turn: Turn) -> Any:
    def leave(event: Any) -> None:
        event.app.erase_when_done = True
        event.app.exit(result=turn)

    return leave
