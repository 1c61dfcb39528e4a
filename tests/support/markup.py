"""What can be said of a page without a browser: is it well formed, complete in itself, and can all of it be reached and heard?"""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

__all__ = ["Markup"]

VOID = {"meta", "br", "line", "circle", "polyline"}
HEARD = {"svg", "nav", "section", "article"}
FETCHES = ("src", "srcset", "data", "action", "xlink:href")


class Markup(HTMLParser):
    """Reads a page; `wrong` says what is wrong with it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.tags: Counter[str] = Counter()
        self.texts: list[str] = []
        self._labels: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.wrong += [f"<{tag}> is not closed" for tag in self._open]
        self.wrong += [f"id {name} is there {times} times" for name, times in self.ids.items() if times > 1]
        self.wrong += [f"no id for {link}" for link in self.links if link.startswith("#") and link[1:] not in self.ids]
        self.wrong += [f"no id for the label {name}" for name in self._labels if name not in self.ids]
        self.wrong += [
            f"leads outside: {link}" for link in self.links if "//" in link or link.startswith(("/", "javascript:", ".."))
        ]

    @property
    def text(self) -> str:
        """What is read, in one line."""
        return " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        if "id" in given:
            self.ids[given["id"]] += 1
        if "href" in given:
            self.links.append(given["href"])
        self._labels += given.get("aria-labelledby", "").split()
        self.wrong += [f"<{tag} {name}> fetches something" for name in FETCHES if name in given]
        self.wrong += [f"<{tag} {name}> runs something" for name in given if name.startswith("on")]
        if tag in HEARD and not ("aria-label" in given or "aria-labelledby" in given):
            self.wrong.append(f"<{tag}> says nothing to who cannot see it")
        if tag in ("script", "link", "iframe", "object", "embed", "img"):
            self.wrong.append(f"<{tag}> is in the page")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()} where {self._open[-1:]} is open")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.texts.append(data)
        elif "url(" in data or "@import" in data:
            self.wrong.append("the style fetches something")
