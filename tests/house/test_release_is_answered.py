"""A new release of vLLM: every table that a script writes from vLLM's trees was written anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import generator
from generator.catalogue.engines import known_versions

CATALOGUE = Path(generator.__file__).parent / "catalogue"
READ = re.compile(r"^# .*\d+\.\d+\.\d+ to (\d+\.\d+\.\d+); do not edit", re.MULTILINE)
WRITTEN = {file.name: found[1] for file in CATALOGUE.glob("*.toml") if (found := READ.search(file.read_text("utf-8")))}


def test_tables_say_which_releases_they_were_read_from():
    assert {"backends.toml", "config_keys.toml", "parsers.toml"} <= WRITTEN.keys()


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_a_table_was_read_to_the_newest_release(name):
    newest = known_versions()[-1]
    told = f"{name} was read up to vLLM {WRITTEN[name]}, the newest is {newest}: run the script that its head names"
    assert WRITTEN[name] == newest, told
