"""An update of a working tree as a transaction: locked, noted before the first byte, and never over somebody's edit."""

from generator.operations.transaction.begin import Transaction, begin
from generator.operations.transaction.recovery import Recovered, is_interrupted, recover, resume, undo
from generator.operations.transaction.start import Start, started

__all__ = ["Recovered", "Start", "Transaction", "begin", "is_interrupted", "recover", "resume", "started", "undo"]
