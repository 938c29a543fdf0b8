"""The Python of a wheel, without its compiled parts: unpack_python.py WHEEL DIRECTORY."""

import sys
import zipfile
from pathlib import Path

KEPT = (".py", ".json", "METADATA", "entry_points.txt")

wheel, place = sys.argv[1], Path(sys.argv[2])
unfinished = place.with_name(f"{place.name}.part")
with zipfile.ZipFile(wheel) as packed:
    packed.extractall(unfinished, [name for name in packed.namelist() if name.endswith(KEPT)])
unfinished.rename(place)
