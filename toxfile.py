"""What tox has no setting for: environments that need more than an interpreter, and a last line.

Law: an environment that cannot run here is skipped, by name and with what is missing, and counted;
where ``skip_missing_interpreters`` is off, it fails.
"""

from __future__ import annotations

import atexit
import collections
import re
import subprocess
from typing import NamedTuple

from tox.config.sets import EnvConfigSet
from tox.execute.api import Outcome
from tox.plugin import impl
from tox.session.state import State
from tox.tox_env.api import ToxEnv
from tox.tox_env.errors import Fail, Skip
from tox.tox_env.runner import RunToxEnv


class Result(NamedTuple):
    verdict: str  # "passed", "failed" or "skipped"
    detail: str = ""  # what is missing; or how many tests there were, and how long they took


results: dict[str, Result] = {}  # by environment


@impl
def tox_add_env_config(env_conf: EnvConfigSet, state: State) -> None:
    """Add the setting ``needs``."""
    env_conf.add_config(
        "needs",
        of_type=str,
        default="",
        desc="what must be there: its name, and a shell command that succeeds where it is",
    )


def check_needs(tox_env: ToxEnv) -> None:
    """Skip an environment that lacks what it needs."""
    name, _, command = tox_env.conf["needs"].partition(": ")
    if subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode:
        may_skip = tox_env.conf["skip_missing_interpreters"]
        missing = f"there is no {name}"
        results[tox_env.conf.name] = Result("skipped" if may_skip else "failed", missing)
        raise Skip(missing) if may_skip else Fail(missing)


@impl
def tox_on_install(tox_env: ToxEnv) -> None:
    """Check before time is spent on installing."""
    check_needs(tox_env)


@impl
def tox_before_run_commands(tox_env: ToxEnv) -> None:
    """Check where nothing had to be installed."""
    check_needs(tox_env)


@impl
def tox_after_run_commands(tox_env: ToxEnv, exit_code: int, outcomes: list[Outcome]) -> None:
    """Keep what a test runner's last line has counted."""
    said = re.sub(r"\x1b\[[\d;]*m", "", "".join(outcome.out for outcome in outcomes))
    counted = re.findall(r"((?:\d+ [a-z]+, )*\d+ [a-z]+) in \d+\.\d+s", said)
    minutes = sum(outcome.elapsed for outcome in outcomes) / 60
    detail = ", ".join([*counted[-1:], f"{minutes:.1f} min"])
    results[tox_env.conf.name] = Result("failed" if exit_code else "passed", detail)


@impl
def tox_env_teardown(tox_env: ToxEnv) -> None:
    """Find out about an environment whose commands were not begun."""
    name = tox_env.conf.name
    if not isinstance(tox_env, RunToxEnv) or name in results or name.startswith("."):
        return
    if getattr(tox_env.options, "no_test", False):  # there were none to begin
        return
    try:
        _ = tox_env.base_python  # type: ignore[attr-defined]
        results[name] = Result("failed", "it could not be set up")
    except Skip as missing:
        results[name] = Result("skipped", str(missing))
    except Fail as missing:
        results[name] = Result("failed", str(missing))


@atexit.register
def sum_up() -> None:
    """Say how it ended, in a last line that programs can read."""
    if results:
        for name, (verdict, detail) in results.items():
            print(f"{name}: {verdict} ({detail})")
        count = collections.Counter(result.verdict for result in results.values())
        verdicts = ("passed", "failed", "skipped")
        print(", ".join(f"{count[verdict]} {verdict}" for verdict in verdicts), flush=True)
