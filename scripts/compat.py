"""Write the table of methods in docs/reference/letta-compat.md from letta-methods.toml beside it.

python scripts/compat.py           writes it
python scripts/compat.py --check   says whether it is as it should be; exit code 1 when it isn't
"""

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = ROOT / "docs" / "reference" / "letta-methods.toml"
PAGE = ROOT / "docs" / "reference" / "letta-compat.md"
BEGIN, END = "<!-- methods -->\n", "<!-- /methods -->\n"
STATUSES = {"works": "works", "differs": "works, with a difference", "absent": "not here"}

Rows = Mapping[str, Mapping[str, str]]


def rows() -> Rows:
    """By method; each has a `status`, and what isn't plain "works" a `note`."""
    found: Rows = tomllib.loads(DATA.read_text(encoding="utf-8"))
    for method, row in found.items():
        if row["status"] not in STATUSES or ("note" in row) == (row["status"] == "works"):
            raise ValueError(f"{DATA.name}: {method} has no status and note that fit: {dict(row)}")
    return found


def table(of: Rows) -> str:
    lines = ["| method | status | |", "| --- | --- | --- |"]
    lines += [
        f"| `{method}` | {STATUSES[row['status']]} | {row.get('note', '')} |"
        for method, row in sorted(of.items())
    ]
    return "\n".join(lines) + "\n"


def with_table(page: str, of: Rows) -> str:
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no {BEGIN.strip()} … {END.strip()}.")
    return before + begin + table(of) + end + after


def main() -> int:
    page = PAGE.read_text(encoding="utf-8")
    wanted = with_table(page, rows())
    if "--check" not in sys.argv:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if page != wanted:
        print(f"{PAGE.name} is not what {DATA.name} says: run python scripts/compat.py.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
