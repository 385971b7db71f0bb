"""Twenty secrets are planted where secrets are met; none of them is in anything that is kept or sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pyarrow.parquet as pq
import pytest

from cesello.domain.quoted_passages import words
from tests.chat_server import chat_service
from tests.e2e.command import cesello_here
from tests.recorded_runs import completion, grounding, run, sample, write
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

BASE = "Zq7Xw9Kp2Lm4Nv6Bt8Rj3Hd5Fg1S"
"""Of each secret a part is its own, so that one is never found in another."""

IN_VARIABLES = {
    "OPENAI_API_KEY": "sk-" + "openai" + BASE,
    "HF_TOKEN": "hf_" + "hub" + BASE,
    "AWS_SECRET_ACCESS_KEY": "aws/" + BASE + "+plain",
    "DATABASE_PASSWORD": "correct horse battery",
    "CESELLO_JUDGE_KEY": "judge-" + BASE,
    "CESELLO_RUBRIC_SECRET": "rubric-of-nobody-else",
    "CESELLO_ARGUMENT_KEY": "argument-of-nobody-else",
}
"""By the name of the variable."""

IN_CODE = {
    "an argument of a tool": "ghp_" + "argument" + BASE,
    "a header": "Bearer " + "header" + BASE,
    "an address": "https://me:" + "address-of-9" + "@host/v1",
    "an address's query": "https://host/?api_key=" + "query-of-" + BASE,
    "an attribute by its name": "attribute by name",
    "an attribute in a list": "AKIA" + "ATTRIBUTE1234567",
    "an event": "xoxb-" + "1234567890-" + BASE,
    "an exception that was caught": "github_pat_" + "caught" + BASE,
    "a private key": "-----BEGIN " + "PRIVATE KEY-----\nMII" + BASE + "\n-----END " + "PRIVATE KEY-----",
    "a JWT": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIi" + BASE + ".jwt",
    "an assignment": "password=" + "assigned-" + BASE,
    "an exception that ended it": "glpat-" + "ended" + BASE,
    "a reward that failed": "AIza" + "Reward" + BASE + "123456",
}
"""By where it is met."""

FOUND_BY = {
    "a header": "header" + BASE, "an address": "address-of-9", "an address's query": "query-of-",
    "a private key": "MII" + BASE, "an assignment": "assigned-",
}  # fmt: skip
SECRETS = {**IN_VARIABLES, **IN_CODE, **FOUND_BY}
"""What must not be found, by where it was."""

MODEL = """
model: {name: ./tiny, dtype: float32}
lora: {r: 4, alpha: 8, target_modules: all-linear}
loggers: [tensorboard]
data:
  sources:
    - {name: chat, kind: file, path: rows.jsonl, holdout: 4}
"""
SFT = f"""{MODEL}
training: {{max_steps: 3, batch_size: 2, callbacks: [{{code: "mine:Leaks", arguments: {{ends: true}}}}]}}
evaluation: {{samples: 1, max_new_tokens: 4}}
checkpoint: {{every_steps: 1}}
"""
GRPO = f"""{MODEL}
algorithm: grpo
rewards:
  - {{kind: length, shortest: 1, longest: 5, unit: characters}}
  - {{kind: function, function: "my_rewards:FUNCTION", arguments: {{key: "${{CESELLO_ARGUMENT_KEY}}"}}}}
  - kind: judge
    url: URL
    model: judge
    api_key_env: CESELLO_JUDGE_KEY
    rubric: "${{CESELLO_RUBRIC_SECRET}}"
grpo: {{completions: 2, max_completion_tokens: 4, beta: 0.02, masks_overlong: false}}
training: {{max_steps: 1, batch_size: 2, callbacks: [{{code: "mine:Leaks"}}]}}
evaluation: {{samples: 1, max_new_tokens: 4, generate: [{{source: chat, reward: blend, rows: 2}}]}}
"""
MINE = """
import json, os
from pathlib import Path
import lightning
from cesello import tracing

IN_CODE = json.loads(Path(__file__).with_name("secrets.json").read_text())
VARIABLES = json.loads(Path(__file__).with_name("variables.json").read_text())

@tracing.traced
def tool(query, headers):
    raise ValueError(IN_CODE["an exception that was caught"])

