"""Secrets are found by their form and by who holds them; ordinary text stays as it is."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.secret_text import (
    SECRET,
    environment_secrets,
    is_secret_name,
    redacted,
    redacted_value,
    redactor,
)

# Put together here, so that nobody takes this file for one with secrets in it.
LETTERS = "Ab3dEf6hIj9lMn2pQr5tUv8xYz1BcD4fGh7jK"
FORMED = [
    "sk-" + LETTERS[:24],
    "sk-proj-" + LETTERS,
    "sk-ant-api03-" + LETTERS,
    "sk_live_" + LETTERS[:24],
    "hf_" + LETTERS[:34],
    "ghp_" + LETTERS[:36],
    "gho_" + LETTERS[:36],
    "github_pat_" + LETTERS,
    "glpat-" + LETTERS[:20],
    "AKIA" + "ABCDEFGH12345678",
    "AIza" + LETTERS[:35],
    "ya29." + LETTERS,
    "xoxb-" + "123456789012-" + LETTERS[:24],
    "npm_" + LETTERS[:36],
    "pypi-" + LETTERS,
    "SG." + LETTERS[:22] + "." + LETTERS,
    "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0." + LETTERS,
    "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", FORMED)
@pytest.mark.parametrize(
    "around", ["{}", "use {} now", "key='{}'", '{{"a": "{}"}}', "https://h/p?x={}&y=1", "\n{}\n"]
)
def test_what_has_the_form_of_a_secret_is_taken_out(secret: str, around: str) -> None:
    text = redacted(around.format(secret))
    assert secret not in text
    assert text == around.format(SECRET)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer [secret]"),
        ("authorization: bearer " + "z" * 30, "authorization: bearer [secret]"),
        ("Basic dXNlcjpwYXNz", "Basic [secret]"),
        ("postgresql://me:pa%3Ass@host/db", "postgresql://[secret]@host/db"),
        ("https://" + LETTERS + "@github.com/a.git", "https://[secret]@github.com/a.git"),
        ("password=hunter2000 host=here", "password=[secret] host=here"),
        ('{"api_key": "abc12345", "n": 12345678}', '{"api_key": "[secret]", "n": 12345678}'),
        ('"{\\"client_secret\\": \\"abc12345\\"}"', '"{\\"client_secret\\": \\"[secret]\\"}"'),
        ("https://h/p?access_token=abc12345&b=1", "https://h/p?access_token=[secret]&b=1"),
        ("X-Api-Key: abc12345", "X-Api-Key: [secret]"),
        ('connect(password="correct horse")', 'connect(password="[secret]")'),
        ("password='it\"s so'", "password='[secret]'"),
        ('{"api_key": "mysecretvalue"}', '{"api_key": "[secret]"}'),
        ("api_key=mysecretvalue&b=1", "api_key=[secret]&b=1"),
        ("AccountName=me;AccountKey=abc123==;x=y", "AccountName=me;AccountKey=[secret];x=y"),
        ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer [secret]"),
        ("{'authorization': 'Token abcdefgh'}", "{'authorization': 'Token [secret]'}"),
        ("myApiKey: abcdefgh", "myApiKey: [secret]"),
        ("secret=abc12345 token=" + LETTERS, "secret=[secret] token=[secret]"),
        ("-----BEGIN " + "PRIVATE KEY-----\ncut off", "[secret]"),
    ],
)
def test_what_stands_where_a_secret_stands_is_taken_out(text: str, left: str) -> None:
    assert redacted(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the token is used basically everywhere",
        "num_tokens: 123456789",
        "output_tokens=400000, max_tokens=123456",
        "password = getpass()",
        "f(api_key=settings.api_key, password=password, access_token=$TOKEN)",
        "password: string, required",
        "sort_key=column_12",
        'dict(key="metrics_1")',
        '{"next_token": 50256000, "eos_token": "<|im_end|>", "pad_token_id": 12345}',
        "pwd=/srv/project1",
        "token = tokenizer.encode(text)",
        "key: value",
        "a basic knowledge-base of bearer plants",
        "https://host:8080/a@b?c=d",
        "git@github.com:me/it.git",
        "ssh://git@github.com/me/it.git",
        "a task-force-of-very-long-names",
        "disk-12345678901234567890",
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "sha256 " + "0123456789abcdef" * 4,
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redacted(text) == text


@given(st.text())
def test_once_is_enough(text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)


def test_variables_are_known_by_their_names() -> None:
    environment = {
        "CESELLO_HOME": "/data/cesello", "CESELLO_PGPASSWORD": "a pass word", "CESELLO_ANY": "anything",
        "CESELLO_DATA": "/data/data", "CESELLO_ROOT": "../data", "CESELLO_PATH_KEY": "/s3cr3t+base64",
        "OPENAI_API_KEY": "made-up-key", "HF_TOKEN": "tok-tok-tok", "AWS_SECRET_ACCESS_KEY": "s3cr3t/key",
        "DB_PASSWORD": "short", "PGPASSWORD": "longer one", "TOKENIZERS_PARALLELISM": "false",
        "MAX_TOKENS": "1000000", "A_TOKEN": "123456", "B_TOKEN": "false", "PATH": "/usr/bin:/bin",
        "PWD": "/data", "KEYBOARD": "qwertz",
    }  # fmt: skip
    assert set(environment_secrets(environment)) == {
        "a pass word", "made-up-key", "tok-tok-tok", "s3cr3t/key", "longer one", "/s3cr3t+base64",
    }  # fmt: skip
    assert "anything" in environment_secrets(environment, {"CESELLO_ANY", "CESELLO_NONE"})


def test_a_setting_is_no_secret_and_a_word_is_none_within_others() -> None:
    redact = redactor({"CESELLO_LANG": "english", "CESELLO_PASSWORD": "battery"})
    assert redact("my english text") == "my english text"
    assert redact("batterys, a battery_, nobattery") == "batterys, a [secret]_, nobattery"
    assert redact(json.dumps("said\nbattery")) == '"said\\n[secret]"'
    assert redact("https://h/?q=" + quote(":battery", safe="")) == "https://h/?q=%3A[secret]"


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=6)
    .map(str.strip)
    .filter(lambda t: len(t) > 5)
)
def test_a_value_of_the_environment_is_found_however_it_is_written(value: str) -> None:
    redact = redactor({"CESELLO_SECRET": value})
    if not environment_secrets({"CESELLO_SECRET": value}):
        return
    for text in (
        value,
        json.dumps(value),
        json.dumps(value, ensure_ascii=False),
        quote(value, safe=""),
        "x" * 99 + " " + value,
    ):
        left = redact(text)
        assert SECRET in left
        assert value not in left.replace(SECRET, "")


def test_attributes_are_redacted_within_and_by_name() -> None:
    values = {
        "token": "x",
        "note": "sk-" + LETTERS,
        "list": ["a", "hf_" + LETTERS[:34]],
        "n": 3,
        "sub": {"password": "y"},
    }
    assert redacted_value("", values) == {
        "token": SECRET, "note": SECRET, "list": ["a", SECRET], "n": 3, "sub": {"password": SECRET},
    }  # fmt: skip
    columns = {"recipe data.sources[0].join.key": "id", "sort_key": "column_12", "eos_token": "<|end|>"}
    assert redacted_value("", columns) == columns
    assert redacted_value("deploy.signingKey", "x") == SECRET
    assert redacted_value("x.key", LETTERS) == SECRET
    assert not is_secret_name("gen_ai.usage.output_tokens")
    assert not is_secret_name("monkey")
    assert is_secret_name("http.request.header.authorization")
