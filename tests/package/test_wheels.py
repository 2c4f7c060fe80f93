"""``tools.wheels``: what it makes of names, of pytest's last line, and of a module's wants."""

import subprocess
import sys
from pathlib import Path

import pytest

for module in ("auditwheel", "elftools", "python_discovery", "ziglang"):
    pytest.importorskip(module, reason=f"no {module}, which the tox environment wheels has")
# Behind the others: the package that is tested is the one that is installed.
sys.path.append(str(Path(__file__).resolve().parents[2]))
from tools import qemu
from tools.wheels.__main__ import Row, table
from tools.wheels.checking import newest, wants
from tools.wheels.targets import TARGETS, Target
from tools.wheels.trying import Trial, summary
from tools.zig import ZIG, keep_libraries

SOURCE = """\
#include <signal.h>
extern int misspelt(int signum);
int both(int signum) { return raise(signum) + misspelt(signum); }
"""


def test_compilers_and_installers_know_a_target_by_its_names() -> None:
    assert [(target.compilers, target.platforms) for target in TARGETS] == [
        ("x86_64-linux-gnu.2.17", "manylinux2014_x86_64.manylinux_2_17_x86_64"),
        ("x86_64-linux-musl", "musllinux_1_2_x86_64"),
        ("aarch64-linux-gnu.2.17", "manylinux2014_aarch64.manylinux_2_17_aarch64"),
        ("aarch64-linux-musl", "musllinux_1_2_aarch64"),
    ]


def test_the_newest_version_is_not_the_last_in_the_alphabet() -> None:
    assert newest({"GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.4"}) == "GLIBC_2.17"


def module_for(target: Target, folder: Path, *flags: str) -> bytes:
    keep_libraries()
    (folder / "module.c").write_text(SOURCE)
    compiler = (ZIG, "cc", "-target", target.compilers, "-O2", "-shared", "-fPIC", *flags)
    subprocess.run([*compiler, "module.c", "-o", "module.so"], cwd=folder, check=True)
    return (folder / "module.so").read_bytes()


def test_a_misspelt_function_is_one_that_glibc_has_no_version_of(tmp_path: Path) -> None:
    module = wants(module_for(TARGETS[0], tmp_path, "-Wl,-z,now"))
    assert module.libraries == {"libc.so.6"}
    assert module.versions == {"GLIBC_2.2.5"}
    assert module.unversioned == {"misspelt"}
    assert module.bound_when_loaded


def test_a_module_that_looks_up_symbols_later_is_told_from_one_that_does_not(
    tmp_path: Path,
) -> None:
    assert not wants(module_for(TARGETS[0], tmp_path, "-Wl,-z,lazy")).bound_when_loaded


def test_musl_has_no_versions(tmp_path: Path) -> None:
    module = wants(module_for(TARGETS[1], tmp_path))
    assert module.versions == set()
    assert module.unversioned == {"raise", "misspelt"}


@pytest.mark.parametrize(
    ("output", "result"),
    [
        ("...\n12 passed, 3 skipped in 1.20s\n", "12 passed, 3 skipped in 1.20s"),
        ("==== 1 failed, 2 passed in 3.00s ====\r\n", "1 failed, 2 passed in 3.00s"),
        ("5 passed in 0.10s\n[    8.67] reboot: Power down\n", "5 passed in 0.10s"),
        ("Traceback ...\nImportError: no such module\n", "ImportError: no such module"),
        ("", "nothing was said"),
    ],
)
def test_what_became_of_the_tests_is_their_last_line(output: str, result: str) -> None:
    assert summary(output) == result


def test_a_trial_stands_below_the_file_that_was_installed() -> None:
    rows = [Row("a-1-cp311-abi3-x.whl", 1000), Row("a-1-cp314-cp314t-x.whl", 2000, ("audited",))]
    trials = [
        Trial("a-1-cp314-cp314t-x.whl", "python3.14t", "2 passed"),
        Trial("*-cp311-abi3-*", "python3.12", "not tried: it is missing here"),
    ]
    assert table(rows, trials).splitlines() == [
        "a-1-cp311-abi3-x.whl",
        "    1 kB",
        "    python3.12: not tried: it is missing here",
        "a-1-cp314-cp314t-x.whl",
        "    2 kB, audited",
        "    python3.14t: 2 passed",
    ]


def test_an_archive_has_each_folder_before_what_lies_in_it(tmp_path: Path) -> None:
    (tmp_path / "folder/inner").mkdir(parents=True)
    (tmp_path / "folder/inner/file").write_text("text")
    (tmp_path / "folder/link").symlink_to("inner/file")
    files = {"init": tmp_path / "folder/inner/file", "a/b": tmp_path / "folder"}
    assert [(name, oct(mode), content) for name, mode, content in qemu.members(files)] == [
        ("init", "0o100755", b"text"),
        ("a", "0o40755", b""),
        ("a/b", "0o40755", b""),
        ("a/b/inner", "0o40755", b""),
        ("a/b/inner/file", "0o100755", b"text"),
        ("a/b/link", "0o120777", b"inner/file"),
    ]
