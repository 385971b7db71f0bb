"""What every ExampleStore owes, with its writers, spools and sets, on the fake and on the disk."""

from __future__ import annotations

import os
import random
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cesello.adapters.data.disk_example_store import DiskExampleStore
from cesello.domain.conversation import Conversation, Message, Role, ToolCall, ToolSpec
from cesello.domain.conversation_json import identity, reference_text
from cesello.domain.errors import StorageError
from cesello.domain.example import Example
from cesello.domain.ports.data import Examples, ExampleStore
from cesello.domain.tokens import fingerprint, token_row
from tests.fakes.examples import FakeExampleStore
from tests.repository import ROOT

FILES = ["tokens.bin", "trained.bin", "rows.jsonl", "index.bin", "facts.json"]

CALL = ToolCall("weather", '{"city": "Forlì", "days": [1, 2]}', "call-1")
RICH = Conversation(
    (
        Message(Role.SYSTEM, "Perché no? 你好 🎻 \u2028 \x00 \t\r\n end"),
        Message(Role.USER, "a lone \ud83d half", trained=True),
        Message(Role.ASSISTANT, "", (CALL, ToolCall("now", "{}"))),
        Message(Role.TOOL, '{"sky": "clear"}', tool_call_id="call-1", name="weather"),
        Message(Role.ASSISTANT, "Sì.", trained=False),
    ),
    (ToolSpec("weather", "what a \udc00 description", {"type": "object", "properties": {"city": {}}}),),
    {"calls": [{"name": "weather", "arguments": {"city": ["Forlì"]}}], "score": 0.5, "none": None},
)


def example(number: int = 0, length: int = 3) -> Example:
    said = (Message(Role.USER, f"question {number}"), Message(Role.ASSISTANT, f"answer {number}"))
    ids = [number + position for position in range(length)]
    tokens = token_row(ids, [position % 2 == 1 for position in range(length)], truncated=number % 3 == 0)
    return Example(f"chat.jsonl:{number + 1}", Conversation(said), tokens)


def rows(count: int) -> list[Example]:
    """The first brings everything that a conversation can hold; lengths differ, and one row has no tokens."""
    rich = Example("odd\tpläce \udcff.jsonl:1", RICH, token_row([2**31 - 1, 0, 5], [True, True, False]))
    return [rich, *(example(number, number % 5) for number in range(1, count))][:count]


def committed(store: ExampleStore, key: str | None, examples: Sequence[Example], **facts: Any) -> Examples:
    writer = store.create(key)
    for each in examples:
        writer.append(each)
    return writer.commit(facts)


def assert_holds(found: Examples | None, expected: Sequence[Example]) -> None:
    assert found is not None
    tokens = [each.tokens for each in expected]
    assert len(found) == len(expected)
    assert list(found.lengths) == [len(row) for row in tokens]
    assert list(found.trained_tokens) == [row.trained_tokens for row in tokens]
    assert list(map(bool, found.truncated)) == [row.truncated for row in tokens]
    assert list(found.identities) == [identity(each.conversation) for each in expected]
    references = [reference_text(each.conversation) for each in expected]
    assert found.fingerprint == fingerprint(tokens, references)
    order = list(range(len(expected)))
    random.Random(0).shuffle(order)
    for index in order:
        assert found.tokens(index) == tokens[index]
        assert found.example(index) == expected[index]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "prepared"


@pytest.fixture
def disk(folder: Path) -> DiskExampleStore:
    return DiskExampleStore(folder)


@pytest.fixture(params=["fake", "disk"])
def store(request: pytest.FixtureRequest, folder: Path) -> ExampleStore:
    return FakeExampleStore() if request.param == "fake" else DiskExampleStore(folder)


# Every store


def test_what_was_never_committed_is_not_found(store: ExampleStore) -> None:
    assert store.find("key") is None
    writer = store.create("key")
    writer.append(example())
    assert store.find("key") is None
    writer.discard()
    assert store.find("key") is None


@pytest.mark.parametrize("count", [0, 1, 2, 300])
def test_what_was_committed_is_found_as_it_was_appended(store: ExampleStore, count: int) -> None:
    made = committed(store, "key", rows(count), held_out=3, dropped={"too long": 1})
    found = store.find("key")
    for examples in (made, found):
        assert_holds(examples, rows(count))
        assert examples is not None
        assert examples.facts == {"held_out": 3, "dropped": {"too long": 1}}
    assert store.find("other") is None


def test_keys_keep_apart(store: ExampleStore) -> None:
    committed(store, "one", [example(1)])
    committed(store, "two", [example(2)])
    assert_holds(store.find("one"), [example(1)])
    assert_holds(store.find("two"), [example(2)])


