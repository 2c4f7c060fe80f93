"""What is made from something else, and not kept by hand: ``python generate.py``.

Law: each text has one source. ``--check`` changes nothing, and fails if a text is not what its
source gives; tox runs that with the linters. Needs nothing but the source tree.

- ``sigcffi/_sigcffi.pyi``, for type checkers, from the declarations for cffi;
- ``sigcffi/__init__.pyi``, likewise, from the table of homes in ``sigcffi/__init__.py``;
- ``docs/names.md`` and ``docs/reference``, from that table, the subjects and the docstrings;
- the map in ``docs/architecture.md``, from import-linter's layers and the modules' first lines;
- the plans there, from ``sigcffi/_changes/plan.py``.
"""

from __future__ import annotations

import ast
import itertools
import keyword
import re
import runpy
import signal
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "sigcffi"
WIDTH = 100
MADE_OF = "# Made by generate.py of {}: change that."
MADE_IN_MARKDOWN = "<!-- Made by generate.py of the package: change that. -->"

# ---- The declarations for cffi ----

CDEF = re.sub(r"/\*.*?\*/", "", (PACKAGE / "_csrc/sigcffi.cdef.txt").read_text(), flags=re.DOTALL)
NUMBERS = re.findall(r"^#define (\w+) \.\.\.$", CDEF, re.MULTILINE)
STRUCTS = {
    name: re.findall(r"(\w+) (\w+);", members)
    for members, name in re.findall(r"^typedef struct \{\n(.*?)\n\} (\w+);", CDEF, re.M | re.S)
}
FUNCTIONS = re.findall(r"^((?:\w+ )+\*?)(\w+)\(([^()]*)\);", CDEF, re.MULTILINE)
SIMPLE = {"void": "None", "_Bool": "bool", "double": "float"}


def python_type(c_type: str) -> str:
    words = c_type.replace("const ", "").split()
    if "*" in c_type:
        return "Any"
    if words[-1] in STRUCTS:
        return class_name(words[-1])
    return SIMPLE.get(words[-1], "int")


def class_name(struct: str) -> str:
    return "_" + struct.removeprefix("sigcffi_").capitalize()


def method(returned: str, name: str, arguments: str) -> str:
    parameters = ["self"]
    for argument in re.split(r",\s+", arguments) if arguments != "void" else ():
        kind, parameter = re.findall(r"(.*[ *])(\w+)", argument)[0]
        underscore = "_" if keyword.iskeyword(parameter) else ""
        parameters.append(f"{parameter}{underscore}: {python_type(kind)}")
    if len(parameters) > 1:
        parameters.append("/")
    line = f"    def {name}({', '.join(parameters)}) -> {python_type(returned)}: ..."
    if len(line) > WIDTH:
        line = line.replace("(", "(\n        ", 1).replace(") ->", "\n    ) ->", 1)
    return line


def compiled_module() -> str:
    lines = [MADE_OF.format("_csrc/sigcffi.cdef.txt"), "from typing import Any, final", ""]
    for struct, members in STRUCTS.items():
        fields = [f"    {name}: {python_type(kind)}" for kind, name in members]
        lines += ["@final", f"class {class_name(struct)}:", *fields, ""]
    lines += ["@final", "class _Lib:", *(f"    {name}: int" for name in NUMBERS), ""]
    lines += [method(*function) for function in FUNCTIONS]
    return "\n".join([*lines, "", "ffi: Any", "lib: _Lib", ""])


# ---- The names of the package ----


