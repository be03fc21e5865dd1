"""Secrets are found in English and Chinese; what only looks like one is a memory."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiku.core.errors import SecretRefused
from yiku.memory.skills.secrets import SecretKind, guard, secrets_in

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\n-----END RSA PRIVATE KEY-----"

HELD = [
    ("My password is hunter2", "hunter2"),
    ("the wifi password: sunshine", "sunshine"),
    ("password = 'correct horse'  # passphrase", "correct horse"),
    ("My password is sunshine.", "sunshine"),
    ("my password for the bank is Tr0ub4dor&3, don't tell", "Tr0ub4dor&3"),
    ("PIN: 4821", "4821"),
    ("The door PIN is 4821 and the dog is friendly", "4821"),
    ("hunter2! is my Netflix password", "hunter2!"),
    ("please use s3cretWord as the password", "s3cretWord"),
    ("passwd:qwertyui", "qwertyui"),
    ("login tom password abc12345", "abc12345"),
    ('The passphrase is "correct horse battery staple"', "correct horse battery staple"),
    ("我的密码是abc123", "abc123"),
    ("银行密码:834172,别告诉别人", "834172"),
    ("wifi密码 12345678", "12345678"),
    ("密码改成了 Tiger2024!", "Tiger2024!"),
    ("My password is hunter2!", "hunter2!"),
    ("支付密码为９８７６５４", "９８７６５４"),
    ("口令是“芝麻开门”", "芝麻开门"),
    ("abc12345是我的登录密码", "abc12345"),
    ("我家WiFi密码是lovelydog", "lovelydog"),
    ("验证码是 832911", "832911"),
    ("OPENAI_API_KEY=sk-proj-abcdefghijklmnopqrstuvwx", "sk-proj-abcdefghijklmnopqrstuvwx"),
    ("DeepSeek 的密钥:sk-0123456789abcdef0123456789abcdef", "sk-0123456789abcdef0123456789abcdef"),
    ("aws AKIAIOSFODNN7EXAMPLE in us-east-1", "AKIAIOSFODNN7EXAMPLE"),
    ("阿里云 LTAI5tAbCdEfGhIjKlMn", "LTAI5tAbCdEfGhIjKlMn"),
    ("token ghp_0123456789abcdefghijABCDEFGHIJ012345", "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
    ("the API key is 8f14e45fceea167a5a36dedd4bea2543", "8f14e45fceea167a5a36dedd4bea2543"),
    ("AppSecret:9b74c9897bac770ffc029102a200c5de", "9b74c9897bac770ffc029102a200c5de"),
    ("Authorization: Bearer 0a1b2c3d4e5f6a7b8c9d0e1f", "0a1b2c3d4e5f6a7b8c9d0e1f"),
    (f"use {JWT} to log in", JWT),
    (f"here:\n{PEM}\nkeep it", PEM),
    ("postgres://app:s3cr3t@db.internal:5432/app", "s3cr3t"),
    ("my card is 4111 1111 1111 1111, exp 12/29", "4111 1111 1111 1111"),
    ("信用卡号5555555555554444", "5555555555554444"),
    ("银联卡 6222 0200 0000 0000 000 的余额", "6222 0200 0000 0000 000"),
    ("Amex 378282246310005", "378282246310005"),
    ("order paid with card 4111-1111-1111-1111", "4111-1111-1111-1111"),
]


@pytest.mark.parametrize(("text", "secret"), HELD, ids=[text[:30] for text, _ in HELD])
def test_a_secret_is_masked_and_nothing_else(text: str, secret: str) -> None:
    guarded = guard(text, "mask")
    assert secret not in guarded.text
    before, after = text.split(secret, 1)
    assert guarded.text.startswith(before)
    assert guarded.text.endswith(after)
    assert len(guarded.found) == 1
    assert guard(guarded.text, "mask").text == guarded.text
    with pytest.raises(SecretRefused) as refused:
        guard(text, "refuse")
    assert secret not in refused.value.message
    assert guard(text, "keep").text == text


NONE = [
    "My phone number is +86 138 0013 8000",
    "电话 13800138000,微信同号",
    "Call me at (555) 010-9988 or +49 1511 2345678",
    "我的邮箱是 test@example.com",
    "order number 4111111111111111",
    "订单号 4000000000000002 已发货",
    "订单 202405011234567890",
    "ISBN 978-7-111-54742-6",
    "ISBN-13: 9780306406157",
    "IMEI 490154203237518",
    "身份证 622726198607238111",
    "commit 9b74c9897bac770ffc029102a200c5de5d1a3b4c fixed it",
    "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "id 123e4567-e89b-12d3-a456-426614174000",
    "快递单号 SF1234567890123",
    "My password is too long",
    "the password is required",
    "my password is wrong!",
    "The router's password is on the fridge",
    "My password is stored in 1Password",
    "I keep forgetting my password",
    "password reset on 2024-05-01",
    "passwords must have 12 characters",
    "Change the password every 90 days",
    "The API key is stored in vault",
    "my api key is expired",
    "The secret key to happiness is patience",
    "The key is under the mat",
    "密码是什么?",
    "密码是我的生日",
    "我忘了密码",
    "密码强度要求8-16位",
    "密码 8位数就行",
    "密码学101这门课很难",
    "密码错误 3次后锁定",
    "她把口令忘了",
    "关键 key point: 每天喝水",
    "用户喜欢读《达芬奇密码》",
    "我的密码不是他的密码",
    "4111 is my lucky number",
    "see https://example.com:8080/path?id=1234567890123",
    "the tracking number is 6011111111111117",
    "phone 4929 1234 5678 9012 34",
    "I pinned the note to the board",
    "pin: the small metal thing",
    "Basic authentication: user and token must be valid",
    "She is a bearer of good news",
    "The token ring network is old",
    "密钥轮换周期是90天",
    "2024-05-07 12:30:15.123456789",
    "pi is 3.14159265358979323846",
    "Flight CA1831, seat 23A, ticket 9991234567890",
]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_secret_stays(text: str) -> None:
    assert [text[one.start : one.end] for one in secrets_in(text)] == []


def test_the_mask_speaks_the_language_and_says_what_it_was() -> None:
    guarded = guard("我的密码是abc123,卡号4111111111111111", "mask")
    assert guarded.text == "我的密码是[密码已隐去],卡号[银行卡号已隐去]"
    assert guarded.found == (SecretKind.PASSWORD, SecretKind.CARD)
    assert guard("My PIN is 4821.", "mask").text == "My PIN is [password removed]."


@given(st.text(max_size=300))
def test_any_text_is_guarded_and_masking_is_idempotent(text: str) -> None:
    once = guard(text, "mask").text
    assert guard(once, "mask").text == once


@pytest.mark.parametrize(
    "text",
    [
        "password " * 20_000,
        "密码" * 50_000,
        "4" * 200_000,
        "1 " * 100_000,
        "-----BEGIN PRIVATE KEY-----" * 5_000,
        "a" * 200_000,
        "x@y://" * 30_000,
        "eyJ" + "a" * 200_000,
        "secret key of " * 15_000,
    ],
    ids=lambda text: text[:12],
)
def test_no_text_takes_long(text: str) -> None:
    began = time.thread_time()
    secrets_in(text)
    assert time.thread_time() - began < 2
