"""Engine values of the cache by release."""

import pytest

from generator.catalogue.behaviours import release_of
from generator.models.capability import HOPPER
from generator.models.parallelism import Layout
from generator.planning.kv_cache.settings import CacheSettings, max_in_flight_tokens


@pytest.mark.parametrize(
    ("release", "stages", "batches"),
    [("0.20.2", 1, 1), ("0.25.1", 1, 1), ("0.25.1", 4, 1), ("0.26.0", 1, 2), ("0.32.0", 1, 2), ("0.32.0", 4, 5)],
)
def test_a_window_keeps_its_blocks_for_every_step_in_progress_from_0_26_on(release, stages, batches):
    """One batch is added until 0.25 (0.25.1 v1/kv_cache_interface.py:560), each one after (0.26.0 :584)."""
    settings = CacheSettings(
        release=release_of(release), capability=HOPPER, max_num_batched_tokens=8192, max_num_seqs=256
    )
    assert max_in_flight_tokens(Layout(pipeline_parallel_size=stages), settings) == batches * 8192
