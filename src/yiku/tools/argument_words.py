"""What models are told of the arguments they wrote, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from yiku.core.language import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "needs": "`{tool}` needs {names}. {takes}",
        "unknown": "`{tool}` has no parameter `{name}`. {takes}",
        "wrong": "`{tool}` was not called: {wrong}. {takes}",
        "no_json": "`{tool}` was not called: its arguments are not valid JSON ({error}). {takes}",
        "no_object": "`{tool}` was not called: its arguments must be one JSON object, not {kind}."
        " {takes}",
        "half": "`{tool}` was not called: its arguments hold half a character (a lone surrogate).",
        "empty": "Call `{tool}` with {{}}.",
        "takes": "Call it with {{{each}}}.",
        "optional": " (optional)",
        "any": "any value",
        "disallowed": "{at} is not allowed",
        "type": "{at} must be {types}, not {kind} ({value})",
        "enum": "{at} must be one of {allowed}, not {value}",
        "const": "{at} must be {wanted}, not {value}",
        "bound": "{at} {must}; it was {value}",
        "lacks": "{at} needs {names}",
        "minimum": "must be at least {}",
        "maximum": "must be at most {}",
        "exclusiveMinimum": "must be above {}",
        "exclusiveMaximum": "must be below {}",
        "minLength": "needs {} characters",
        "maxLength": "may have {} characters",
        "minItems": "needs {} or more entries",
        "maxItems": "may have {} entries at most",
        "or": " or ",
        "and": ", ",
    },
    "zh": {
        "needs": "`{tool}` 缺少 {names}。{takes}",
        "unknown": "`{tool}` 没有参数 `{name}`。{takes}",
        "wrong": "没有调用 `{tool}`：{wrong}。{takes}",
        "no_json": "没有调用 `{tool}`：参数不是有效的 JSON（{error}）。{takes}",
        "no_object": "没有调用 `{tool}`：参数应为一个 JSON 对象，而不是{kind}。{takes}",
        "half": "没有调用 `{tool}`：参数中有半个字符（孤立的代理码元）。",
        "empty": "请用 {{}} 调用 `{tool}`。",
        "takes": "调用格式：{{{each}}}。",
        "optional": "（可选）",
        "any": "任意值",
        "disallowed": "不允许有 {at}",
        "type": "{at} 应为{types}，而不是{kind}（{value}）",
        "enum": "{at} 应为 {allowed} 之一，而不是 {value}",
        "const": "{at} 应为 {wanted}，而不是 {value}",
        "bound": "{at} {must}，给出的是 {value}",
        "lacks": "{at} 缺少 {names}",
        "minimum": "至少为 {}",
        "maximum": "至多为 {}",
        "exclusiveMinimum": "应大于 {}",
        "exclusiveMaximum": "应小于 {}",
        "minLength": "至少要有 {} 个字符",
        "maxLength": "至多有 {} 个字符",
        "minItems": "至少要有 {} 项",
        "maxItems": "至多有 {} 项",
        "or": "或",
        "and": "、",
    },
}
KINDS_ZH: Mapping[str, str] = {
    "null": "空值",
    "boolean": "布尔值",
    "integer": "整数",
    "number": "数字",
    "string": "字符串",
    "array": "列表",
    "object": "对象",
}
