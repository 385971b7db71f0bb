"""Chat templates of strangers reach nothing and come to an end."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from cesello.adapters.model import template_sandbox
from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.errors import DataError, ModelError
from cesello.domain.model_spec import ModelSpec
from tests.strange_folders import PROVIDER

UNSAFE = {
    "a class": "{{ ''.__class__ }}",
    "a class as an item": "{{ ''['__class__'] }}",
    "a class by a filter": "{{ ''|attr('__class__')|attr('__mro__') }}",
    "a class by a format": "{{ '{0.__class__.__mro__}'.format('') }}",
    "a class for later": "{% if messages|length > 99 %}{{ ''.__class__ }}{% endif %}",
    "globals": "{{ lipsum.__globals__['os'].getcwd() }}",
    "nested loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "a long range": "{% for i in range(100001) %}{% endfor %}",
    "recursion": "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "branches": "{% macro f(n) %}{% if n %}{{ f(n-1) ~ f(n-1) }}{% endif %}{% endmacro %}{{ f(30) }}",
    "a loop in itself": "{% for i in [1] recursive %}{{ loop([1, 2]) }}{% endfor %}",
    "a multiplied text": "{{ 'a' * 10**7 * 9 }}",
    "a multiplied list": "{{ [0] * 99999999 }}",
    "a power": "{{ 10 ** 10 ** 10 }}",
}
NO_TEMPLATE = {
    "a loop over nothing": ("\n{% for m in %}", ":2"),
    "an unknown filter": ("{{ messages | unpickle }}", ":1"),
    "too many brackets": ("{{ " + "(" * 3000 + ")" * 3000 + " }}", ".jinja"),
    "too many loops": ("{% for i in [1] %}" * 30 + "{% endfor %}" * 30, ".jinja"),
}
HARMLESS = {
    "counted loops": "{% for m in messages %}{{ loop.index }}{{ '-' * 3 }}{{ m.content }}{% endfor %}",
    "keywords": "{% set n = namespace(context=1, self=2, obj=3) %}{{ n.obj }}",
    "marked answers": "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
    "internals as text": "__class__ {{ 'of __class__ and __init__' }}",
    "none at all": "",
}


def model_with(template: str, tiny: Path, tmp_path: Path) -> ModelSpec:
    folder = shutil.copytree(tiny, tmp_path / "model")
    (folder / "chat_template.jinja").write_text(template)
    return ModelSpec(str(folder))


@pytest.mark.parametrize("case", UNSAFE)
def test_a_template_that_reaches_out_or_has_no_end_is_refused(case: str, tiny: Path, tmp_path: Path) -> None:
    model = model_with(UNSAFE[case], tiny, tmp_path)
    with pytest.raises(ModelError) as caught:
        PROVIDER.encoder(model)
    assert (caught.value.code, caught.value.exit_status) == ("M047", 4)
    assert caught.value.where == f"{model.name}/chat_template.jinja"
    assert caught.value.got
    assert "ChatML" in str(caught.value.fix)


@pytest.mark.parametrize("case", NO_TEMPLATE)
def test_what_is_no_template_is_told_with_its_line(case: str, tiny: Path, tmp_path: Path) -> None:
    template, place = NO_TEMPLATE[case]
    with pytest.raises(ModelError) as caught:
        PROVIDER.encoder(model_with(template, tiny, tmp_path))
    assert (caught.value.code, caught.value.exit_status) == ("M048", 4)
    assert str(caught.value.where).endswith(place)
    assert "mend it" in str(caught.value.fix)


@pytest.mark.parametrize("case", HARMLESS)
def test_a_harmless_template_is_let_through(case: str, tiny: Path, tmp_path: Path) -> None:
    encoder = PROVIDER.encoder(model_with(HARMLESS[case], tiny, tmp_path))
    assert encoder.prompt(Conversation((Message(Role.USER, "hello"),)))


def test_a_template_in_the_tokenizers_configuration_is_found_there(tiny: Path, tmp_path: Path) -> None:
    model = model_with("", tiny, tmp_path)
    (Path(model.name) / "chat_template.jinja").unlink()
    config = Path(model.name) / "tokenizer_config.json"
    config.write_text(config.read_text().replace("{", '{"chat_template": "{{ 1.__class__ }}",', 1))
    with pytest.raises(ModelError, match=r"M047.*tokenizer_config\.json"):
        PROVIDER.encoder(model)


@pytest.mark.parametrize("templates", ["[]", "{}"])
def test_a_list_without_a_template_is_none(templates: str, tiny: Path, tmp_path: Path) -> None:
    model = model_with("", tiny, tmp_path)
    (Path(model.name) / "chat_template.jinja").unlink()
    config = Path(model.name) / "tokenizer_config.json"
    config.write_text(config.read_text().replace("{", '{"chat_template": ' + templates + ",", 1))
    assert PROVIDER.encoder(model).origin == "chatml"


def test_what_takes_too_long_is_stopped(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters are not counted, so that a loop of few rounds can take long."""
    monkeypatch.setattr(template_sandbox, "_SECONDS", 0.2)
    filters = "{{ a|upper|lower|replace('b', '') }}"
    long = "{% set a = 'a' * 1000000 %}{% for i in range(20000) %}" + filters + "{% endfor %}"
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"M047.*seconds"):
        PROVIDER.encoder(model_with(long, tiny, tmp_path))
    assert time.monotonic() - began < 20


def test_a_template_that_waits_for_its_moment_is_stopped_then(tiny: Path, tmp_path: Path) -> None:
    name = "{% set name = '__cl' ~ 'ass__' %}"
    moment = "{% if messages[0].content == 'now' %}{{ ''[name].x }}{% endif %}{{ messages[0].content }}"
    encoder = PROVIDER.encoder(model_with(name + moment, tiny, tmp_path))
    assert encoder.prompt(Conversation((Message(Role.USER, "later"),)))
    with pytest.raises(ModelError, match="M047"):
        encoder.prompt(Conversation((Message(Role.USER, "now"),)))


def test_a_template_that_fails_on_a_conversation_refuses_it(tiny: Path, tmp_path: Path) -> None:
    encoder = PROVIDER.encoder(model_with("{{ 1 / (messages|length - 1) }}", tiny, tmp_path))
    with pytest.raises(DataError, match=r"D016.*division by zero"):
        encoder.prompt(Conversation((Message(Role.USER, "hello"),)))
