"""A team's own remote of the released templates: publish, use, compare."""

import pytest
from fixtures.deployments import git

from generator.errors import RenderError, RequestError
from generator.operations.team import difference, publish, use
from generator.operations.update import update
from generator.rendering.answers import read

MODEL = {"model": "Qwen/Qwen3-14B"}


@pytest.fixture
def remote(tmp_path):
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "team.git")
    return str(tmp_path / "team.git")


def committed(place):
    git(place, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--all", "--message", "t")


def test_a_repository_moves_to_the_teams_remote_and_back(deployment, bundle, remote):
    """The pin stays, and updates go on from there."""
    assert publish(remote, bundle) == ("1.0.0", "1.1.0")

    use(deployment, remote, bundle)
    committed(deployment)
    assert (read(deployment).source, read(deployment).template) == (remote, "1.0.0")

    update(deployment, MODEL, packaged=bundle)
    committed(deployment)
    moved = use(deployment, "embedded", bundle)
    assert (moved.before, moved.template) == (remote, "1.0.0")


def test_a_remote_without_the_pinned_release_is_refused(deployment, bundle, remote):
    with pytest.raises((RequestError, RenderError), match=r"no template 1\.0\.0"):
        use(deployment, remote, bundle)
    assert read(deployment).source != remote


def test_a_teams_own_commits_are_not_overwritten(bundle, remote, tmp_path):
    """Nothing lands where main has moved on, not even a tag."""
    git(tmp_path, "clone", "--quiet", remote, "own")
    git(tmp_path / "own", "switch", "--quiet", "--create", "main")
    git(
        tmp_path / "own",
        *("-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--allow-empty", "--message", "own"),
    )
    git(tmp_path / "own", "push", "--quiet", "origin", "main")

    with pytest.raises(RenderError):
        publish(remote, bundle)
    assert git(tmp_path / "own", "ls-remote", "--tags", remote) == ""
    with pytest.raises(RenderError):
        publish(remote, bundle, atomic=False)
    assert "refs/tags/1.0.0" in git(tmp_path / "own", "ls-remote", "--tags", remote)


def test_a_build_of_the_team_cannot_become_the_packages(deployment, bundle, remote):
    """The package does not have it; an update to a newer release goes first, where there is one."""
    publish(remote, bundle)
    for tag, newer in (("1.0.0.post1", r"but 1\.1\.0: move there first"), ("1.1.0.post1", "none that is newer: stay")):
        git(remote, "tag", tag, tag.removesuffix(".post1"))
        use(deployment, remote, bundle) if tag == "1.0.0.post1" else None
        answers = deployment / ".copier-answers.yml"
        answers.write_text(answers.read_text().replace(f"_commit: {read(deployment).template}\n", f"_commit: {tag}\n"))
        committed(deployment)
        with pytest.raises(RequestError, match=rf"{tag} is the remote's own build; .*{newer}"):
            use(deployment, "embedded", bundle)


def test_two_releases_are_compared(bundle):
    text = difference("1.0.0", "1.1.0", bundle)

    assert "SECURITY.md" in text


def test_an_unknown_release_is_named(bundle):
    with pytest.raises(RequestError, match=r"there is no template 9\.9\.9"):
        difference("1.0.0", "9.9.9", bundle)
