"""Where an installation came from, as pip writes it down (https://packaging.python.org/specifications/direct-url/)."""

from __future__ import annotations

import json

import pytest

from generator.sources.installation import tool_requirement

COMMIT, DIGEST = "0123456789abcdef0123456789abcdef01234567", "2" * 64
GIT = {"vcs": "git", "commit_id": COMMIT, "requested_revision": "v1"}


def installed(place, monkeypatch, origin):
    folder = place / "vllm_wizard_there-1.4.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm-wizard-there\nVersion: 1.4.0\n")
    if origin is not None:
        (folder / "direct_url.json").write_text(origin if isinstance(origin, str) else json.dumps(origin))
    monkeypatch.syspath_prepend(str(place))
    return tool_requirement("vllm-wizard-there")


@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        (None, "vllm-wizard==1.4.0"),
        ({"url": "https://git.example/t/w", "vcs_info": GIT}, f"vllm-wizard @ git+https://git.example/t/w@{COMMIT}"),
        (
            {"url": "https://git.example/mono", "vcs_info": GIT, "subdirectory": "tools/w"},
            f"vllm-wizard @ git+https://git.example/mono@{COMMIT}#subdirectory=tools/w",
        ),
        ({"url": "ssh://git@git.example/w", "vcs_info": GIT}, f"vllm-wizard @ git+ssh://git@git.example/w@{COMMIT}"),
        (
            {"url": "https://me:s3cr3t@git.example/w", "vcs_info": GIT},
            f"vllm-wizard @ git+https://git.example/w@{COMMIT}",
        ),
        (
            {"url": "https://x.example/w-1.4.0-py3-none-any.whl", "archive_info": {"hashes": {"sha256": DIGEST}}},
            f"vllm-wizard @ https://x.example/w-1.4.0-py3-none-any.whl#sha256={DIGEST}",
        ),
        (
            {"url": "https://x.example/w.whl", "archive_info": {"hash": f"sha256={DIGEST}"}},
            f"vllm-wizard @ https://x.example/w.whl#sha256={DIGEST}",
        ),
        ({"url": "https://x.example/w.whl", "archive_info": {}}, ""),
        ({"url": "file:///home/me/w.whl", "archive_info": {"hashes": {"sha256": DIGEST}}}, ""),
        ({"url": "file:///home/me/w", "dir_info": {"editable": True}}, ""),
        ({"url": "file:///home/me/w", "vcs_info": GIT}, ""),
        ("[]", ""),
        ("{", ""),
        ({"url": 3}, ""),
    ],
)
def test_the_tool_is_pinned_to_where_it_came_from(tmp_path, monkeypatch, origin, requirement):
    """A directory, or a file of this machine, is on no other machine: nothing is invented for it."""
    assert installed(tmp_path, monkeypatch, origin) == requirement


def test_a_program_that_is_not_installed_is_pinned_to_nothing():
    assert tool_requirement("vllm-wizard-nowhere") == ""
