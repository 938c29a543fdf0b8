"""What an argument of vLLM asks for beside itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.models.value import Made

if TYPE_CHECKING:
    from collections.abc import Mapping


class Companion(Made):
    """One argument that vLLM refuses alone, or beside another."""

    argument: str
    values: tuple[str, ...] = ()
    """Values that it is about; none for all that switch the argument on."""
    needs: tuple[str, ...] = ()
    """What has to be stated beside it, any one of them: "name", or "name=value"; none where nothing has to."""
    against: tuple[str, ...] = ()
    """What must not be stated beside it, in the same words."""
    experts: bool = False
    """True where it is for models with routed experts alone."""
    rocm: bool = False
    """True where it is for AMD's GPUs alone."""

    def is_asked(self, value: Any) -> bool:
        """Whether a value of the argument needs its companions."""
        return value in self.values if self.values else value not in (None, False, "", [], {})

    def is_met(self, stated: Mapping[str, Any]) -> bool:
        """Whether one of them stands among the values of arguments."""
        return not self.needs or any(_is_stated(word, stated) for word in self.needs)

    def opposed(self, stated: Mapping[str, Any]) -> str:
        """The first of what must not stand beside it that does; empty where none does."""
        return next((word for word in self.against if _is_stated(word, stated)), "")


def _is_stated(word: str, stated: Mapping[str, Any]) -> bool:
    name, equals, value = word.partition("=")
    found = stated.get(name)
    return str(found) == value if equals else found not in (None, False, "", [], {})
