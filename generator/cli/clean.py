"""CleanConsole: rich's console, on which no text of a model, a file or a network moves the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console

from generator.presenting.text import clean

if TYPE_CHECKING:
    from rich.text import Text


class CleanConsole(Console):
    """A console whose strings are cleaned before they are rendered; styles are rich's own and stay."""

    def render_str(self, text: str, **options: Any) -> Text:
        """The string as rich's text, without control characters."""
        return super().render_str(clean(text), **options)
