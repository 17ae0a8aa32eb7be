"""The pages of the documentation: their blocks, commands, links and tables."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = re.compile(
    r"(?:\w+=\S+ )*(?:python3? |py -m|pip |curiosity-rl |benchmark\.py |ruff |tensorb)"
)
"""How code in a sentence begins if it is a command."""
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


@dataclass(frozen=True)
class Page:
    """One page of markdown."""

    path: Path

    @property
    def name(self) -> str:
        """Its path below the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        """All of it that a reader sees."""
        return re.sub(r"<!--.*?-->", "", self.path.read_text("utf-8"), flags=re.S)

    def blocks(self, language: str) -> list[str]:
        """Return its fenced blocks of a language; `""` for commands."""
        return blocks(self.text, language)

    def section(self, title: str) -> str:
        """Return what stands under a heading, those below it included."""
        found = re.search(
            rf"^(#+) {re.escape(title)}\n(.*?)(?=^\1 |\Z)", self.text, re.M | re.S
        )
        assert found, f"{self.name} has no section {title!r}"
        return found[2]

    def commands(self) -> list[list[str]]:
        """Return every command of blocks and sentences, as words."""
        lines = [line for block in self.blocks("") for line in block.splitlines()]
        inline = _INLINE.findall(_FENCE.sub("", self.text))
        lines += [code for code in inline if COMMANDS.match(" ".join(code.split()))]
        found = []
        for line in lines:
            for part in line.split(" && "):
                words = shlex.split(part, comments=True)
                while words and re.fullmatch(r"[A-Z_]+=\S+", words[0]):
                    words = words[1:]
                if words:
                    found.append(words)
        return found

    def links(self) -> list[str]:
        """Return where its links and pictures lead."""
        return re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", self.text))

    def anchors(self) -> set[str]:
        """Return what a link may name after `#`, as GitHub spells headings."""
        titles = re.findall(r"^#+ (.+)$", _FENCE.sub("", self.text), re.M)
        plain = [re.sub(r"[^\w\- ]", "", title.lower()) for title in titles]
        return {title.replace(" ", "-") for title in plain}

    def table(self, *head: str) -> list[list[str]]:
        """Return the rows of the table whose head begins with these columns."""
        lines = self.text.splitlines()
        for number, line in enumerate(lines):
            if line.startswith("|") and _cells(line)[: len(head)] == list(head):
                return list(_rows(lines[number + 2 :]))
        raise AssertionError(f"{self.name} has no table {head}")


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language; `""` for commands."""
    return [code for name, code in _FENCE.findall(text) if name == language]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _rows(lines: list[str]) -> Iterator[list[str]]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield _cells(line)


def code(cell: str) -> list[str]:
    """Return what a cell has in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


README = Page(ROOT / "README.md")
DOCS = [Page(path) for path in sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [README, Page(ROOT / "SECURITY.md"), *DOCS]
BY_NAME = {page.name: page for page in PAGES}