def test_two_writers_of_one_key_do_not_disturb_each_other(store: ExampleStore) -> None:
    first, second = store.create("key"), store.create("key")
    first.append(example(1))
    second.append(example(2))
    assert_holds(first.commit({}), [example(1)])
    assert_holds(store.find("key"), [example(1)])
    assert_holds(second.commit({}), [example(2)])
    assert_holds(store.find("key"), [example(2)])


def test_a_set_stays_readable_when_another_takes_its_place(store: ExampleStore) -> None:
    made = committed(store, "key", rows(5))
    found = store.find("key")
    committed(store, "key", [example(9)])
    assert_holds(made, rows(5))
    assert_holds(found, rows(5))
    assert_holds(store.find("key"), [example(9)])


def test_a_set_without_a_name_is_readable_and_not_found(store: ExampleStore) -> None:
    first, second = committed(store, None, rows(4), name="first"), committed(store, None, [example(7)])
    assert_holds(first, rows(4))
    assert_holds(second, [example(7)])
    assert first.facts == {"name": "first"}
    assert store.find("unnamed") is None


def test_a_spool_gives_back_what_came_at_any_time(store: ExampleStore) -> None:
    expected = [(row.place, row.conversation) for row in rows(40)]
    with closing(store.spool()) as spool:
        assert len(spool) == 0
        for index, (place, conversation) in enumerate(expected):
            spool.append(place, conversation)
            assert spool[index // 2] == expected[index // 2]
        assert len(spool) == 40
        assert [spool[index] for index in reversed(range(40))] == expected[::-1]
        with pytest.raises(IndexError):
            spool[40]


def test_spools_do_not_disturb_each_other(store: ExampleStore) -> None:
    with closing(store.spool()) as one, closing(store.spool()) as two:
        one.append("a", RICH)
        two.append("b", example().conversation)
        assert (len(one), len(two)) == (1, 1)
        assert one[0] == ("a", RICH)
        assert two[0] == ("b", example().conversation)


words = st.text(st.characters(exclude_categories=[]), max_size=20)
name = st.text(min_size=1, max_size=10)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(name, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(name, json_values, max_size=3)
turns = st.builds(
    Message,
    st.sampled_from(Role),
    words,
    st.lists(st.builds(ToolCall, name, words, st.none() | name), max_size=2).map(tuple),
    st.none() | name,
    st.none() | name,
    st.sampled_from([None, True, False]),
)
conversations = st.builds(
    Conversation,
    st.lists(turns, max_size=4).map(tuple),
    st.lists(st.builds(ToolSpec, name, words, objects), max_size=2).map(tuple),
    objects,
)
token_rows = st.lists(st.tuples(st.integers(0, 2**31 - 1), st.booleans()), max_size=8).map(
    lambda pairs: token_row([token for token, _ in pairs], [counts for _, counts in pairs])
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.builds(Example, name, conversations, token_rows), max_size=4))
def test_any_examples_come_back_equal(store: ExampleStore, examples: list[Example]) -> None:
    assert_holds(committed(store, None, examples), examples)
    with closing(store.spool()) as spool:
        for each in examples:
            spool.append(each.place, each.conversation)
        assert [spool[index] for index in range(len(examples))] == [
            (each.place, each.conversation) for each in examples
        ]


# The disk


def names(folder: Path) -> set[str]:
    """What lies in the store, its lock left out."""
    return {path.name for path in folder.iterdir()} - {".lock"}


def test_another_store_on_the_folder_finds_the_set(disk: DiskExampleStore, folder: Path) -> None:
    committed(disk, "key", rows(10), held_out=1)
    assert_holds(DiskExampleStore(folder).find("key"), rows(10))


def test_nothing_is_made_before_something_is_written(disk: DiskExampleStore, folder: Path) -> None:
    assert disk.find("key") is None
    assert not folder.exists()


def test_only_the_set_itself_is_left_on_the_disk(disk: DiskExampleStore, folder: Path) -> None:
    held = committed(disk, None, rows(5))
    spool = disk.spool()
    spool.append("a", RICH)
    assert names(folder) == set()
    discarded = disk.create("other")
    discarded.append(example())
    discarded.discard()
    committed(disk, "key", rows(5))
    committed(disk, "key", rows(6))
    assert names(folder) == {"key"}
    assert_holds(held, rows(5))
    assert spool[0] == ("a", RICH)
    spool.close()


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def test_what_is_written_is_for_its_owner_alone(disk: DiskExampleStore, folder: Path) -> None:
    with umask(0):
        open_writer = disk.create("other")
        committed(disk, "key", rows(3))
        for path in [folder, *folder.rglob("*")]:
            wanted = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == wanted, path
        open_writer.discard()


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def lengthen(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"0")


@pytest.mark.parametrize("damage", [shorten, empty, lengthen, os.remove])
@pytest.mark.parametrize("file", FILES)
def test_a_set_with_a_damaged_file_is_not_found_and_can_be_made_anew(
    disk: DiskExampleStore, folder: Path, file: str, damage: Callable[[Path], None]
) -> None:
    committed(disk, "key", rows(10))
    damage(folder / "key" / file)
    assert disk.find("key") is None
    assert_holds(committed(disk, "key", rows(4)), rows(4))
    assert_holds(disk.find("key"), rows(4))
    assert names(folder) == {"key"}


@pytest.mark.parametrize("seed", range(20))
def test_a_set_whose_index_has_a_wrong_byte_is_not_found(
    disk: DiskExampleStore, folder: Path, seed: int
) -> None:
    committed(disk, "key", rows(10))
    path = folder / "key" / "index.bin"
    content = bytearray(path.read_bytes())
    content[random.Random(seed).randrange(len(content))] ^= 1 << seed % 8
    path.write_bytes(content)
    assert disk.find("key") is None


@pytest.mark.parametrize("facts", ["null", "[]", "{}", "{", "\udcff", "[" * 100_000, '{"format": 1}'])
def test_a_set_with_wrong_facts_is_not_found(disk: DiskExampleStore, folder: Path, facts: str) -> None:
    committed(disk, "key", rows(3))
    (folder / "key" / "facts.json").write_text(facts, encoding="utf-8", errors="surrogateescape")
    assert disk.find("key") is None


@pytest.mark.parametrize("number", [-1, 2, 10**18, 10**30, 1.5, "3"])
def test_a_set_with_another_number_of_rows_is_not_found(
    disk: DiskExampleStore, folder: Path, number: object
) -> None:
    committed(disk, "key", rows(3))
    path = folder / "key" / "facts.json"
    path.write_text(path.read_text().replace('"rows": 3', f'"rows": {number!r}'.replace("'", '"')))
    assert disk.find("key") is None


def test_a_file_in_the_place_of_a_set_makes_way(disk: DiskExampleStore, folder: Path) -> None:
    folder.mkdir()
    (folder / "key").write_text("not a folder")
    assert disk.find("key") is None
    committed(disk, "key", rows(3))
    assert_holds(disk.find("key"), rows(3))


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = DiskExampleStore(tmp_path / "file" / "prepared")
    assert store.find("key") is None
    makers: list[Callable[[], object]] = [
        lambda: store.create("key"),
        lambda: store.create(None),
        store.spool,
    ]
    for make in makers:
        with pytest.raises(StorageError) as caught:
            make()
        assert caught.value.code == "I004"
        assert "CESELLO_HOME" in str(caught.value)


def python(script: str, *arguments: object, before: Callable[[], None] | None = None) -> str:
    """Runs it in another process, with the names of this module, and gives what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROLOGUE + script, *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False, preexec_fn=before,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Exception ignored" not in done.stderr
    return done.stdout


PROLOGUE = """
import os, signal, sys
from pathlib import Path
from cesello.domain.errors import CeselloError
from tests.contracts.test_example_store import *
folder = Path(sys.argv[1])
store = DiskExampleStore(folder)
"""


def no_file_above_100_kb() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


FILL = """
def fill(append, finish):
    try:
        for number in range(100_000):
            append(number)
        finish()
    except CeselloError as error:
        print(error.code, error.exit_status)

writer = store.create("key")
fill(lambda number: writer.append(example(number)), lambda: None)
writer.discard()
print(names(folder))

writer = store.create("key")
writer.append(Example("a", RICH, token_row([0] * 24_999, [True] * 24_999)))
writer.append(example(0, 5))
fill(lambda number: None, lambda: writer.commit({}))
writer.discard()
print(names(folder))

spool = store.spool()
fill(lambda number: spool.append(str(number), RICH), lambda: None)
spool.close()

spool = store.spool()
spool.append("a", Conversation((Message(Role.USER, "a" * 99_900),)))
fill(lambda number: spool.append("a", RICH) or spool[number], lambda: None)
spool.close()

print(store.find("key"), names(folder))
"""


def test_a_full_disk_is_told_and_leaves_nothing(folder: Path) -> None:
    told = python(FILL, folder, before=no_file_above_100_kb).splitlines()
    assert told == ["T075 75", "set()", "T075 75", "set()", "T075 75", "T075 75", "None set()"]


WRITE_AND_STOP = """
writer = store.create("key")
held = committed(store, None, rows(3))
spool = store.spool()
for number in range(5_000):
    writer.append(example(number))
    spool.append("a", RICH)
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def writing(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process in the middle of its work."""
    with subprocess.Popen(
        [sys.executable, "-c", PROLOGUE + WRITE_AND_STOP, str(folder)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_killed_writer_leaves_nothing_that_is_found_and_the_next_clears_it(
    disk: DiskExampleStore, folder: Path
) -> None:
    with writing(folder) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(names(folder)) == 1
    assert disk.find("key") is None
    writer = disk.create("other")
    assert len(names(folder)) == 1
    writer.append(example())
    writer.commit({})
    assert names(folder) == {"other"}


def test_what_another_process_is_writing_is_left_alone(disk: DiskExampleStore, folder: Path) -> None:
    with writing(folder) as process:
        before = names(folder)
        committed(disk, "key", rows(3))
        disk.spool().close()
        assert names(folder) == before | {"key"}
        process.communicate("")
        assert process.returncode == 0


KILLED_AT = """
calls = 0
def deadly(function, most):
    def call(*arguments, **named):
        global calls
        calls += 1
        if calls > most:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return call
for most in range(100):
    committed(store, "key", rows(3))
    child = os.fork()
    if child == 0:
        for name in ("mkdir", "open", "rename", "fsync", "unlink", "rmdir"):
            setattr(os, name, deadly(getattr(os, name), most))
        committed(DiskExampleStore(folder), "key", rows(5))
        os._exit(42)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    found = store.find("key")
    if found is not None:
        assert_holds(found, rows(len(found)))
        assert len(found) in (3, 5)
    if status == 42:
        break
    assert status == -signal.SIGKILL
else:
    raise AssertionError("it never came to its end")
print(most)
"""


def test_a_kill_at_any_change_of_the_disk_leaves_the_old_set_or_the_new_or_none(
    disk: DiskExampleStore, folder: Path
) -> None:
    assert int(python(KILLED_AT, folder)) > 10
    disk.create(None).discard()
    assert names(folder) == {"key"}


COMMIT_OFTEN = """
sys.stdin.readline()
for turn in range(100):
    found = store.find("key")
    assert found is None or len(found) in (5, 9)
    if found is not None:
        assert_holds(found, rows(len(found)))
    count = (5, 9)[turn % 2]
    assert_holds(committed(store, "key", rows(count)), rows(count))
"""


def test_processes_that_commit_the_same_key_do_not_disturb_each_other(
    disk: DiskExampleStore, folder: Path
) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROLOGUE + COMMIT_OFTEN, str(folder)],
            cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    found = disk.find("key")
    assert found is not None
    assert_holds(found, rows(len(found)))
    assert names(folder) == {"key"}


READ_FORKED = """
expected = rows(2_000)
examples = committed(store, sys.argv[2] or None, expected)
children = []
for worker in range(4):
    child = os.fork()
    if child == 0:
        order = list(range(len(expected))) * 3
        random.Random(worker).shuffle(order)
        right = all(examples.tokens(at) == expected[at].tokens for at in order)
        right = right and all(examples.example(at) == expected[at] for at in order[:2_000])
        os._exit(0 if right else 1)
    children.append(child)
print(sum(os.waitpid(child, 0)[1] for child in children))
assert_holds(examples, expected)
"""


@pytest.mark.parametrize("key", ["key", ""])
def test_forked_workers_read_the_right_rows_at_the_same_time(folder: Path, key: str) -> None:
    assert python(READ_FORKED, folder, key) == "0\n"


FORK_WHILE_WRITING = """
writer = store.create("key")
writer.append(example())
child = os.fork()
if child == 0:
    store.create("other").discard()
    os._exit(0)
os.waitpid(child, 0)
writer.append(example(1))
assert_holds(writer.commit({}), [example(), example(1)])
"""


def test_a_forked_process_does_not_clear_away_what_its_parent_writes(folder: Path) -> None:
    python(FORK_WHILE_WRITING, folder)


MEASURE = """
def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6

committed(store, None, rows(100))
spool = store.spool()
before = peak()
writer = store.create("key")
for number in range(20_000):
    each = example(number, 20)
    writer.append(each)
    spool.append(each.place, each.conversation)
examples = writer.commit({})
print(peak() - before)
assert len(examples) == 20_000
assert examples.example(12_345) == example(12_345, 20)
spool.close()
"""


def test_memory_grows_by_the_index_alone(folder: Path) -> None:
    assert float(python(MEASURE, folder)) < 8  # 400 bytes a row; an example takes thousands
