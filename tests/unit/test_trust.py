"""What a template asks Copier to run."""

import subprocess

import pytest

from generator.errors import RenderError
from generator.rendering.template import opened
from generator.rendering.trust import features

OURS = "_jinja_extensions: [generator.copier_ext.PlannerV1]\n"


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ("model: x\n", ()),
        (OURS, ()),
        ("_jinja_extensions: [generator.copier_ext.PlannerV12]\n", ()),
        ("_jinja_extensions: [generator.copier_ext.PlannerV1, os.path]\n", ("os.path",)),
        ("_jinja_extensions: generator.copier_ext.PlannerV1x\n", ("generator.copier_ext.PlannerV1x",)),
        (OURS + "---\n_tasks: [rm -rf .]\n", ("_tasks",)),
        ("_migrations: [x]\n_external_data: {a: b}\n", ("_migrations", "_external_data")),
        ("_tasks: []\n", ()),
        (OURS + "---\n!include other.yml\n", ("!include",)),
        ("a: [", ("an unreadable copier.yml",)),
        ("- 1\n", ("an unreadable copier.yml",)),
        ("a: !!python/object/apply:os.system [x]\n", ("an unreadable copier.yml",)),
    ],
)
def test_features_are_what_is_beyond_the_planner(config, found):
    assert features(config) == found


def template(at, files):
    for name, text in files.items():
        (at / name).write_text(text)
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"], ["tag", "1.0.0"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.invalid", *words], cwd=at, check=True)
    return str(at)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"copier.yml": OURS + "_tasks: [x]\n"}, "_tasks"),
        ({"copier.yml": OURS, "copier.yaml": OURS}, r"copier\.yaml"),
        ({"copier.YML": OURS}, r"copier\.YML"),
        ({"README": ""}, "no configuration"),
    ],
)
def test_a_foreign_template_is_refused(tmp_path, files, said):
    with opened(template(tmp_path, files)) as found, pytest.raises(RenderError, match=said):
        found.refuse_untrusted(frozenset({"1.0.0"}))


def test_a_template_with_our_planner_only_is_not(tmp_path):
    with opened(template(tmp_path, {"copier.yml": OURS})) as found:
        found.refuse_untrusted(frozenset({"1.0.0"}))
        with pytest.raises(RenderError, match="has no template --output=x"):
            found.refuse_untrusted(frozenset({"--output=x"}))
