"""Text as models and JSON can take it."""


def replace_surrogates(text: str) -> str:
    """Pairs of surrogates become the character they mean, lone ones U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
