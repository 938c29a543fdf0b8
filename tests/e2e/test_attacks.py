"""What a template, its address or a deployment's answers may try: nothing runs, nothing is written, nothing hangs.

More than 200 attacks, each with a canary where it could run something.
"""

from __future__ import annotations

import itertools
import os

import pytest
from fixtures.deployments import SMALL, commit, git, write_checkout
from fixtures.harmless import harmless, one_line, refused

from generator.errors import GeneratorError, RenderError, RequestError
from generator.operations import templates
from generator.operations.team import publish, use
from generator.operations.update import update
from generator.rendering import store, trust
from generator.rendering.answers import ANSWERS_FILE
from generator.rendering.git import isolated
from generator.rendering.template import opened

CANARY = "touch CANARY"
CODE = (
    [
        f"{key}: {value}\n"
        for key, value in itertools.product(
            ("_tasks", "_migrations", "_external_data", "_jinja_extensions"),
            ("[touch CANARY]", "{a: touch CANARY}", "touch CANARY", "[[touch, CANARY]]", "[{command: touch CANARY}]"),
        )
    ]
    + [
        f"_subdirectory: {folder}\n"
        for folder in (
            "..",
            "../..",
            "/etc",
            "a/../..",
            ".git",
            "templates/.GIT",
            "~/x",
            "'{{ x }}'",
            "a\\b",
            ".git/hooks",
        )
    ]
    + [
        "x: &a {_tasks: [touch CANARY]}\n<<: *a\n",
        "---\n_tasks: [touch CANARY]\n",
        "a: 1\n---\n_migrations: [x]\n",
        "!include x.yml\n",
        "a: !!python/object/apply:os.system [touch CANARY]\n",
        "a: !include /etc/passwd\n",
        "- _tasks\n",
        "a: [\n",
        "[" * 5000,
        "\x00",
    ]
)
GIT_NAMES = [
    "/".join(parts)
    for parts in itertools.product(
        ("", "a", "a/b"),
        (".git", ".GIT", ".Git", ".git ", ".git.", "git~1", ".g\u200cit", ".git::$INDEX_ALLOCATION"),
        ("hooks/x", "config"),
    )
]
ADDRESSES = [
    "ext::sh -c touch% CANARY",
    "ext::touch CANARY",
    "fd::17",
    "--upload-pack=touch CANARY",
    "-u touch CANARY",
    "-oProxyCommand=touch CANARY",
    "ssh://-oProxyCommand=touch%20CANARY/x",
    "file:///nowhere.git",
    "http://127.0.0.1:9/t.git",
    "git://127.0.0.1:9/t.git",
    "/dev/null",
    "/dev/zero",
    "/proc/self/environ",
    "",
    " ",
    "\n",
    "a\nb",
    "x" * 5000,
    "file://",
    "http://",
    "git+ext::touch CANARY",
    "testgit::x",
    "transport::address",
    "http::ext::touch CANARY",
    "$(touch CANARY)",
    "`touch CANARY`",
    "; touch CANARY",
    "|touch CANARY",
    "~nobody/x.git",
    "~/x.bundle",
    "../../x.git",
    "https://[::1",
    "http://127.0.0.1:99999/x",
    "\x1b]0;x\x07",
    "file:///etc/passwd",
]
SECRETS = [
    f"{scheme}://{user}{host}/t.git{rest}"
    for scheme, user, host, rest in itertools.product(
        ("http", "https", "git+https", "ssh"),
        ("me:s3cr3t@", ":s3cr3t@", "s3cr3t:@"),
        ("git.example", "127.0.0.1:9"),
        ("", "?a=1", "#f"),
    )
]
PATHS = [
    "templates/{{ '.git' }}/hooks/post-checkout",
    "templates/{{ '.GIT' }}/config",
    "templates/{{ '.g' ~ 'it' }}/hooks/post-merge",
    "templates/{{ 'a/.git' }}/hooks/post-commit",
    "templates/{% if true %}.git{% endif %}/hooks/post-checkout",
    "templates/docs/{{ '.git/hooks' }}/post-checkout",
    "templates/{{ '.git' if gpus > 1 else 'ok' }}/hooks/post-checkout",
    "templates/{{ '..' }}/CANARY",
    "templates/{{ '../../CANARY' }}",
    "templates/{{ '/tmp/CANARY' }}",
]
BOMBS = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{{ a * b }}{% endfor %}{% endfor %}",
    "{{ 'x' * 9999999999 }}",
    "{{ 9 ** (9 ** 9) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' | regex_search('(a+)+$') }}",
    "{{ 1 / 0 }}",
    "{{ nothing }}",
    "{% include '/etc/passwd' %}",
]


@pytest.fixture(autouse=True)
def _harmless(tmp_path, monkeypatch, capfd):
    """Every attack has a token to tell, a directory to write to, and ten seconds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_s3cr3t")
    with harmless(tmp_path, capfd, spared=("work",)):
        yield


def test_there_are_two_hundred_attacks():
    assert len([*CODE, *GIT_NAMES, *ADDRESSES, *SECRETS, *PATHS, *BOMBS]) >= 200


@pytest.mark.parametrize("config", CODE)
def test_a_configuration_that_runs_more_is_seen(config):
    assert trust.features(config)


@pytest.mark.parametrize("name", GIT_NAMES)
def test_a_name_of_gits_own_is_seen(name):
    assert trust.is_git(name)


@pytest.mark.parametrize("name", [".gitignore", "git", "a.git", ".github/x", ".gitattributes", "x/.gitkeep", "digit"])
def test_other_names_are_not(name):
    assert not trust.is_git(name)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_runs_nothing(address):
    with isolated(), refused(), opened(address):
        pass


@pytest.mark.parametrize("address", SECRETS)
def test_an_address_with_a_password_is_refused_and_not_shown(address):
    with refused(RequestError):
        store.refuse_secret(address)
    with isolated(), refused(RequestError), opened(address):
        pass


def test_no_such_address_is_written_down(deployment):
    """`template use` refuses each, and leaves no lock, no note and no edit."""
    for address in SECRETS:
        with refused(RequestError):
            use(deployment, address)
    assert git(deployment, "status", "--porcelain", "--ignored") == ""


@pytest.fixture(scope="module")
def published(tmp_path_factory, bundle):
    """A team's remote of 1.0.0 and 1.1.0, to be copied and spoiled."""
    place = tmp_path_factory.mktemp("published")
    git(place, "init", "--quiet", "--bare", "--initial-branch=main", "team.git")
    publish(str(place / "team.git"), bundle)
    return place / "team.git"