class Leaks(lightning.Callback):
    def __init__(self, ends=False):
        self.ends = ends

    def on_train_batch_start(self, trainer, module, batch, index):
        with tracing.span("call " + IN_CODE["an assignment"], {
            "gen_ai.tool.call.arguments": json.dumps({"q": IN_CODE["an argument of a tool"]}),
            "url": IN_CODE["an address"], "page": IN_CODE["an address's query"],
            "api_key": IN_CODE["an attribute by its name"], "some": ["x", IN_CODE["an attribute in a list"]],
            "note": IN_CODE["a private key"], "environment": [os.environ[name] for name in VARIABLES],
        }):
            tracing.event("sent " + IN_CODE["a JWT"], {"said": IN_CODE["an event"]})
            tracing.reward("mine", 0.5, explanation=IN_CODE["a header"])
            try:
                tool(IN_CODE["an argument of a tool"], headers={"authorization": IN_CODE["a header"]})
            except ValueError:
                pass
        if self.ends and trainer.global_step == 1:
            known = " ".join(os.environ[name] for name in VARIABLES)
            raise RuntimeError(IN_CODE["an exception that ended it"] + " " + known)
"""
MY_REWARDS = """
import json
from pathlib import Path

SECRETS = json.loads(Path(__file__).with_name("secrets.json").read_text())

def gives(prompt, completion, key, **row):
    return len(completion) % 7 / 7

