"""How much of a context window a text takes."""


def estimated_tokens(text: str) -> int:
    """A quarter of its UTF-8 bytes, rounded up.

    Measured against o200k: Chinese +10 %, English +19 %, mixed -3 % (research/libraries.md); a
    count by characters is 63 % too low in Chinese.
    """
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)