def spoiled(published, place, change):
    """The address of a remote whose 9.0.0 is 1.1.0 with a change."""
    git(place, "clone", "--quiet", "--bare", str(published), "team.git")
    git(place, "clone", "--quiet", str(place / "team.git"), "work")
    change(place / "work")
    git(place / "work", "add", "--all", "--force")
    commit(place / "work")
    git(place / "work", "tag", "9.0.0")
    git(place / "work", "push", "--quiet", "origin", "9.0.0")
    return str(place / "team.git")


def upgraded(deployment, source, bundle):
    """The error that an upgrade to 9.0.0 ends with, nothing changed by it."""
    use(deployment, source, bundle)
    commit(deployment)
    with refused() as caught:
        update(deployment, {"gpus": 2}, upgrade=True, packaged=bundle)
    assert git(deployment, "status", "--porcelain", "--ignored") == ""
    return caught.value


def write(place, name, text):
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize("name", PATHS if os.environ.get("VLLM_WIZARD_FULL") else PATHS[::3])
def test_nothing_is_rendered_into_git_or_outside(published, deployment, bundle, tmp_path, name):
    script = f"#!/bin/sh\ntouch {tmp_path}/CANARY\n"
    source = spoiled(published, tmp_path, lambda work: write(work, name, script))
    if "CANARY" not in name:
        assert isinstance(upgraded(deployment, source, bundle), RenderError)
    else:  # Copier refuses it, or takes its last part for the name of a file of the tree
        use(deployment, source, bundle)
        commit(deployment)
        try:
            update(deployment, {"gpus": 2}, upgrade=True, packaged=bundle)
        except GeneratorError as error:
            one_line(error)
        (deployment / "CANARY").unlink(missing_ok=True)
    git(deployment, "checkout", "--quiet", "-b", "feature")
    commit(deployment)


@pytest.mark.slow
@pytest.mark.parametrize("text", BOMBS if os.environ.get("VLLM_WIZARD_FULL") else BOMBS[:1])
def test_a_template_that_asks_for_the_machine_is_ended(published, deployment, bundle, tmp_path, text):
    source = spoiled(published, tmp_path, lambda work: write(work, "templates/new.txt.jinja", text))
    upgraded(deployment, source, bundle)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["/etc/passwd", ".git"])
def test_a_template_with_links_is_refused(published, deployment, bundle, tmp_path, target):
    source = spoiled(published, tmp_path, lambda work: (work / "templates/link").symlink_to(target))
    assert "a link" in str(upgraded(deployment, source, bundle))


def test_what_was_checked_is_what_is_rendered(published, deployment, bundle, tmp_path, monkeypatch):
    """The tag is moved to a commit with a task as soon as the copy is made: nobody looks at the remote again."""
    source = spoiled(published, tmp_path, lambda work: write(work, "copier.yml", "_tasks: ['touch CANARY']\n"))
    use(deployment, source, bundle)
    commit(deployment)
    from generator.rendering import store  # noqa: PLC0415 - patched for this test alone

    tags = store.tags

    def moved_afterwards(asked):
        found = tags(asked)
        if str(asked).endswith("template.git"):  # the copy, which is read once it is made
            git(tmp_path / "team.git", "tag", "--force", "1.0.0", "9.0.0")
        return found

    monkeypatch.setattr("generator.rendering.template.store.tags", moved_afterwards)
    update(deployment, {"gpus": 2}, packaged=bundle)
    assert f"_src_path: {source}\n" in (deployment / ANSWERS_FILE).read_text(encoding="utf-8")


def test_a_damaged_store_is_mended(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write_checkout(tmp_path / "checkout", SMALL)
    bundle = tmp_path / "packaged.bundle"
    templates.release("1.0.0", when="2026-01-05", checkout=tmp_path / "checkout", bundle=bundle)
    templates.sync(bundle)
    store = tmp_path / "home/.local/share/vllm-wizard/templates.bundle"
    for spoil in (
        lambda text: text[: len(text) // 2],
        lambda text: text[:-200],
        lambda _: b"",
        lambda text: text + b"x",
        lambda text: text.replace(b" refs/tags/1.0.0", b"", 1),
        lambda text: text.replace(b"refs/tags/1.0.0", b"x" * 5000, 1),
    ):
        store.write_bytes(spoil(bundle.read_bytes()))
        templates.sync(bundle)
        assert store.read_bytes() == bundle.read_bytes()


def test_what_git_quotes_of_a_bundle_is_short(tmp_path):
    """Its header is a stranger's, and git repeats it."""
    (tmp_path / "sent.bundle").write_bytes(b"# v2 git bundle\n" + b"x" * 5000 + b"\n\n")
    with isolated(), refused() as caught, opened(str(tmp_path / "sent.bundle")):
        pass
    assert len(str(caught.value)) < 500
