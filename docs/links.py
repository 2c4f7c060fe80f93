"""Looks at the site that was built: ``python docs/links.py DIRECTORY``.

Law: every link within the site leads to a page and a place on it, and a page loads nothing from
elsewhere. Other sites are not asked, since not every machine can reach them: ``tox run -e links``
does that.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "link": "href", "source": "src", "iframe": "src"}


class Page(HTMLParser):
    """What a page links to, what it loads, and which places it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places = {"", "top"}
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self.places.add(has.get("id", ""))
        if tag == "a" and "href" in has:
            self.links.append(has["href"])
        elif LOADED.get(tag) in has:
            self.loaded.append(has[LOADED[tag]])


def main(site: Path) -> None:
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    bad, seen, elsewhere = [], 0, 0
    for path, page in pages.items():
        where = path.relative_to(site)
        for link in page.links + page.loaded:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                elsewhere += 1
                if link in page.loaded and address.scheme != "data":
                    bad.append(f"{where} loads {link}")
                continue
            seen += 1
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            if not target.exists():
                bad.append(f"{where}: there is no {link}")
            elif target in pages and unquote(address.fragment) not in pages[target].places:
                bad.append(f"{where}: there is no such place: {link}")
    print(f"{len(pages)} pages, {seen} links within the site, {elsewhere} that lead elsewhere")
    if bad or not seen:
        sys.exit("\n".join(bad) or "no page, or none with a link")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
