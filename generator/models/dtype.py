"""Number formats, by their safetensors names."""

from enum import StrEnum

from generator.units import ceil_div

_BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F4": 4,
    "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "I4": 4, "BOOL": 8,
}  # fmt: skip


class DType(StrEnum):
    """A number format; the value is safetensors' own name for it."""

    F64 = "F64"
    F32 = "F32"
    F16 = "F16"
    BF16 = "BF16"
    F8_E4M3 = "F8_E4M3"
    F8_E5M2 = "F8_E5M2"
    F8_E8M0 = "F8_E8M0"
    F4 = "F4"
    I64 = "I64"
    I32 = "I32"
    I16 = "I16"
    I8 = "I8"
    I4 = "I4"
    U64 = "U64"
    U32 = "U32"
    U16 = "U16"
    U8 = "U8"
    BOOL = "BOOL"

    @property
    def bits(self) -> int:
        """Bits of one element."""
        return _BITS[self.value]

    def bytes_for(self, elements: int) -> int:
        """Bytes that hold `elements` values, sub-byte formats packed."""
        return ceil_div(elements * self.bits, 8)
