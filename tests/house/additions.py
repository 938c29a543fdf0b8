"""All that CONTRIBUTING says how to add; `python -m house.table`, in tests/, writes its table."""

from __future__ import annotations

from house.rooms import ADVISORY, KIND, QUESTION
from house.rows import FAMILY, GPU, QUANTIZATION, RELEASE

ADDITIONS = (GPU, KIND, FAMILY, QUANTIZATION, RELEASE, QUESTION, ADVISORY)
