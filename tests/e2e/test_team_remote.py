"""Two machines and one team: a template remote of the team's own, and the embedded releases without any remote."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager

import pytest
import yaml
from fixtures.deployments import OTHER, commit, git, request_for, tree
from fixtures.walk import four_releases

from generator.errors import RenderError, RequestError
from generator.operations import templates
from generator.operations.check import check
from generator.operations.generate import generate
from generator.operations.update import update
from generator.rendering import store
from generator.rendering.answers import ANSWERS_FILE, read

LINE = "Ask the platform team.\n"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return four_releases(tmp_path_factory.mktemp("team"))


class Team:
    """The team's remotes, and one HOME a person."""

    def __init__(self, folder, bundle, monkeypatch):
        self.folder = folder
        self.bundle = bundle
        self.template = folder / "template.git"
        self._monkeypatch = monkeypatch

    @contextmanager
    def machine(self, name):
        """A person's machine: another HOME, with nothing in it at first."""
        with self._monkeypatch.context() as patch:
            patch.setenv("HOME", str(self.folder / name))
            yield self.folder / name

    def publish(self, tags=("1.0.0", "1.1.0")):
        """Push the embedded history up to these releases to the team's remote, all or nothing; git's status."""
        if not self.template.exists():
            git(self.folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.template))
        work = self.folder / f"publishing {tags[-1]}"
        git(self.folder, "clone", "--quiet", str(self.bundle), str(work))
        words = [f"{tags[-1]}^{{commit}}:refs/heads/main", *(f"refs/tags/{tag}" for tag in tags)]
        push = ["git", "push", "--quiet", "--atomic", str(self.template), *words]
        return subprocess.run(push, cwd=work, capture_output=True, check=False).returncode

    def build(self, version):
        """The team's own build: a line more in the README, and a tag on top of the newest release."""
        work = self.folder / f"building {version}"
        git(self.folder, "clone", "--quiet", str(self.template), str(work))
        readme = work / "templates/README.md.jinja"
        readme.write_text(LINE + readme.read_text(encoding="utf-8"), encoding="utf-8")
        commit(work)
        git(work, "tag", version)
        git(work, "push", "--quiet", "origin", "HEAD:main", f"refs/tags/{version}")

    @contextmanager
    def at(self, name, place):
        """A person's turn: pull, do something, push."""
        with self.machine(name):
            git(place, "pull", "--quiet")
            yield
            commit(place, f"{name}'s turn")
            git(place, "push", "--quiet")

    def share(self, source):
        """A deployment of 1.0.0 that follows `source`, in a remote that everybody can clone."""
        with self.machine("ada") as home:
            made = generate(request_for(), home / "llm", template="1.0.0", packaged=self.bundle).path
            follow(made, source)
        git(self.folder, "clone", "--quiet", "--bare", str(made), "llm.git")
        git(made, "remote", "add", "origin", str(self.folder / "llm.git"))
        git(made, "fetch", "--quiet", "origin")
        git(made, "branch", "--quiet", "--set-upstream-to=origin/main")
        return made

    def join(self, name):
        """A clone of the shared deployment on another machine."""
        git(self.folder, "clone", "--quiet", str(self.folder / "llm.git"), f"{name}/llm")
        return self.folder / name / "llm"


@pytest.fixture
def team(tmp_path, bundle, monkeypatch):
    return Team(tmp_path, bundle, monkeypatch)


def follow(place, source):
    """Point a deployment at another template source of the same history, by hand as the documentation says."""
    content = yaml.safe_load((place / ANSWERS_FILE).read_text(encoding="utf-8"))
    if content["_src_path"] != source:
        content["_src_path"] = source
        (place / ANSWERS_FILE).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        commit(place, f"follow {source}")


@pytest.mark.slow
@pytest.mark.parametrize("address", ["{}", "file://{}"])
def test_two_machines_follow_one_team_remote(team, bundle, address):
    """Bob clones, edits and keeps the pin; Ada moves it; Bob moves to the team's build; both end on one tree."""
    team.publish()
    source = address.format(team.template)
    adas = team.share(source)
    bobs = team.join("bob")
    with team.at("bob", bobs):
        (bobs / "README.md").write_text((bobs / "README.md").read_text() + "Bob's line.\n")
        commit(bobs)
        report = update(bobs, {"gpus": 2}, packaged=bundle)
        assert (report.template_after, report.files.added) == ("1.0.0", ())
    team.build("1.1.0.post1")
    with team.at("ada", adas):
        seen = check(adas, packaged=bundle)
        assert (seen.source, seen.template, seen.template_newest) == (source, "1.0.0", "1.1.0.post1")
        assert update(adas, {}, ref="1.1.0", packaged=bundle).files.added == ("SECURITY.md",)
    with team.at("bob", bobs):
        assert update(bobs, {"model": OTHER}, packaged=bundle, upgrade=True).template_after == "1.1.0.post1"
        readme = (bobs / "README.md").read_text()
        assert (readme.startswith(LINE), readme.endswith("Bob's line.\n")) == (True, True)
    with team.at("ada", adas):
        assert not update(adas, {}, packaged=bundle, upgrade=True).files.any
    assert tree(adas) == tree(bobs)
    assert (read(adas).source, read(adas).template) == (source, "1.1.0.post1")