def fails(prompt, completion, key, **row):
    raise ValueError(SECRETS["a reward that failed"] + key)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("planted")
    make_tiny_model(folder / "tiny")
    rows = [
        [{"role": "user", "content": f"what is {n}?"}, {"role": "assistant", "content": f"it is {7 * n}"}]
        for n in range(16)
    ]
    text = "".join(json.dumps({"messages": row}) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(text)
    (folder / "mine.py").write_text(MINE)
    (folder / "my_rewards.py").write_text(MY_REWARDS)
    (folder / "secrets.json").write_text(json.dumps(IN_CODE))
    (folder / "variables.json").write_text(json.dumps(list(IN_VARIABLES)))
    (folder / "sft.yaml").write_text(SFT)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in IN_VARIABLES.items():
            patch.setenv(name, value)
        yield folder


@pytest.fixture(scope="module")
def told(project: Path) -> str:
    """What trainings, and what makes something of them, have said."""
    said: list[CompletedProcess[str]] = []
    for name, function in (("grpo", "gives"), ("failed", "fails")):
        # Where the reward fails, the judge quotes its key, as servers do that say more than they should.
        grade = "8" if name == "grpo" else f"your key is {IN_VARIABLES['CESELLO_JUDGE_KEY']}"
        with chat_service(lambda messages, grade=grade: grade) as judge:  # type: ignore[misc]
            text = GRPO.replace("URL", judge.url).replace("FUNCTION", function)
            (project / f"{name}.yaml").write_text(text)
            said.append(cesello_here("train", f"{name}.yaml", "--run", name, cwd=project))
        assert judge.seen[0][0] == f"Bearer {IN_VARIABLES['CESELLO_JUDGE_KEY']}"
        assert IN_VARIABLES["CESELLO_RUBRIC_SECRET"] in str(judge.seen[0][1])
    # A traceback quotes what own code has raised, and the lines that raised it.
    said.append(cesello_here("--debug", "train", "sft.yaml", "--run", "sft", cwd=project))
    assert [one.returncode for one in said] == [0, 6, 2], said
    made = [
        *(["report", run, "--html", f"export/{run}.html"] for run in ("sft", "grpo", "failed")),
        *(
            ["runs", "export", "--format", form, "--output", f"export/{form}{len(content)}", *content]
            for form in ("otlp", "parquet")
            for content in ([], ["--content"])
        ),
    ]
    (project / "export").mkdir()
    for command in made:
        said.append(cesello_here(*command, cwd=project))
        assert said[-1].returncode == 0, said[-1].stderr
    return "".join(one.stdout + one.stderr for one in said)


def readable(file: Path) -> bytes:
    """What is in it; Parquet's is compressed."""
    return repr(pq.read_table(file).to_pylist()).encode() if file.suffix == ".parquet" else file.read_bytes()


def test_nothing_that_is_kept_or_said_has_a_secret(project: Path, told: str) -> None:
    assert len(IN_VARIABLES) + len(IN_CODE) == 20
    places = {"what was said": told.encode()}
    for file in (*(project / "runs").rglob("*"), *(project / "export").rglob("*")):
        if file.is_file():
            places[str(file.relative_to(project))] = readable(file)
    found = [
        (place, name)
        for place, content in places.items()
        for name, it in SECRETS.items()
        if it.encode() in content
    ]
    assert not found, "\n".join(map(str, found))
    kept = {Path(place).name for place in places}
    assert kept >= {
        "runs.sqlite", "manifest.json", "recipe.yaml", "metrics.jsonl", "completions.jsonl", "state.json",
        "lora.safetensors", "spans.parquet", "otlp0", "sft.html",
    }  # fmt: skip


def test_a_traceback_was_told_without_its_secrets(told: str) -> None:
    """That none is in it the test above says; here, that there was one and what stood in it."""
    assert told.count("Traceback (most recent call last)") > 1
    [raised] = [line for line in told.splitlines() if line.startswith("RuntimeError: ")]
    assert raised == " ".join(["RuntimeError:", *["[secret]"] * (1 + len(IN_VARIABLES))])


def test_what_was_around_the_secrets_is_still_told(project: Path, told: str) -> None:
    """Or else nothing may have been recorded at all."""
    events = "SELECT group_concat(attributes) FROM events WHERE events.span_id = spans.span_id"
    query = f"SELECT name, attributes, ({events}) AS events FROM spans WHERE run = 'sft'"
    asked = cesello_here("runs", "query", "--json", query, cwd=project)
    spans = {one["name"]: one for one in json.loads(asked.stdout)}
    call = json.loads(spans["call password=[secret]"]["attributes"])
    assert call["url"] == "https://[secret]@host/v1"
    assert call["page"] == "https://host/?api_key=[secret]"
    assert call["api_key"] == "[secret]"
    assert call["some"] == ["x", "[secret]"]
    assert call["environment"] == ["[secret]"] * len(IN_VARIABLES)
    assert "[secret]" in spans["call password=[secret]"]["events"]
    assert "exception.message" in spans["tool"]["events"]
    manifest = json.loads((project / "runs" / "failed" / "manifest.json").read_text())
    assert json.loads(manifest["identity"]["recipe rewards[2].rubric"]) == "${CESELLO_RUBRIC_SECRET}"
    assert (
        "[secret] [secret]" in json.loads((project / "runs" / "sft" / "manifest.json").read_text())["error"]
    )


AROUND = {"api_key", "bearer", "host", "https", "password"}
"""Words beside secrets, which tell nothing."""


def planted(secrets: list[str]) -> list[dict[str, object]]:
    """Answers that say what passages have: of the prompt, and of a search; a passage is cut amid a secret."""
    lines = []
    for step, secret in enumerate(secrets, 1):
        asked = {"question": "which", "asked": {"messages": [{"role": "user", "content": "which"}]}}
        its = grounding(("conf.py", 0.9, f"found: {secret} , x"))
        lines.append(completion(step, 0, 0, f"found it is {secret} , so", **asked, **its))
        said = [
            {"role": "assistant", "content": "look"},
            {"role": "tool", "content": its["memory_text"]},
            {"role": "assistant", "content": f"found it is {secret} , so"},
        ]
        told = "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in said)
        lines.append(completion(step, 1, 0, told, said=said, turns=2, **asked))
        for edge in (4_000, 8_000):  # where a passage, and an answer, is cut
            long = f"{'y ' * 9_000}"[: edge - min(len(secret) - 1, 12)] + f"{secret} , x"
            its = grounding((f"{edge}.py", 0.9, long))
            lines.append(completion(step, edge, 0, long, **asked, **its))
    return lines


def test_no_part_of_a_secret_is_in_a_report(project: Path, tmp_path: Path) -> None:
    """A word alone, half a key and a text without capitals have no form that gives them away."""
    named = {
        name: it for name, it in {**IN_VARIABLES, **IN_CODE}.items() if name != "an attribute by its name"
    }
    secrets = list(named.values())
    samples = {
        when: [sample(f"q{n}", f"{said} {it} , {said}") for n, it in enumerate(secrets)]
        for when, said in (("before", "it may be"), ("after", "I know it is"))
    }
    one = replace(run("grpo", completions=planted(secrets)), samples=samples)
    write(one, tmp_path / "runs" / "one")
    page = tmp_path / "one.html"
    asked = cesello_here(
        "report", "one", "--runs", str(tmp_path / "runs"), "--html", str(page), "--json", cwd=project
    )
    assert asked.returncode == 0, asked.stderr
    for content in (page.read_text(), asked.stdout):
        assert not [name for name, it in named.items() if it.casefold() in content.casefold()]
        assert BASE[:5].casefold() not in content.casefold()
    made = json.loads(asked.stdout[asked.stdout.index("{") :])
    overlaps = {
        word for group in made["groups"] for one in group["answers"] for word in one.get("overlap", ())
    }
    parts = frozenset[str]().union(*map(words, secrets)) - AROUND
    assert "found" in overlaps
    assert not overlaps & parts
    for one in made["given"]["use"]["passages"]:
        assert not words(one["text"]) & parts
