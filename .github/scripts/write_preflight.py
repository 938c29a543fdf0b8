"""Pack tests/oracle/vllm_judge into templates/scripts/preflight.py, one file that needs vLLM alone.

python .github/scripts/write_preflight.py
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "tests" / "oracle" / "vllm_judge"
TARGET = ROOT / "templates" / "scripts" / "preflight.py"
LEFT_OUT = frozenset({"__main__.py", "experts.py"})

LOADER = '''
import importlib.abc
import importlib.util
import sys


class _Packed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the modules that stand below in this file."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in MODULES:
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=fullname in PACKAGES)

    def exec_module(self, module):
        name = module.__name__
        exec(compile(MODULES[name], f"{__file__}:{name}", "exec"), module.__dict__)


PACKAGES = {"vllm_judge", "vllm_judge.fake"}
MODULES = {}
'''
END = """

if __name__ == "__main__":
    sys.meta_path.insert(0, _Packed())
    from vllm_judge.preflight import main

    sys.exit(main())
"""


def packed() -> str:
    """The text of the one file: what it is for, how it imports itself, and each module as it is."""
    head = (SOURCE / "preflight.py").read_text(encoding="utf-8").split('"""')[1]
    files = (file for file in sorted(SOURCE.rglob("*.py")) if file.name not in LEFT_OUT)
    return "".join([f'"""{head}"""\n{LOADER}', *map(_module, files), END])


def _module(file: Path) -> str:
    place = file.relative_to(SOURCE.parent).with_suffix("")
    name = ".".join(place.parts).removesuffix(".__init__")
    text = file.read_text(encoding="utf-8")
    if "'''" in text:
        raise SystemExit(f"{file}: quotes that do not survive packing")
    return f"\nMODULES[{name!r}] = r'''\n{text}'''\n"


if __name__ == "__main__":
    TARGET.write_text(packed(), encoding="utf-8")
