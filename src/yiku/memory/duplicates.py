"""Whether a text says again what is known already. Pure.

A memory wrongly taken for a repetition is lost, so both rules are strict. Vectors prove nothing:
half of the labelled pairs that differ have a cosine of .84 and more. So what is left of two texts
when wording that cannot change the meaning is taken away must be the same. Numbers, names,
negations, persons, tenses, directions, comparisons and units are never taken away. Measured on
hand-labelled pairs (tests/data): docs/reference/retrieval.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from hashlib import blake2b

from yiku.memory.text import EMOJI, HAN, caseless, simplify, tokens
from yiku.memory.when import numeral

LONGEST_IN_ORDER = 2000
"""Content words whose order is compared loosely, which takes their square; longer texts echo only
what they equal."""

ECHO_ORDER = 0.7
"""Share of a text's content words that come in the order of the memory it echoes."""

DROPPED_WORDS = "a an the um uh hmm oh wow lol haha btw"
DROPPED = frozenset(DROPPED_WORDS.split())
OPENER = re.compile(
    r"^\W*(?:(?:well|oh|ah|wow|hey|hi|hello|so|yeah|ok|okay|actually|honestly|basically"
    r"|by the way)\b[\s,!.]*)+"
)
DEGREE = re.compile(r"\b(?:really|very|totally|literally|definitely|actually|honestly)\b")
NEGATION = re.compile(r"\b(?:not|never|no|hardly)\b|[不没别未]")
"""Beside one, words of degree count: who doesn't really drink may drink a little."""

SAME_WORDS = """
am=be is=be are=be were=was has=have cannot=can_not
favourite=favorite colour=color grey=gray mom=mum tv=television
one=1 two=2 three=3 four=4 five=5 six=6 seven=7 eight=8 nine=9 ten=10 eleven=11 twelve=12 twenty=20
"""
SAME_WORD = {
    word: same.replace("_", " ")
    for word, _, same in (pair.partition("=") for pair in SAME_WORDS.split())
}
IRREGULAR = {"can't": "can not", "won't": "will not", "shan't": "shall not", "ain't": "be not"}

MOVABLE = re.compile(
    r"\b(?:(?:last|this|next) (?:week|month|year|night|weekend|spring|summer|autumn|winter"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day)|yesterday|today|tonight|tomorrow|recently"
    r"|every (?:day|week|month|year|morning|evening|night)"
    r"|(?:on |every )(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
    r"|in (?:19|20)\d\d|\w+ (?:days?|weeks?|months?|years?) ago)\b"
    r"|大?前天|[昨今明后]天|[昨今明]晚|[上下这]个?(?:周末?|星期|月)|[去今明前]年|最近|每[天周月年]|周末"
)
"""Times that stand before or after what happened, to the same effect."""

ZH_FILLERS = re.compile("其实|说实话|老实说|嗯+|呃+|哎呀?|哦|啊|呀|嘛|哈哈+")
ZH_DEGREE = re.compile("非常|真的|特别(?=[喜爱想好开])|很(?![少多难])")
ZH_PARTICLE = re.compile(f"(?<=[{HAN}])的(?=[{HAN}])")
ZH_SAME = {"您": "你", "俺": "我", "咱们": "我们", "一点儿": "一点", "哪儿": "哪里"}
ZH_NUMERAL = re.compile("[零〇一二两三四五六七八九十]+")

PIECE = re.compile(
    rf"[{HAN}{EMOJI}]|(?:(?<![\w.])[-.])?\d+(?:[.:/-]\d+)*|[^\W\d{HAN}_]+|[%$€£¥+?*/°]"
)


@dataclass(frozen=True, slots=True)
class Essence:
    """What is left of a text: its words in order, and the times that may stand anywhere."""

    words: tuple[str, ...]
    times: tuple[str, ...]
    """In order: of several, each belongs to something."""


def normal(text: str) -> str:
    """One way of writing: width, case, quotes, contractions, simplified characters."""
    plain = simplify(caseless(unicodedata.normalize("NFKC", text))).replace("’", "'")
    return contractions_undone(re.sub(r"(?<=\d),(?=\d{3})", "", plain))


def essence(text: str) -> Essence:
    plain = normal(text)
    times = tuple(MOVABLE.findall(plain))
    plain = OPENER.sub("", MOVABLE.sub(" ", plain))
    if not NEGATION.search(plain):
        plain = ZH_DEGREE.sub("", DEGREE.sub(" ", plain))
    if not plain.isascii():
        plain = ZH_PARTICLE.sub("", ZH_FILLERS.sub(" ", plain))
        for word, same in ZH_SAME.items():
            plain = plain.replace(word, same)
        plain = ZH_NUMERAL.sub(lambda m: f" {numeral(m[0]) or m[0]} ", plain)
    pieces: list[str] = PIECE.findall(plain)
    words: list[str] = []
    for piece in pieces:
        if piece not in DROPPED:
            words += SAME_WORD.get(piece, piece).split()
    return Essence(tuple(words), times)


def contractions_undone(text: str) -> str:
    for short, long in IRREGULAR.items():
        text = text.replace(short, long)
    text = text.replace("n't", " not").replace("it's", "it is").replace("i'd", "i would")
    text = re.sub(r"\b(he|she|that|there|what|who|where)'s\b", r"\1 is", text)
    text = re.sub(r"'(m|re)\b", " be", text)
    text = re.sub(r"'ve\b", " have", text)
    return re.sub(r"'ll\b", " will", text)