def table(name: str) -> dict[str, list[str]]:
    """One of the tables of homes: names by the modules that have them."""
    for node in ast.parse((PACKAGE / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            homes: dict[str, str] = ast.literal_eval(node.value)
            return {home: names.split() for home, names in homes.items()}
    raise LookupError(name)


HOMES = table("_OTHERS") | table("_INSTALLING")
MODULES = "actions", "testing"  # public ones
# The subjects of docs/names.md, which have a page each in docs/reference: what these modules have.
SUBJECTS = {
    "Handlers": "_handlers.signal _handlers.sigaction _dispatch.action _subscribed.subscribing"
    " _handlers.deferring _handlers.patching",
    "What a signal carries": "_core.siginfo _core.names",
    "Actions in C": "actions _attached.force_quit _attached.dead_man",
    "Receivers": "_attached.receiving",
    "Stopping": "_shutdown.shutdown _shutdown.asked",
    "Timeouts and timers": "_time.timeouts _time.timers _time.itimers",
    "Masks and waits": "_masks.blocking _masks.masks _waits.waiting _masks.signalfd",
    "Sending": "_core.sending",
    "Looking": "_handlers.inspecting _handlers.processes",
    "Testing": "testing",
}
FROM_THE_STANDARD_MODULE = {"SIGSTKFLT", "struct_siginfo"}  # made here where it lacks them: PyPy
NOT_ON_LINUX = "SIGEMT", "SIGINFO"  # of the standard module's; this is run on Linux
# The numbers that C has for Python programs, and not for the library.
OTHERS = ("SIGCFFI_", "CLOCK_")
CODES = [name for name in NUMBERS if name.isupper() and not name.startswith(OTHERS)]


def import_order(name: str) -> tuple[int, str]:
    """As ruff sorts: constants, classes, functions."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2, name.lower()


def package() -> str:
    """The stub of the package. Each name has one definition: with a second, type checkers would
    not agree which counts.
    """
    own = {name for names in HOMES.values() for name in names} - FROM_THE_STANDARD_MODULE
    objects = {name for name in dir(signal) if not name.startswith("_")} - own
    lines = [MADE_OF.format("__init__.py"), "import sys"]
    lines += [f"from signal import {name} as {name}" for name in sorted(objects, key=import_order)]
    lines += ["", "from sigcffi import actions as actions"]
    for home, names in sorted(HOMES.items()):
        for name in sorted({*names} & own - {"*", "actions"}):
            lines.append(f"from sigcffi.{home} import {name} as {name}")
    lines += ["", 'if sys.platform != "linux":']
    lines += [f"    from signal import {name} as {name}" for name in NOT_ON_LINUX]
    lines += ["", "__version__: str", *(f"{name}: int" for name in CODES), ""]
    return "\n".join(lines)


# ---- The documentation ----


def tree(module: str) -> ast.Module:
    path = PACKAGE / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text())


def first_sentence(node: ast.AST) -> str:
    """The first sentence of a docstring, in Markdown."""
    text = " ".join((ast.get_docstring(node) or "").split())  # type: ignore[arg-type]
    return re.split(r"(?<=\.) ", text)[0].rstrip(".").replace("``", "`").replace("|", "\\|")


def definitions(module: str) -> dict[str, ast.AST]:
    """The functions and classes of a module."""
    return {
        node.name: node
        for node in ast.walk(tree(module))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


def public_in(module: str) -> list[str]:
    for node in tree(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant)]
    raise LookupError(module)


def described(module: str) -> dict[str, ast.AST]:
    """The functions and classes that a module has for programs, by the names that these use."""
    found: dict[str, ast.AST] = {}
    for node in tree(module).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sigcffi._"):
            found |= definitions((node.module or "").removeprefix("sigcffi."))
    found |= definitions(module)
    prefix = f"{module}." if module in MODULES else ""
    own = found.keys() & (public_in(module) if module in MODULES else HOMES[module])
    functions_first = sorted(own, key=lambda name: (name[0].isupper(), name))
    return {prefix + name: found[name] for name in functions_first}


def subjects() -> dict[str, dict[str, ast.AST]]:
    """What there is, by subject."""
    assert sorted(" ".join(SUBJECTS.values()).split()) == sorted({*HOMES, *MODULES})
    return {
        title: {name: node for home in homes.split() for name, node in described(home).items()}
        for title, homes in SUBJECTS.items()
    }


def page_of(subject: str) -> Path:
    return ROOT / "docs/reference" / (subject.lower().replace(",", "").replace(" ", "-") + ".md")


def names() -> str:
    lines = [
        MADE_IN_MARKDOWN,
        "# Names",
        "",
        "Every name that sigcffi has of its own. `help(sigcffi.NAME)` says more, and so does the",
        "page of each subject. The constants, enums and exceptions of the standard module,",
        "`set_wakeup_fd`, `raise_signal` and `default_int_handler` are that module's own objects.",
        "`sigcffi.__version__` is the version, a str.",
    ]
    for subject, members in subjects().items():
        page = page_of(subject).relative_to(ROOT / "docs")
        lines += ["", f"## [{subject}]({page})", "", "| name | what it is |", "| --- | --- |"]
        lines += [f"| `{name}` | {first_sentence(node)} |" for name, node in members.items()]
    codes = "A platform may lack some: " + ", ".join(f"`{name}`" for name in CODES) + "."
    lines += ["", "## Numbers of the C compiler", "", codes, "", "```{toctree}", ":hidden:", ""]
    lines += [f"reference/{page_of(subject).stem}" for subject in SUBJECTS]
    return "\n".join([*lines, "```", ""])


def reference() -> Iterator[tuple[Path, str]]:
    """A page for each subject: Sphinx puts the docstrings there."""
    for subject, members in subjects().items():
        listed = ", ".join(f"`{name}`" for name in members)
        lines = [MADE_IN_MARKDOWN, f"# {subject}", "", listed, "", "```{eval-rst}"]
        for name, node in members.items():
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            lines.append(f".. auto{kind}:: sigcffi.{name}")
        yield page_of(subject), "\n".join([*lines, "```", ""])


def chart() -> str:
    """Rooms and modules, those that may import the others first."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = {contract["containers"][0]: contract["layers"] for contract in config["contracts"]}
    lines = ["| | |", "| --- | --- |"]
    for room in " | ".join(layers["sigcffi"]).split(" | "):
        lines.append(f"| **`{room}`** | {first_sentence(tree(room))} |")
        for layer in layers.get(f"sigcffi.{room}", ()):
            for module in layer.split(" | "):
                lines.append(f"| `{module}` | {first_sentence(tree(f'{room}.{module}'))} |")
    return "\n".join(lines)


def plans() -> str:
    """Every plan of a change, and when it is made. Each row stands for all situations that agree
    in what it says; an empty cell stands for yes and no.
    """
    module = runpy.run_path(str(PACKAGE / "_changes/plan.py"))
    lines = [
        "| wanted | subscribers | dispatched | slotted | steps; in brackets: while it is held |",
        "| --- | --- | --- | --- | --- |",
    ]
    for wanted in module["WANTED"]:
        rows: dict[tuple[bool | None, ...], str] = {}
        for situation in itertools.product((False, True), repeat=3):
            known = dict(zip(("subscribed", "dispatched", "slotted"), situation, strict=True))
            before, held, after = module["plan_of"](wanted, **known)
            steps = [*before, *([f"[{', '.join(held)}]"] if held else ()), *after]
            rows[situation] = ", ".join(steps)
        for place in range(3):  # two that differ here alone become one
            for row, steps in list(rows.items()):
                other = (*row[:place], True, *row[place + 1 :])
                if row[place] is False and rows.get(other) == steps:
                    del rows[row], rows[other]
                    rows[(*row[:place], None, *row[place + 1 :])] = steps
        for row, steps in rows.items():
            cells = ("" if each is None else "yes" if each else "no" for each in row)
            lines.append(f"| {wanted} | {' | '.join(cells)} | {steps} |")
    return "\n".join(lines)


def put_in(text: str, name: str, made: str) -> str:
    """Put into a text what is made for the place of that name."""
    begin, end = f"<!-- {name}: made by generate.py -->\n", f"\n<!-- the end of {name} -->"
    before, _, rest = text.partition(begin)
    return before + begin + made + end + rest.partition(end)[2]


def architecture() -> str:
    text = (ROOT / "docs/architecture.md").read_text()
    return put_in(put_in(text, "the map", chart()), "the plans", plans())


def main() -> None:
    texts = {
        PACKAGE / "_sigcffi.pyi": compiled_module(),
        PACKAGE / "__init__.pyi": package(),
        ROOT / "docs/names.md": names(),
        ROOT / "docs/architecture.md": architecture(),
        **dict(reference()),
    }
    old = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        if old:
            sys.exit("\n".join(f"{path}: out of date, run python generate.py" for path in old))
        return
    for path in old:
        path.write_text(texts[path])
        print(path)


if __name__ == "__main__":
    main()
