"""config.json -> Architecture and Quantization, one reader a family."""

from generator.sources.architectures.quantization import names_no_method, read_quantization
from generator.sources.architectures.reader import read_architecture

__all__ = ["names_no_method", "read_architecture", "read_quantization"]
