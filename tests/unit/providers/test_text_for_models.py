import json
from typing import Any

import numpy as np
import pytest

from yiku.providers.graph import quantize
from yiku.providers.minilm import spread
from yiku.providers.text import DEEPEST, object_of, replace_surrogates


@pytest.mark.parametrize("text", ["", "plain", "我喜欢花生", "🙂", "\x00"])
def test_text_without_surrogates_stays_as_it_is(text: str) -> None:
    assert replace_surrogates(text) == text


def test_surrogate_pairs_are_joined_and_lone_ones_replaced() -> None:
    assert replace_surrogates("a\ud83d\ude42b\ud83dc\ude42") == "a🙂b\ufffdc\ufffd"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("", {}),
        ('{"a": [1, {"b": "\\ud83d\\ude42"}]}', {"a": [1, {"b": "🙂"}]}),
        ("[1, 2]", {"arguments": [1, 2]}),
        ('{"a": "x\\ud800", "\\udc00": null}', {"a": "x\ufffd", "\ufffd": None}),
        ('{"a": NaN}', {"broken_json": '{"a": NaN}'}),
        ('{"a": [1e999]}', {"broken_json": '{"a": [1e999]}'}),
        ("[" * 5_000, {"broken_json": "[" * 5_000}),
        ("9" * 5_000, {"broken_json": "9" * 5_000}),
    ],
)
def test_arguments_go_back_as_json_that_every_api_takes(written: str, sent: dict[str, Any]) -> None:
    assert object_of(written) == sent
    json.dumps(sent, ensure_ascii=False, allow_nan=False).encode()


def test_arguments_nested_too_deep_are_quoted() -> None:
    fits, deeper = ("[" * depth + "]" * depth for depth in (DEEPEST, DEEPEST + 1))
    assert json.dumps(object_of(fits)["arguments"]) == fits
    assert object_of(deeper) == {"broken_json": deeper}


@pytest.mark.parametrize(("length", "width", "count"), [(300, 254, 2), (10_000, 254, 8)])
def test_windows_reach_from_the_first_token_to_the_last(
    length: int, width: int, count: int
) -> None:
    starts = spread(length, width, count)
    assert len(starts) == count
    assert starts[0] == 0
    assert starts[-1] == length - width
    assert starts == sorted(starts)


def test_quantised_rows_are_within_half_a_step_of_the_weights() -> None:
    weight = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    weight[3] = 0
    for kind in ("int8", "uint8"):
        whole, scale, zero = quantize(weight, kind)
        back = (whole.astype(np.float32) - zero[:, None]) * scale[:, None]
        assert (np.abs(back - weight) <= scale[:, None] / 2 + 1e-7).all()