def test_one_change_on_two_machines_writes_the_same_files(team, bundle):
    """Nothing of a machine, its HOME included, gets into what is rendered."""
    team.publish()
    adas = team.share(f"git+file://{team.template}")
    for name, place in (("ada", adas), ("bob", team.join("bob"))):
        with team.machine(name):
            update(place, {"model": OTHER, "gpus": 2, "vllm": "0.30.0"}, packaged=bundle, upgrade=True)
    assert tree(adas) == tree(team.folder / "bob/llm")


def test_a_new_release_is_offered_once_the_teams_own_commits_are_on_top_of_it(team, bundle):
    """A push that would lose the team's commits is rejected whole: its tag does not land either."""
    team.publish()
    team.build("1.1.0.post1")
    adas = team.share(str(team.template))
    assert team.publish(tags=("1.2.0",)) != 0
    with team.machine("ada"):
        assert check(adas, packaged=bundle).template_newest == "1.1.0.post1"
        work = team.folder / "merging"
        git(team.folder, "clone", "--quiet", str(team.template), str(work))
        git(work, "fetch", "--quiet", "--no-tags", str(bundle), "refs/tags/1.2.0:refs/tags/1.2.0")
        git(work, "merge", "--quiet", "--no-edit", "1.2.0")
        git(work, "tag", "1.2.0.post1")
        git(work, "push", "--quiet", "--atomic", "origin", "HEAD", "--tags")
        assert update(adas, {}, packaged=bundle, upgrade=True).template_after == "1.2.0.post1"
        assert (adas / "README.md").read_text().startswith(LINE)
        assert (adas / "docs/guide.md").is_file()


def test_a_remote_that_does_not_answer_changes_nothing(team, bundle):
    """One line says so; back on the embedded bundle the same deployment is updated without it."""
    team.publish()
    adas = team.share(str(team.template))
    team.template.rename(team.folder / "gone.git")
    before = tree(adas)
    with team.machine("ada"):
        with pytest.raises(RenderError) as refused:
            update(adas, {"gpus": 2}, packaged=bundle)
        assert len(str(refused.value).splitlines()) == 1
        assert tree(adas) == before
        assert check(adas, offline=True, packaged=bundle).template == "1.0.0"
        follow(adas, store.STORE)
        report = update(adas, {"gpus": 2}, packaged=bundle, upgrade=True, offline=True)
        assert report.template_after == "2.0.0"


def test_a_teams_own_build_is_not_in_the_embedded_bundle(team, bundle):
    """A pin that only the team's remote has is named, with what there is, instead of being moved."""
    team.publish()
    team.build("1.1.0.post1")
    adas = team.share(str(team.template))
    with team.machine("ada"):
        update(adas, {}, packaged=bundle, upgrade=True)
        commit(adas)
        follow(adas, store.STORE)
        with pytest.raises(RequestError, match=r"1\.1\.0\.post1 is not among 1\.0\.0, 1\.1\.0, 1\.2\.0, 2\.0\.0"):
            update(adas, {"gpus": 2}, packaged=bundle)
        follow(adas, str(team.template))
        assert update(adas, {"gpus": 2}, packaged=bundle).template_after == "1.1.0.post1"


@pytest.mark.slow
def test_two_machines_need_no_network_with_the_embedded_bundle(team, bundle, monkeypatch):
    """Clone, update, upgrade and pin, where every connection of this process and of git's transports is refused."""

    def refuse(*_):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file")
    adas = team.share(store.STORE)
    bobs = team.join("bob")
    with team.at("bob", bobs):
        assert update(bobs, {"gpus": 2}, offline=True, packaged=bundle).template_after == "1.0.0"
        assert [one.version for one in templates.released(bundle)] == ["1.0.0", "1.1.0", "1.2.0", "2.0.0"]
    with team.at("ada", adas):
        assert update(adas, {}, ref="1.1.0", offline=True, packaged=bundle).template_after == "1.1.0"
        assert check(adas, offline=True, packaged=bundle).template_newest == "2.0.0"
    with team.at("bob", bobs):
        assert update(bobs, {"model": OTHER}, offline=True, packaged=bundle).template_after == "1.1.0"
    with team.at("ada", adas):
        assert update(adas, {}, upgrade=True, offline=True, packaged=bundle).template_after == "2.0.0"
    with team.at("bob", bobs):
        assert not update(bobs, {}, upgrade=True, offline=True, packaged=bundle).files.any
    assert tree(adas) == tree(bobs)
    assert read(adas).source == store.STORE
