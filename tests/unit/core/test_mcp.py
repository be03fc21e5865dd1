"""What an agent's secrets put into an MCP server's connection."""

import pytest

from yiku.core.mcp import Remote, Transport, filled


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{{ A }}", "1"),
        ("x {{A}} {{ A | 2 }}", "x 1 1"),
        ("{{ B | two words }}", "two words"),
        ("{{ B |}}", ""),
        ("{{ B }}", "{{ B }}"),
        ("{{ A | {{ B | 3 }}", "1"),
        ("{{ A", "{{ A"),
        # A regular expression that looks for the spaces' end in three places would take hours.
        ("{{a|" + " " * 8_000, "{{a|" + " " * 8_000),
    ],
)
def test_variables_are_filled_in(text: str, made: str) -> None:
    server = Remote(transport=Transport.HTTP, url="http://a", headers={"X": text})
    found = filled(server, {"A": "1"})
    assert isinstance(found, Remote)
    assert found.headers["X"] == made
