"""Every request that the documents make with curl is answered as they say: it is done.

Requests with an ellipsis in them, or to another host, are pictures of one. `$NAME` stands for the
`id` of the answer before it.
"""

import re
import shlex
from pathlib import Path

import httpx

from scripts.check_docs import ROOT, Block, blocks, documents
from tests.e2e.conftest import Cli

SERVER = "http://127.0.0.1:8283"
TAKES_VALUE = {"-X", "-H", "-d"}


def requests(block: Block) -> list[list[str]]:
    """The words of each curl command."""
    words = shlex.split(block.code.replace("\\\n", " "), comments=True)
    starts = [place for place, word in enumerate(words) if word == "curl"]
    ends = [*starts[1:], len(words)]
    return [words[start:end] for start, end in zip(starts, ends, strict=False)]


def sent(words: list[str], url: str) -> httpx.Response:
    """As curl would send it."""
    options = [(word, words[place + 1]) for place, word in enumerate(words) if word in TAKES_VALUE]
    body = next((value for name, value in options if name == "-d"), None)
    method = next((value for name, value in options if name == "-X"), "POST" if body else "GET")
    headers = dict(value.split(": ", 1) for name, value in options if name == "-H")
    address = next(word for word in words if word.startswith(SERVER))
    return httpx.request(
        method,
        address.replace(SERVER, url),
        headers=headers,
        content=None if body is None else body.encode(),
        timeout=60,
    )


def test_the_requests_of_the_documents_are_carried_out(cli: Cli) -> None:
    url, _ = cli.serve()
    done = 0
    for path in documents(ROOT):
        last = ""
        for block in blocks(path):
            for words in requests(block) if block.language == "bash" else ():
                line = " ".join(words)
                if "…" in line or SERVER not in line:
                    continue
                filled = [re.sub(r"\$[A-Z_]+", last, word) for word in words]
                answer = sent(filled, url)
                assert answer.is_success, f"{title(path, block)}: {line}\n{answer.text}"
                last = str(answer.json().get("id", ""))
                done += 1
    assert done


def title(path: Path, block: Block) -> str:
    return f"{path.relative_to(ROOT)}:{block.line}"
