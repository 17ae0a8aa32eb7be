"""The README's Python is what a reader would run, so it is run here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"
SECTIONS = dict(
    re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", README.read_text("utf-8"), re.M | re.S)
)
CURIOSITY = "Add curiosity to your agent"
BLOCKS = {
    f"{title} {number + 1}": code
    for title, text in SECTIONS.items()
    for number, code in enumerate(
        re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    )
}
PAYS = {
    f"{CURIOSITY} 1": "reward = model.intrinsic",
    f"{CURIOSITY} 2": "reward = bonus['intrinsic']",
    f"{CURIOSITY} 3": "reward = curious.reward",
}
"""What names the reward after a snippet, so that it can be asked if it ever paid."""


@pytest.mark.parametrize("title", BLOCKS)
def test_python_runs(title: str, tmp_path: Path) -> None:
    code = BLOCKS[title]
    if title in PAYS:
        paid = "assert reward.moments.count > 3500 and reward.moments.mean > 0"
        code = f"{code}\n{PAYS[title]}\n{paid}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_curiosity_takes_few_lines() -> None:
    snippets = [code for title, code in BLOCKS.items() if title.startswith(CURIOSITY)]
    assert len(snippets) == 3
    for code in snippets:
        assert len(code.splitlines()) <= 8
