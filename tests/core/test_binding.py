"""The border between C and Python: what is declared, and who may cross."""

from __future__ import annotations

import ast
import errno
import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sigcffi
from sigcffi._core import ffi as _ffi
from sigcffi._sigcffi import ffi, lib

PACKAGE = Path(sigcffi.__file__).parent


def test_the_stub_names_exactly_what_the_compiled_module_has() -> None:
    tree = ast.parse((PACKAGE / "_sigcffi.pyi").read_text())
    [declared] = [
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "_Lib"
    ]
    names = {
        node.target.id if isinstance(node, ast.AnnAssign) else node.name  # type: ignore[union-attr]
        for node in declared.body
    }
    assert names == set(dir(lib))


def test_the_posix_calls_themselves_are_declared() -> None:
    for name in ("sigaction", "alarm", "setitimer", "getitimer", "siginterrupt", "pause"):
        assert callable(getattr(lib, name))


def test_the_posix_calls_work_through_cffi_alone() -> None:
    setting, former = ffi.new("struct itimerval *"), ffi.new("struct itimerval *")
    setting.it_value.tv_sec = 1000
    assert lib.setitimer(sigcffi.ITIMER_VIRTUAL, setting, former) == 0
    assert sigcffi.getitimer(sigcffi.ITIMER_VIRTUAL)[0] > 990
    setting.it_value.tv_sec = 0
    assert lib.setitimer(sigcffi.ITIMER_VIRTUAL, setting, former) == 0
    assert former.it_value.tv_sec >= 990


@pytest.mark.parametrize("count", [1, 16, 64, 1024])
def test_records_lie_where_their_words_are_atomic(count: int) -> None:
    """Memory of cffi's own is aligned as its type asks, which on i386 is less."""
    for records, octets in [_ffi.new_records(count) for _ in range(20)]:
        assert _ffi.address_of(records) % 8 == 0
        assert len(octets) == count * lib.SIGCFFI_RECORD_SIZE
        records[count - 1].time_ns = 1
        assert any(octets[-lib.SIGCFFI_RECORD_SIZE :])


def test_a_word_is_the_set_that_the_kernel_has() -> None:
    """The C half copies the word of a sigset_t where it may; the standard module goes by signal."""
    import signal

    everything = sigcffi.valid_signals() - {sigcffi.SIGKILL, sigcffi.SIGSTOP}
    sigcffi.pthread_sigmask(sigcffi.SIG_SETMASK, everything)
    assert signal.pthread_sigmask(signal.SIG_SETMASK, ()) == everything


def test_slots_are_attached_detached_and_bounded() -> None:
    signum = sigcffi.SIGUSR1
    sigcffi.signal(signum, lambda signum, frame: None)
    counter = lib.SIGCFFI_SLOT_COUNTER
    handles = [
        lib.sigcffi_attachments_attach(signum, counter, 0, -1, 0, True)
        for _ in range(lib.SIGCFFI_SLOTS)
    ]
    assert len(set(handles)) == lib.SIGCFFI_SLOTS
    assert min(handles) > 0
    assert lib.sigcffi_attachments_attach(signum, counter, 0, -1, 0, True) == -errno.ENOSPC
    sigcffi.raise_signal(signum)
    for handle in handles:
        assert lib.sigcffi_attachments_tally(signum, handle).count == 1
        assert lib.sigcffi_attachments_detach(signum, handle).count == 1
        assert lib.sigcffi_attachments_detach(signum, handle).count == -1


def test_a_deferred_signal_waits_for_the_lift() -> None:
    seen: list[int] = []
    signum = sigcffi.SIGUSR1
    sigcffi.signal(signum, lambda signum, frame: seen.append(signum))
    lib.sigcffi_deferral_defer(1 << (signum - 1))
    sigcffi.raise_signal(signum)
    assert seen == []
    lib.sigcffi_deferral_lift(1 << (signum - 1))
    sigcffi.pthread_sigmask(sigcffi.SIG_BLOCK, ())  # PyPy looks for due handlers when asked
    assert seen == [signum]
    sigcffi.raise_signal(signum)
    assert seen == [signum] * 2


def test_the_version_stands_in_one_place_from_which_the_metadata_have_it() -> None:
    version = re.compile(r"\b\d+\.\d+\.\d+\b")
    found = {path: version.findall(path.read_text()) for path in PACKAGE.rglob("*.py")}
    found = {path: versions for path, versions in found.items() if versions}
    assert found == {PACKAGE / "__init__.py": [sigcffi.__version__]}
    assert importlib.metadata.version("sigcffi") == sigcffi.__version__


@pytest.mark.parametrize("checkout", [True, False])
def test_where_the_compiled_module_is_missing_a_checkout_says_what_to_do(
    tmp_path: Path, checkout: bool
) -> None:
    shutil.copytree(PACKAGE, tmp_path / "sigcffi", ignore=shutil.ignore_patterns("*.so"))
    if checkout:
        (tmp_path / "sigcffi" / "_csrc").mkdir()
    command = [sys.executable, "-c", "import sigcffi"]  # finds what is in the current folder first
    done = subprocess.run(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    if checkout:
        assert last.startswith("ImportError: ")
        assert f"run 'pip install {tmp_path}'" in last
        assert "ModuleNotFoundError" not in done.stderr
    else:
        assert last.startswith("ModuleNotFoundError: No module named 'sigcffi._sigcffi'")