def same_meaning(a: str, b: str) -> bool:
    """Whether the texts say the same, no more and no less.

    Who said it and when is for the caller to compare.
    """
    return meaning(a) == meaning(b)


def meaning(text: str) -> Essence:
    left = essence(text)
    return Essence(turned(left.words) if left.words else (text,), left.times)


def key(words: Sequence[str]) -> bytes:
    """16 bytes of a text's `tokens`, the same for all texts of the same meaning, and for some
    others: it finds what is worth comparing, at a tenth of the cost."""
    kept = [w for w in {*words} - LIGHT_TOKENS if w.isalpha() and not (len(w) == 2 and is_pair(w))]
    if "".join(kept).isascii():
        # Chinese writes numbers in too many ways; elsewhere they tell log lines and lists apart.
        kept += {NUMBER_TOKENS.get(w, w) for w in words if w.isdecimal() or w in NUMBER_TOKENS}
    plain = "\x1f".join(sorted(kept))
    return blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def is_pair(word: str) -> bool:
    """Two characters of Chinese: they change with the wording around them."""
    return HAN_PAIR.fullmatch(word) is not None


def turned(words: tuple[str, ...]) -> tuple[str, ...]:
    """One order for "Blue is my favorite color" and "My favorite color is blue"."""
    if words.count("be") != 1 or "?" in words:
        return words
    i = words.index("be")
    first, second = sorted((words[:i], words[i + 1 :]))
    return (*first, "be", *second)


HAN_PAIR = re.compile(f"[{HAN}]{{2}}")
LIGHT_TOKENS = frozenset(
    tokens(
        f"{DROPPED_WORDS} well ah hey hi hello so yeah ok okay actually honestly basically by way"
        " really very totally literally definitely ever every"
        f" {' '.join(SAME_WORD)} {' '.join(SAME_WORD.values())}"
    )
) | frozenset(
    "其实说话老嗯呃哎呀哦啊嘛哈非常真的特别很您你俺我咱们一点儿哪里零〇二两三四五六七八九十"
)
"""What may come and go, or be written otherwise, without a change of meaning."""

NUMBER_TOKENS = {tokens(word)[0]: same for word, same in SAME_WORD.items() if same.isdecimal()}

FRAMING = frozenset(
    tokens(
        "user really very remember recall mention mentioned tell told say said know known note"
        " noted memory memories according record recorded earlier before previously conversation"
        " based see seem indeed right yes sure great glad understood"
    )
)
"""How a reply says where it has its facts from."""

ZH_FRAMING = re.compile(
    "根据(?:我的|你的)?(?:记忆|记录|之前的对话)|我?记得|你(?:之前|曾经|以前)?(?:提到|说|告诉我?|提)过?(?:的是)?"
    "|之前|我知道|好的|没错|是的|记忆(?:显示|中)|据我所知|如你所说|正如|所说|我记住了"
)
ZH_PERSONS = str.maketrans("", "", "我你您他她的了呢吧啊呀，。！,.!：:“”、 ")
MODALITY = re.compile(
    r"\b(?:not|never|no|none|nobody|nothing|neither|nor|without|hardly|used to|was|were|will|would"
    r"|could|might|may|should|must|want|plans?|planning|hope|if|unless|maybe|perhaps|more|less|most"
    r"|least|only|almost|before|after|stopped|quit|anymore|longer|still|already|than|had|did)\b"
    r"|不|没|别|无法|未|想|打算|计划|可能|也许|如果|除非|以前|曾|之前|以后|之后|更|最|只|几乎|还|已经|再|比|要"
)
"""Words that turn a statement into another one; an echo has the same of them."""


THIRD_PERSON = re.compile(r"\b(?:he|him|his|she|hers?|they|them|theirs?)\b|[他她]")


def is_echo(new_text: str, shown_texts: Sequence[str]) -> int | None:
    """Place of the shown memory that `new_text` merely repeats, or None.

    An echo may be shorter, turn "I" into "you" and say where it has it from; every content word,
    number and name of it is in that one memory, nearly in its order. A question is no echo.
    """
    if new_text.rstrip().endswith(("?", "？")) or re.search("[吗呢][。.!！]?$", new_text.strip()):
        return None
    new, mood = content(new_text), modality(new_text)
    if len(new) < 2:
        return None
    for place, shown in enumerate(shown_texts):
        known = content(shown)
        if Counter(new) - Counter(known) or mood != modality(shown):
            continue
        if len(new) > LONGEST_IN_ORDER:
            if new == known:
                return place
            continue
        blocks = SequenceMatcher(None, new, known, autojunk=False).get_matching_blocks()
        if sum(block.size for block in blocks) >= ECHO_ORDER * len(new):
            return place
    return None


def content(text: str) -> list[str]:
    """Content words in order: stems, numbers, Chinese characters; persons and framing left out."""
    plain = normal(text)
    if not plain.isascii() and re.search(f"[{HAN}]", plain):
        plain = ZH_FRAMING.sub(" ", plain).translate(ZH_PERSONS)
        return PIECE.findall(ZH_FILLERS.sub("", ZH_DEGREE.sub("", plain)))
    return [t for t in tokens(plain) if t not in DROPPED and t not in FRAMING]


def modality(text: str) -> tuple[Counter[str], bool]:
    """Its words that decide what kind of statement it is; whether it speaks of someone else."""
    plain = ZH_FRAMING.sub(" ", normal(text))
    return Counter(MODALITY.findall(plain)), THIRD_PERSON.search(plain) is not None
