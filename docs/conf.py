"""How Sphinx makes the site of these pages: ``tox run -e docs``.

Law: a page has what its Markdown has, and the docstrings. What is done here serves every page:
names in code become links, docstrings show their labels, and a list of all pages is made for
programs that read (``llms.txt``). Nothing that a page shows comes from another server.
"""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import desc_signature, pending_xref, toctree
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

import sigcffi
import sigcffi.actions
import sigcffi.testing

HERE = Path(__file__).parent
LOGGER = logging.getLogger(__name__)
PROJECT = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]

project = PROJECT["name"]
author = PROJECT["authors"][0]["name"]
version = release = importlib.metadata.version(project)
project_copyright = author

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3
myst_enable_extensions = ["attrs_inline"]
# A shell's prompt in a block for the shell, or a file's first lines, are no errors of the page.
highlight_language = "none"

# Docstrings are written for help(): plain paragraphs, and types in the signature.
autodoc_default_options = {
    "members": True,
    "inherited-members": "BaseException, object, tuple, Sequence",
    "member-order": "bysource",
}
autodoc_class_signature = "mixed"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
nitpicky = True
# Types in signatures: those of the standard library, and names for several types together.
nitpick_ignore_regex = [("py:class", r"(?!sigcffi\.[a-zA-Z]).*")]

html_theme = "furo"
html_title = "sigcffi"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "static/icon.svg"

# ---- Docstrings ----

# What docstrings begin a paragraph with, and the site shows in bold.
LABELS = re.compile(r"^(Raises|Returns|Threads|Race conditions|Source|fork|Rejected)\b(?=[: ])")
HOMES = {
    name: f"sigcffi.{home}"
    for home, names in (sigcffi._OTHERS | sigcffi._INSTALLING).items()
    for name in names.split()
}


def show_labels(
    app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]
) -> None:
    """Show what a docstring's paragraphs are about, and the source that its module names."""
    for number, line in enumerate(lines):
        if number == 0 or not lines[number - 1]:
            lines[number] = LABELS.sub(r"**\1**", line)
    _, *path = name.split(".")
    if len(path) == 1 and not any(line.startswith("**Source") for line in lines):
        home = importlib.import_module(HOMES.get(path[0], "sigcffi"))
        source = re.search(r"^Source: (.+?)\s*(?:\n\n|\Z)", home.__doc__ or "", re.M | re.S)
        if source:
            lines += ["", "**Source:** " + " ".join(source[1].split()), ""]


# The classes that programs call; others they get from functions.
CALLED = {"Action", "Timer"}


def hide_signature(
    app: Sphinx, what: str, name: str, obj: object, options: Any, signature: str, returns: str
) -> tuple[str, None] | None:
    """Hide how the library makes an object that a program does not make."""
    short = name.rpartition(".")[2]
    made = what == "class" and short[0].isupper() and short not in CALLED
    return ("", None) if made and signature else None


# ---- Names ----


class LinksToNames(SphinxPostTransform):
    """Each name of ours that a text has in code, ``sigaction`` or ``timeout(5)``, is a link."""

    default_priority = 5  # before references are resolved

    def run(self, **_: Any) -> None:
        module = "testing" if self.env.docname.endswith("testing") else "actions"
        for literal in list(self.document.findall(nodes.literal)):
            name = self.named(literal.astext(), module)
            if name and not within(literal, nodes.reference, desc_signature, nodes.title):
                link = pending_xref("", refdomain="py", reftype="obj", reftarget=name, refwarn=True)
                literal.replace_self(link)
                link += literal

    def named(self, text: str, module: str) -> str | None:
        """Which name of ours is meant; on pages about a public module also one of that module's."""
        match = re.fullmatch(r"(?:sigcffi\.)?([\w.]+)(\((?!\d\)).*\))?", text)  # not write(2)
        if not match or text == "signal":  # that is mostly the standard module
            return None
        if self.env.docname == "architecture" and not match[2]:  # which has modules of such names
            return None
        objects = self.env.domains.python_domain.objects
        names = [f"sigcffi.{match[1]}"]
        called_there = match[2] and self.env.docname == module
        if called_there or self.env.docname.startswith("reference/"):
            names.append(f"sigcffi.{module}.{match[1]}")
        return next((name for name in names if name in objects), None)


def within(node: nodes.Node, *kinds: type[nodes.Node]) -> bool:
    parent = node.parent
    while parent is not None:
        if isinstance(parent, kinds):
            return True
        parent = parent.parent
    return False


def require_every_name(app: Sphinx, env: BuildEnvironment) -> None:
    """Require each public name of ours to be in the reference."""
    objects = env.domains.python_domain.objects
    for module in (sigcffi, sigcffi.actions, sigcffi.testing):
        for name in module.__all__:
            value = getattr(module, name)
            own = getattr(value, "__module__", "").partition(".")[0] == "sigcffi"
            if own and callable(value) and f"{module.__name__}.{name}" not in objects:
                LOGGER.warning("%s.%s is not in the reference", module.__name__, name)


# ---- The list of pages for programs ----


def first_sentence(doctree: nodes.document) -> str:
    for paragraph in doctree.findall(nodes.paragraph):
        if not within(paragraph, nodes.table):
            text = " ".join(paragraph.astext().split())
            return re.split(r"(?<=[.?]) ", text)[0].rstrip(":")
    return ""


def list_pages(app: Sphinx, exception: Exception | None) -> None:
    """Write ``llms.txt``: every page, in the order of the navigation, with its first sentence."""
    if exception is not None or app.builder.format != "html":
        return
    env = app.env
    lines = [f"# {project}", "", f"> {PROJECT['description']}"]
    seen = {env.config.root_doc}

    def list_page(docname: str) -> None:
        if docname not in seen:
            seen.add(docname)
            uri = app.builder.get_target_uri(docname)
            sentence = first_sentence(env.get_doctree(docname))
            title = env.titles[docname].astext()
            lines.append(f"- [{title}]({uri})" + (f": {sentence}" if sentence else ""))
            for below in env.toctree_includes.get(docname, ()):
                list_page(below)

    for tree in env.get_doctree(env.config.root_doc).findall(toctree):
        lines += ["", f"## {tree['caption']}", ""]
        for docname in tree["includefiles"]:
            list_page(docname)
    (Path(app.outdir) / "llms.txt").write_text("\n".join([*lines, ""]))


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", show_labels)
    app.connect("autodoc-process-signature", hide_signature)
    app.add_post_transform(LinksToNames)
    app.connect("env-check-consistency", require_every_name)
    app.connect("build-finished", list_pages)
