"""Binary units: the only powers of 1024 in this package."""

from functools import lru_cache

KIB = 1024
MIB = 1024**2
GIB = 1024**3


@lru_cache(maxsize=256)
def gib(value: float | str) -> int:
    """Bytes of `value` GiB, rounded down."""
    if not isinstance(value, str) and float(value).is_integer():
        return int(value) * GIB
    from fractions import Fraction  # noqa: PLC0415 - start-up time

    return int(Fraction(str(value)) * GIB)


def ceil_div(numerator: int, denominator: int) -> int:
    """Smallest integer that is at least `numerator / denominator`; `denominator` > 0."""
    return -(-numerator // denominator)


def round_up(value: int, multiple: int) -> int:
    """Smallest multiple of `multiple` that is at least `value`."""
    return ceil_div(value, multiple) * multiple
