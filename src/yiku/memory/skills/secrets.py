"""Passwords, keys and card numbers in what agents save: found by their form, or because the text
says what they are. Pure.

What is missed is stored; what is wrongly taken for a secret is lost. So a form must be one that
nothing else has, and of what a text calls a password the value must look like one: "my password is
too long" holds none. Phone numbers, addresses, order numbers and hashes are memories.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from yiku.core.errors import SecretRefused
from yiku.core.language import Language, language_of

Policy = Literal["refuse", "mask", "keep"]


class SecretKind(StrEnum):
    API_KEY = "API key"
    PRIVATE_KEY = "private key"
    TOKEN = "token"
    PASSWORD = "password"
    CARD = "card number"


ZH: Mapping[SecretKind, str] = {
    SecretKind.API_KEY: "API 密钥",
    SecretKind.PRIVATE_KEY: "私钥",
    SecretKind.TOKEN: "令牌",
    SecretKind.PASSWORD: "密码",
    SecretKind.CARD: "银行卡号",
}


@dataclass(frozen=True, slots=True)
class Secret:
    """Where one stands in a text."""

    kind: SecretKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Guarded:
    """A text that may be stored."""

    text: str
    found: tuple[SecretKind, ...] = ()
    """What was masked in it, in order."""


def guard(text: str, policy: Policy) -> Guarded:
    """The text without its secrets; masking again changes nothing. Raises: SecretRefused."""
    if policy == "keep":
        return Guarded(text)
    found = secrets_in(text)
    if not found:
        return Guarded(text)
    if policy == "refuse":
        kinds = ", ".join(dict.fromkeys(one.kind.value for one in found))
        raise SecretRefused(
            f"The text holds a secret ({kinds}), which is never stored (YIKU_SECRETS=refuse). Say"
            " it without the secret: where it is kept, or what it is for.",
            kinds=[one.kind.value for one in found],
        )
    language = language_of([text])
    parts: list[str] = []
    done = 0
    for one in found:
        parts += [text[done : one.start], mask(one.kind, language)]
        done = one.end
    return Guarded("".join([*parts, text[done:]]), tuple(one.kind for one in found))


def mask(kind: SecretKind, language: Language) -> str:
    what = named(kind, language)
    return f"[{what}已隐去]" if language == "zh" else f"[{what} removed]"


def named(kind: SecretKind, language: str) -> str:
    return ZH[kind] if language == "zh" else kind.value


MASKED = re.compile(
    "|".join(re.escape(mask(kind, each)) for kind in SecretKind for each in ("en", "zh"))
)


def secrets_in(text: str) -> list[Secret]:
    """In order; none within another."""
    plain = text if text.isascii() else text.translate(NARROW)
    if MASKED.search(plain):  # what stands there is no secret, and ends what was said before it
        plain = MASKED.sub(lambda mask: "\n" * len(mask[0]), plain)
    if not HINT.search(plain):
        return []
    found = sorted(each(plain), key=lambda one: (one.start, -one.end))
    kept: list[Secret] = []
    for one in found:
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
        elif one.end > kept[-1].end:  # two overlap: what either covers goes
            kept[-1] = Secret(kept[-1].kind, kept[-1].start, one.end)
    return kept


def each(plain: str) -> Iterator[Secret]:
    for kind, form in FORMS:
        for match in form.finditer(plain):
            yield Secret(kind, match.start("it"), match.end("it"))
    for match in SAID.finditer(plain):
        if said := of_said(plain, match):
            yield said
    for form in TURNED:
        for match in form.finditer(plain):
            if looks_secret(match["it"]):
                yield Secret(SecretKind.PASSWORD, match.start("it"), match.end("it"))
    for match in DIGITS.finditer(plain):
        if is_card(plain, match):
            yield Secret(SecretKind.CARD, match.start(), match.end())


NARROW = {
    **{code: code - 0xFEE0 for code in range(0xFF10, 0xFF1B)},  # digits and the colon
    **{code: code - 0xFEE0 for code in range(0xFF21, 0xFF3B)},
    **{code: code - 0xFEE0 for code in range(0xFF41, 0xFF5B)},
    ord("＝"): "=",
    ord("＠"): "@",
    ord("“"): '"',
    ord("”"): '"',
    ord("‘"): "'",
    ord("’"): "'",
    ord("「"): '"',
    ord("」"): '"',
}
"""Full-width forms, each one character: places in the text stay."""

EDGE = r"(?<![A-Za-z0-9_.-])"
NAMED_FORMS = (
    r"sk-[A-Za-z0-9_-]{20,200}",  # OpenAI, Anthropic, DeepSeek and many after them
    r"[srp]k_(?:live|test)_[A-Za-z0-9]{16,200}",  # Stripe
    r"whsec_[A-Za-z0-9+/]{24,100}",
    r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}",  # AWS
    r"LTAI[A-Za-z0-9]{12,30}",  # Alibaba Cloud
    r"AKID[A-Za-z0-9]{13,40}",  # Tencent Cloud
    r"AIza[A-Za-z0-9_-]{35}",  # Google
    r"ya29\.[A-Za-z0-9_-]{20,300}",
    r"gh[pousr]_[A-Za-z0-9]{30,255}",  # GitHub
    r"github_pat_[A-Za-z0-9_]{22,255}",
    r"glpat-[A-Za-z0-9_-]{20,100}",  # GitLab
    r"xox[abeoprs]-[A-Za-z0-9-]{10,200}",  # Slack
    r"hf_[A-Za-z0-9]{30,60}",
    r"(?:gsk|xai|nvapi|pplx|tvly|r8)[_-][A-Za-z0-9_-]{24,120}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[A-Za-z0-9_-]{50,300}",
    r"dop_v1_[a-f0-9]{64}",
    r"SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}",
    r"\d{8,10}:AA[A-Za-z0-9_-]{33}",  # Telegram
    r"yk_[A-Za-z0-9_-]{20,100}",  # our own
)
FORMS: tuple[tuple[SecretKind, re.Pattern[str]], ...] = (
    (
        SecretKind.PRIVATE_KEY,
        re.compile(
            r"(?P<it>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:[\s\S]*?-----END [A-Z0-9 ]{0,40}KEY(?: BLOCK)?-----|[\s\S]*))"
        ),
    ),
    (SecretKind.API_KEY, re.compile(f"{EDGE}(?P<it>{'|'.join(NAMED_FORMS)})(?![A-Za-z0-9])")),
    (
        SecretKind.TOKEN,
        re.compile(
            rf"{EDGE}(?P<it>eyJ[A-Za-z0-9_-]{{8,4000}}\.eyJ[A-Za-z0-9_-]{{8,8000}}"
            r"(?:\.[A-Za-z0-9_-]{8,1000})?)"
        ),
    ),
    (
        SecretKind.TOKEN,
        re.compile(r"\bBearer\s{1,3}(?P<it>(?=\S{0,400}\d)[A-Za-z0-9._~+/-]{20,4000}=*)", re.I),
    ),
    (
        SecretKind.PASSWORD,
        re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{0,64}:(?P<it>[^\s:/@\[]{1,128})@", re.I),
    ),
)

KEYWORD = (
    r"(?P<key>(?:api|secret|access|app|client|private|encryption|signing)[ _-]?(?:access[ _-]?)?"
    r"(?:key|secret|token)(?:[ _-]?id)?|auth(?:entication)?[ _-]?token|"
    r"(?:api ?|访问|应用|授权)?(?:密钥|秘钥|令牌)|appsecret)"
    r"|(?P<word>pass(?:word|wd|phrase|code)|pwd|\bpin(?: number| code)?\b|verification code"
    r"|(?:支付|登录|登陆|开机|锁屏|门锁|取款|交易|wi-?fi)?密码|口令|验证码|pin码)"
)
LINK = (
    r"(?P<link>[ \t]{0,3}(?:[:=]|(?:is|was|are)(?: now)?\b[ \t]*:?|to\b|->|→|"
    r"(?:现在)?(?:就)?是|为|改[成为]了?|换[成为]了?|设(?:置)?[成为]了?)[ \t]{0,3}|[ \t]{1,3})"
)
VALUE = (
    r"(?:\"(?P<quoted>[^\"\n]{3,128})\"|'(?P<single>[^'\n]{3,128})'|`(?P<code>[^`\n]{3,128})`"
    r"|(?P<bare>[!-~]{4,200}))"
)
SAID = re.compile(
    rf"(?:{KEYWORD})(?:[ \t]{{0,2}}[\(（][^\)）\n]{{0,30}}[\)）])?"
    r"(?P<of>[ \t]{1,2}(?:for|of|to) [^\n:=]{1,40}?(?=[ \t]{0,2}(?:[:=]|(?:is|was)\b)))?"
    rf"{LINK}{VALUE}",
    re.IGNORECASE,
)
"""What is said to be a password or a key."""

TURNED = (
    re.compile(
        r"(?<!\S)[\"'`]?(?P<it>[!-~]{4,128}?)[\"'`]?\s{1,2}is (?:my|our|the|his|her|their)"
        r" (?:\w{1,20} ){0,2}(?:password|passcode|passphrase|pin)\b",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:use|using|with)\s[\"'`]?(?P<it>[!-~]{4,128}?)[\"'`]?\s{1,2}as (?:my|our|the|a|your)"
        r" (?:\w{1,20} ){0,2}(?:password|passcode|passphrase|pin)\b",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?<![!-~])\"?(?P<it>[!-~]{4,128}?)\"?\s{0,2}(?:就?是|作为|当作?)(?:我|你|他|她|我们|家里|公司)?的?"
        r"(?:支付|登录|开机|锁屏|wi-?fi)?(?:密码|口令)",
        re.IGNORECASE,
    ),
)
"""The value first: "hunter2 is my password"."""

ENDS = ".,;:!?)]}>\"'`"
STATES = frozenset(
    "wrong right correct incorrect secret safe weak strong long short same different empty blank"
    " none null missing invalid valid unknown here there good bad hard easy mine yours public"
    " private very still always never your their what which that this where when only just also"
    " about with from expired forgotten lost broken fine okay true false required optional manager"
    " reset policy hint field login based less protected protection requirements rules change"
    " again soon unique simple complex default changed shared stored saved hidden masked redacted"
    " removed leaked stolen important important. sensitive confidential available".split()
)
INFLECTED = re.compile(r"[a-z]+(?:ed|ing|able|ible|ly|ful|less|ous|ive)")
"""How a password is, not what it is."""
ADDRESS = re.compile(r"[\w.+-]+@(?:[\w-]+\.)+[a-z]{2,}", re.IGNORECASE)
COUNTED = re.compile(r"[ \t]?(?:次|位|个|年|天|分钟|小时|字符|遍|times|digits|characters|chars)")


def of_said(plain: str, match: re.Match[str]) -> Secret | None:
    """The value of what the text calls a secret, where it looks like one."""
    kind = SecretKind.API_KEY if match["key"] else SecretKind.PASSWORD
    for name in ("quoted", "single", "code"):
        if match[name] is not None:
            told = match[name].strip()
            whole = len(told.split()) == 1 or match["link"].strip() in (":", "=")
            plausible = told[:1] != "[" and (whole or "phrase" in match[0].lower())
            return Secret(kind, match.start(name), match.end(name)) if plausible else None
    value = match["bare"].rstrip(ENDS.replace("!", ""))  # which may well be its last sign
    start, end = match.start("bare"), match.start("bare") + len(value)
    if not is_value(value, match, plain[end : end + 12]):
        return None
    return Secret(kind, start, end)


def is_value(value: str, match: re.Match[str], after: str) -> bool:
    if value[:1] in "[<{*" or len(value) < (8 if match["key"] else 4) or COUNTED.match(after):
        return False
    if "://" in value or ADDRESS.fullmatch(value):
        return False
    link = match["link"].strip().lower()
    if looks_secret(value):
        return bool(link) or is_lone(value, match)
    lower = value.lower().rstrip(ENDS)
    if match["key"] or lower in STATES or INFLECTED.fullmatch(lower):
        return False
    if link in (":", "="):
        return True
    # "the password is sunshine": a lone word that ends the clause, in English; in Chinese, where
    # foreign letters stand out, any.
    if not match["word"].isascii():
        return bool(link) and not re.match(r"[ \t]*[\u4e00-\u9fff]", after)
    return link.startswith(("is", "was")) and re.match(r"[ \t]*(?:$|[.,;!\n])", after) is not None


def is_lone(value: str, match: re.Match[str]) -> bool:
    """Whether what follows without a word between ("wifi密码 12345678") is meant as the value."""
    if match["key"]:
        return len(value) >= 16
    return len(value) >= (4 if not match["word"].isascii() else 6) and any(map(str.isdigit, value))


def looks_secret(value: str) -> bool:
    """Digits, signs, or cases mixed as no word has them."""
    core = value.strip(ENDS)
    if len(core) < 4 or value.startswith("["):
        return False
    if any(map(str.isdigit, core)):
        return not AGE_OR_DATE.fullmatch(core)
    if re.search(r"[!@#$%^&*+=~_]", core):
        return True
    return re.search(r"[a-z][A-Z]", core) is not None and core not in BRANDS


AGE_OR_DATE = re.compile(r"\d{4}-\d\d?(?:-\d\d?)?|\d{1,2}-\w+-\w+|\d+(?:st|nd|rd|th)|\d+[+x%]")
BRANDS = frozenset("LastPass OnePassword KeePass BitWarden iCloud GitHub GitLab WeChat".split())

DIGITS = re.compile(r"(?<![A-Za-z0-9_.+#-])\d(?:[ -]?\d){12,18}(?![ -]?\d)(?![A-Za-z0-9_]|\.\d)")
OTHER_NUMBER = re.compile(
    r"(?:order|invoice|tracking|shipment|parcel|ticket|case|isbn|imei|iccid|serial|reference|ref"
    r"|request|transaction|timestamp|id|phone|tel|fax|订单|单号|运单|快递|发票|流水|序列|编号|身份证"
    r"|手机|电话|学号|工号|税号|识别)[^\n,;。,;]{0,12}$",
    re.IGNORECASE,
)
CARD_WORDS = re.compile(r"card|visa|卡", re.IGNORECASE)


def is_card(plain: str, match: re.Match[str]) -> bool:
    """A payment card's number: the issuer's first digits, their length, and the check digit."""
    told = match[0]
    digits = re.sub(r"\D", "", told)
    if not issued(digits) or not luhn(digits) or is_identity_number(digits):
        return False
    if " " in told and "-" in told:
        return False
    before = plain[max(0, match.start() - 24) : match.start()]
    label = OTHER_NUMBER.search(before)
    return label is None or CARD_WORDS.search(before, label.start()) is not None


def issued(digits: str) -> bool:
    first, four, size = int(digits[:2]), int(digits[:4]), len(digits)
    if digits[0] == "4":
        return size in (16, 19)
    if 51 <= first <= 55 or 2221 <= four <= 2720:
        return size == 16
    if first in (34, 37):
        return size == 15
    if first == 62:
        return size in (16, 17, 18, 19)
    if first in (36, 38) or 300 <= int(digits[:3]) <= 305:
        return size == 14
    return size in (16, 19) and (four == 6011 or 3528 <= four <= 3589 or first in (50, 65, 81))


def luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0 and len(set(digits)) > 1


WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def is_identity_number(digits: str) -> bool:
    """A Chinese resident's: some of them look like a UnionPay card's."""
    if len(digits) != 18:
        return False
    rest = sum(int(d) * w for d, w in zip(digits[:17], WEIGHTS, strict=True)) % 11
    return "10X98765432"[rest] == digits[17]


HINT = re.compile(
    r"pass(?:word|wd|phrase|code)|pwd|\bpin|key|secret|token|bearer|eyJ|://|密码|口令|密钥|秘钥"
    r"|令牌|验证码|pin码|verification code|-----BEGIN|[A-Za-z0-9_-]{16}|\d(?:[ -]?\d){12}",
    re.IGNORECASE,
)
"""Where a text has none of these, nothing need be looked for."""
