"""Write every dashboard."""

from __future__ import annotations

import sys
from pathlib import Path

from grafana.boards import BOARDS, text_of

FOLDER = Path(__file__).parents[1] / "dashboards"


def main() -> None:
    """Write what the generator makes, and take away what it no longer makes."""
    for path in FOLDER.glob("*.json"):
        if path.name not in BOARDS:
            path.unlink()
    for name, build in BOARDS.items():
        (FOLDER / name).write_text(text_of(build()), encoding="utf-8")
        sys.stdout.write(f"grafana/dashboards/{name}\n")


if __name__ == "__main__":
    main()
