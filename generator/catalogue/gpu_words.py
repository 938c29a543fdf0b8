"""What a person writes with a GPU's name, or in its place: how many there are, how much memory one has."""

import re

BY_HAND = "or describe it: --gpu custom --vram-gb N --capability X.Y"
"""What to do about a GPU that no row has."""
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:g|gb|gib)", re.IGNORECASE)
_MAKERS = frozenset({"nvidia", "geforce", "tesla", "quadro", "gpu"})
"""Words of a product's name that tell no two rows apart."""
_TENSOR_CORE = re.compile(r"tensor[\s_-]+core[\s_-]")
"""What NVIDIA writes before "GPU"."""
_LISTED = re.compile(r"^gpu\s+\d+:\s*|\s*\(uuid:[^)]*\)$")
"""What `nvidia-smi -L` prints around a GPU's name."""
_COUNTS = (
    re.compile(r"(?P<count>[1-9]\d{0,2})\s*[x*\u00d7]\s*(?P<name>\S.*)", re.IGNORECASE),
    re.compile(r"(?P<name>\S.*?)\s*[x*\u00d7]\s*(?P<count>[1-9]\d{0,2})", re.IGNORECASE),
    re.compile(r"(?P<count>[1-9]\d?)\s+(?P<name>(?!gi?b?\b|x$)[a-z].*|\d{4}.*)", re.IGNORECASE),
)
_NONE = re.compile(
    r"0+\s*[x*\u00d7]\s*(?P<of>\S.*)|0+\s+(?P<kind>(?!gi?b?\b)[a-z].*)|(?P<name>\S.*?)\s*[x*\u00d7]\s*0+", re.IGNORECASE
)
_NAMELESS = re.compile(r"(?P<first>\d*)\s*[x*\u00d7]\s*(?P<last>\d*)", re.IGNORECASE)


def not_counted(word: str) -> str:
    """Why `0xH100` and `2x` are no GPUs of a number, in one sentence; empty where neither is so."""
    nameless = _NAMELESS.fullmatch(word.strip())
    if nameless:
        count = (nameless["first"] or nameless["last"] or "2").lstrip("0") or "1"
        return f"{word!r} lacks the GPU's name: write it too, like {count}xL40S"
    none = _NONE.fullmatch(word.strip())
    if none:
        return f"{word!r} asks for 0 GPUs: give a count of at least 1, like 1x{next(filter(None, none.groups()))}"
    return ""


def counted(word: str) -> tuple[int | None, str]:
    """How many GPUs `2x3090`, `2 x L4`, `L4 x2` or `2 L4` means, and of which name; None where it gives no number."""
    for pattern in _COUNTS:
        found = pattern.fullmatch(word.strip())
        if found:
            return int(found["count"]), found["name"]
    return None, word.strip()


def size_of(word: str) -> float | None:
    """The gigabytes that `24GB` says; None where it is no size."""
    found = _SIZE.fullmatch(word.strip())
    return float(found[1]) if found else None


def product_of(name: str) -> str:
    """An NVML name without regard to case, with one dash for every run of blanks, dashes and underscores."""
    return re.sub(r"[\s_-]+", "-", name.strip().casefold())


def dashed(name: str) -> str:
    """A spelling without regard to case and makers, with one dash for every run of blanks, dashes and underscores."""
    words = re.split(r"[\s_-]+", _TENSOR_CORE.sub("", _LISTED.sub("", name.strip().casefold())))
    return "-".join(word for word in words if word not in _MAKERS)


def words_of(name: str) -> frozenset[str]:
    """The words of a spelling in no order: a size is one word, and so is every generation of the SXM module."""
    joined = re.sub(r"(?<=\d)(?:-gb|g)\b", "gb", dashed(name))
    return frozenset(re.sub(r"^sxm\d$", "sxm", word) for word in joined.split("-"))


def key_of(name: str) -> str:
    """A spelling without regard to case, makers and what stands between words; `80G` is 80GB."""
    return re.sub(r"(?<=\d)g$", "gb", dashed(name).replace("-", ""))
