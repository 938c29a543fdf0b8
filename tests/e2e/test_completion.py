"""Completion by the shells that are here: a shell sources what the program prints, and is asked as a person asks it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

import pexpect
import pytest

SHELLS = [name for name in ("bash", "zsh", "fish") if shutil.which(name)]
ASKED = {
    "bash": "source <(_VLLM_WIZARD_COMPLETE=source_bash vllm-wizard); COMP_WORDS=({words}); COMP_CWORD={last}; "
    '_vllm_wizard_completion vllm-wizard; printf "%s\\n" "${{COMPREPLY[@]}}"',
    "zsh": "_VLLM_WIZARD_COMPLETE=complete_zsh _TYPER_COMPLETE_ARGS={line} vllm-wizard",
    "fish": "_VLLM_WIZARD_COMPLETE=source_fish vllm-wizard | source; complete -C {line}",
}
"""How each shell is asked to complete the words."""


@pytest.fixture
def path(tmp_path):
    """A path whose first program is this checkout's."""
    program = tmp_path / "vllm-wizard"
    program.write_text(f"#!{sys.executable}\nfrom generator.__main__ import main\n\nmain()\n", encoding="utf-8")
    program.chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


def completed(shell, words, path):
    """What the shell offers for the last of the words."""
    line = " ".join(words)
    script = ASKED[shell].format(words=line or "''", last=len(words) - 1, line=shlex.quote(line))
    env = os.environ | {"PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([shell, "-c", script], env=env, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("vllm-wizard", "ex"), "explain"),
        (("vllm-wizard", "gen"), "generate"),
        (("vllm-wizard", "plan", "--conc"), "--concurrency"),
        (("vllm-wizard", "explain", "--off"), "--offline"),
        (("vllm-wizard", "template", "pub"), "publish"),
    ],
    ids=lambda value: "-".join(value[1:]) if isinstance(value, tuple) else None,
)
def test_commands_and_options_are_completed(shell, words, offered, path):
    assert offered in completed(shell, words, path)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_given_a_script(shell, path):
    env = os.environ | {"PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)}
    asked = env | {"_VLLM_WIZARD_COMPLETE": f"source_{shell}"}
    done = subprocess.run(["vllm-wizard"], env=asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "_VLLM_WIZARD_COMPLETE" in done.stdout


AT_HAND = {
    "bash": (("--norc", "--noprofile", "-i"), "source <(_VLLM_WIZARD_COMPLETE=source_bash vllm-wizard)"),
    "zsh": (
        ("-f", "-i"),
        "autoload -U compinit; compinit -u -D; source <(_VLLM_WIZARD_COMPLETE=source_zsh vllm-wizard)",
    ),
    "fish": (("--no-config", "-i"), "_VLLM_WIZARD_COMPLETE=source_fish vllm-wizard | source"),
}
"""How each shell starts without anybody's settings, and what a person puts into their own."""


@pytest.mark.parametrize("shell", SHELLS)
def test_a_person_at_a_shell_presses_tab(shell, path, tmp_path):
    """A command that has begun is ended, and an option of a command, too."""
    words, settings = AT_HAND[shell]
    own = {"PATH": path, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm", "HOME": str(tmp_path)}
    child = pexpect.spawn(
        shell, list(words), env=os.environ | own, cwd=tmp_path, dimensions=(24, 120), encoding="utf-8", timeout=60
    )
    try:
        child.sendline(f"{settings}; echo is''there")
        child.expect("isthere\r\n")
        child.send("vllm-wizard expl\t")
        child.expect_exact("explain")
        child.sendline(" --offl\t")
        child.expect_exact("--offline")
    finally:
        child.close(force=True)
