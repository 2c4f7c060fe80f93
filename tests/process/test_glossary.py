"""The glossary, held against the code: what it explains is there, what it has retired is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"


def rows(text: str) -> list[list[str]]:
    """The cells of all tables, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] not in ("term", "not") and row[0].strip("-")]


TERMS, RETIRED = (rows(part) for part in GLOSSARY.read_text().split("## Retired"))
SINGLE = [term for term, _ in TERMS]


def files(*patterns: str) -> list[Path]:
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


CODE = files(*(f"sigcffi/**/*.{ending}" for ending in ("py", "pyi", "c", "h", "cdef.txt")))
PAGES = files("*.md", "docs/**/*.md", "examples/**/*.py", "benchmarks/*.py")


def words_of(text: str) -> str:
    """Its words, one blank between them: those of names, too, and lines do not count."""
    return " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", text)).lower()


def has(words: str, term: str) -> bool:
    """Whether the term is there, in the singular or plural, in one word or in several."""
    return re.search(rf"\b{words_of(term).replace(' ', ' ?')}s?\b", words) is not None


@pytest.fixture(scope="module")
def code() -> dict[Path, str]:
    return {path: words_of(path.read_text()) for path in CODE}


def test_a_term_is_explained_once() -> None:
    assert len(SINGLE) > 30
    assert sorted(SINGLE) == sorted(set(SINGLE))


@pytest.mark.parametrize("term", SINGLE)
def test_what_is_explained_is_in_the_code(code: dict[Path, str], term: str) -> None:
    assert any(has(words, term) for words in code.values())


@pytest.mark.parametrize(("words", "instead"), RETIRED)
def test_what_is_retired_is_nowhere(code: dict[Path, str], words: str, instead: str) -> None:
    """But in the names of what is used instead: "pressure" is retired, "back-pressure" is not."""
    pages = {path: words_of(path.read_text()) for path in PAGES if path != GLOSSARY}
    used = re.compile(rf"\b{words_of(instead).replace(' ', ' ?')}\b")
    for path, text in {**code, **pages}.items():
        left = used.sub("", text)
        found = [word for word in words.split(", ") if has(left, word)]
        assert not found, f"{path.relative_to(ROOT)}: say {instead}"
    assert instead in SINGLE
