"""What each refusal of the Hub's client means to the user, and the next step."""

from typing import NamedTuple

from huggingface_hub.errors import (  # type: ignore[attr-defined] # HTTPError is httpx's or httpx2's
    EntryNotFoundError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from generator.catalogue.models import nearest_models
from generator.errors import GatedModelError, HubUnreachableError, SourceError
from generator.models.value import shortened

CLIENT_ERRORS: tuple[type[Exception], ...] = (
    HTTPError, OSError, EntryNotFoundError, ValueError, KeyError, TypeError, AttributeError
)  # fmt: skip
"""All that the client raises: its own errors, and what a malformed answer does to its parsers."""
_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY, _SERVER_ERROR = 401, 403, 429, 500


class HubQuestion(NamedTuple):
    """What was asked of which Hub; nothing secret."""

    model: str
    revision: str | None
    page: str
    host: str
    has_token: bool


def why(error: Exception, attempt: HubQuestion) -> SourceError:
    """The error to show for a client's error: by what the user can do next, never with the client's text."""
    model = attempt.model
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, HfHubHTTPError):
        return why(error.__cause__, attempt)
    if isinstance(error, GatedRepoError):
        return GatedModelError(_gated(attempt))
    if isinstance(error, RepositoryNotFoundError):
        return SourceError(_missing(attempt))
    if isinstance(error, RevisionNotFoundError):
        return SourceError(f"{model} has no revision {attempt.revision!r}: give one of its branches or commits.")
    if isinstance(error, HFValidationError):
        near = ", ".join(nearest_models(model))
        like = f"; embedded models like it: {near}" if near else ", like Qwen/Qwen3-8B."
        return SourceError(f"{shortened(model)} is no directory with a config.json here, and no id of the Hub{like}")
    if isinstance(error, HfHubHTTPError) and not isinstance(error, EntryNotFoundError):
        return _refused(error.response.status_code, attempt)
    return _unanswered(error, attempt)


def unusable_answer(attempt: HubQuestion) -> HubUnreachableError:
    """The error for an endpoint that answers, but not as a Hub does."""
    return _unreachable(attempt, "does not answer like a model Hub (a proxy or a login page?)")


def _gated(attempt: HubQuestion) -> str:
    account = "with the account of HF_TOKEN" if attempt.has_token else "and set HF_TOKEN"
    return f"{attempt.model} is gated: accept its licence at {attempt.page} {account}."


def _missing(attempt: HubQuestion) -> str:
    token = "use an HF_TOKEN that may read it" if attempt.has_token else "set HF_TOKEN"
    return (
        f"{attempt.model} does not exist on {attempt.host}, or is private (the Hub does not say which):"
        f" check the name, or {token}."
    )


def _refused(status: int, attempt: HubQuestion) -> SourceError:
    """The error for an HTTP status that has no name of its own."""
    if status >= _SERVER_ERROR:
        return _unreachable(attempt, f"answered with a server error ({status})")
    if status == _TOO_MANY:
        return _unreachable(attempt, "has had too many requests (429)")
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        token = "renew HF_TOKEN or unset it" if attempt.has_token else "set HF_TOKEN"
        return SourceError(f"{attempt.host} refused to show {attempt.model} ({status}): {token}.")
    return SourceError(f"{attempt.host} refused to show {attempt.model} ({status}): check the name and HF_ENDPOINT.")


def _unanswered(error: Exception, attempt: HubQuestion) -> SourceError:
    """The error for a request that got no usable answer."""
    if isinstance(error, OfflineModeIsEnabled):
        return _unreachable(attempt, "may not be asked (HF_HUB_OFFLINE is set)")
    if isinstance(error, LocalEntryNotFoundError):
        at = f" at {attempt.revision!r}" if attempt.revision else ""
        return HubUnreachableError(
            f"{attempt.model}{at} is not in this machine's Hub cache and {attempt.host} was not reached:"
            " connect once without --offline and HF_HUB_OFFLINE, or give a local directory."
        )
    if isinstance(error, EntryNotFoundError):
        return SourceError(f"{attempt.model} lacks a file that the Hub lists: try again, or give --revision.")
    if isinstance(error, HTTPError):
        timed_out = any("Timeout" in kind.__name__ for kind in type(error).__mro__)
        return _unreachable(attempt, "did not answer in time" if timed_out else "cannot be reached")
    if isinstance(error, OSError) and not isinstance(error, FileMetadataError):
        return SourceError(
            f"The Hub's cache cannot be used ({error.strerror}): set HF_HOME to a directory to write in."
        )
    return unusable_answer(attempt)


def _unreachable(attempt: HubQuestion, what: str) -> HubUnreachableError:
    return HubUnreachableError(
        f"{attempt.host} {what}: check the network and HF_ENDPOINT, or plan an embedded model with --offline."
    )
