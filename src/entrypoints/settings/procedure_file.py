"""Reading the files of a procedure: strictly, with every mistake at its place, and all of them at once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import regex

from ...domain.errors import CeselloError, DataError, InvalidProcedure, Place, UsageError
from ...domain.procedure import (
    Adopted,
    Eval,
    Expect,
    Fallback,
    Input,
    Kind,
    OnFail,
    Procedure,
    Step,
    Triggers,
)
from ...domain.procedure_check import EVALS, MOST_BYTES, SKILL, SOP, Checked, Finding, check
from ...domain.text_hazards import Hazard, hazards
from .document import Document, Where, walk
from .problems import in_order, pick, printable, quoted, shown
from .procedure_adopt import adopted
from .procedure_head import portable, split, with_body, with_name
from .procedure_settings import SkillHead, SopFile, StepSettings
from .procedure_text import procedure_files
from .validation import validate
from .yaml_limits import Mark
from .yaml_text import read_yaml

_TOOLS = re.compile(r"[^\s,()]+(?:\([^()]*\))?")
_MOST_EVALS = 1 << 20


class ProcedureFiles:
    """Implements ``ProcedureFormat``."""

    def check(self, files: Mapping[str, bytes], where: str, name: str | None = None) -> Checked:
        return _Reading(files, printable(where), name).checked()

    def read(self, files: Mapping[str, bytes], where: str, name: str | None = None) -> Procedure:
        found = self.check(files, where, name)
        if found.procedure is None:
            raise InvalidProcedure(found.mistakes)
        return found.procedure

    def write(self, procedure: Procedure) -> Mapping[str, bytes]:
        return procedure_files(procedure)

    def named(self, files: Mapping[str, bytes], name: str) -> Mapping[str, bytes]:
        return with_name(files, name)

    def with_body(self, files: Mapping[str, bytes], body: str) -> Mapping[str, bytes]:
        return with_body(files, body)

    def adopted(self, files: Mapping[str, bytes], where: str, name: str) -> Adopted:
        return adopted(files, where, name)

    def portable(self, files: Mapping[str, bytes]) -> Mapping[str, bytes]:
        return portable(files)


@dataclass(slots=True)
class _Reading:
    """One look at the files of a folder."""

    files: Mapping[str, bytes]
    where: str
    name: str | None
    mistakes: list[CeselloError] = field(default_factory=list)
    advice: list[CeselloError] = field(default_factory=list)

    def checked(self) -> Checked:
        head, body, skill = self._skill()
        sop, document = self._sop()
        evals = self._evals()
        whole = not self.mistakes
        procedure = _procedure(skill or SkillHead(name="none", description="none"), body, sop, evals)
        for found in check(procedure):
            # What is said of a part that could not be read, or of what it lacks, may not be so.
            if whole or (found.part != SKILL and not found.advice):
                problem = self._told(found, {SKILL: head, SOP: document}.get(found.part))
                (self.advice if found.advice else self.mistakes).append(problem)
        return Checked(None if self.mistakes else procedure, tuple(self.mistakes), tuple(self.advice))

    def _told(self, found: Finding, document: Document | None) -> CeselloError:
        where: Where | None = Place(self._path(found.part))
        if found.keys[:1] == ("line",):
            where = Place(self._path(found.part), int(found.keys[1]))
        elif document is not None and found.keys:
            where = document.value_place(found.keys) or where
        got, expected = found.got, found.expected
        return DataError("D045", found.what, where=where, got=got, expected=expected, fix=found.fix)

    def _path(self, part: str) -> str:
        return f"{self.where}/{part}"

    def _skill(self) -> tuple[Document | None, str, SkillHead | None]:
        text = self._text(SKILL, MOST_BYTES)
        if text is None:
            if SKILL not in self.files:
                self._wrong(
                    "there is no SKILL.md",
                    Place(self.where),
                    "`cesello sop new NAME` writes one to start from",
                )
            return None, "", None
        found = split(text)
        if found is None:
            fix = "begin it with a line ---, then name: and description:, then a line ---"
            self._wrong(
                "SKILL.md does not begin with its name and description", Place(self._path(SKILL), 1), fix
            )
            return None, "", None
        document = self._document(found[0], SKILL, texts=True, first=2)
        if document is None:
            return None, "", None
        join_tools(document)
        head = validate(document, SkillHead)
        self._keep(document)
        if head is not None and self.name is not None and head.name != self.name:
            self._wrong(
                "the name is not that of the folder",
                document.value_place(("name",)),
                "rename one of them",
                got=quoted(head.name),
                expected=quoted(self.name),
            )
        return document, found[1], head

    def _sop(self) -> tuple[SopFile | None, Document | None]:
        text = self._text(SOP, MOST_BYTES)
        if text is None:
            return None, None
        document = self._document(text, SOP)
        if document is None:
            return None, None
        version = document.value.get("schema_version")
        if type(version) is int and version > 1:
            place, fix = document.value_place(("schema_version",)), "install a newer cesello"
            self._wrong(
                "sop.yaml is of a later version of cesello", place, fix, got=str(version), expected="1"
            )
            return None, document
        sop = validate(document, SopFile)
        if document.get("steps") == []:
            fix = "give at least one, or leave the key out where the body of SKILL.md says what to do"
            problem = UsageError("C004", "steps is empty", where=document.value_place(("steps",)), fix=fix)
            document.problems = [one for one in document.problems if one.code != "C004"]
            document.report(("steps",), problem)
        for at, step in enumerate(sop.steps if sop else ()):
            _check_pattern(step, at, document)
        self._keep(document)
        return sop, document

    def _evals(self) -> tuple[Eval, ...]:
        text = self._text(EVALS, _MOST_EVALS)
        found = []
        for number, line in enumerate((text or "").split("\n"), 1):
            if line.strip():
                place = Place(self._path(EVALS), number)
                try:
                    found.append(_eval(json.loads(line), place))
                except (json.JSONDecodeError, RecursionError) as cause:
                    fix = 'write {"query": "...", "should_trigger": true}'
                    self._wrong("the line is not JSON", place, fix, got=str(cause))
                except CeselloError as problem:
                    self.mistakes.append(problem)
        return tuple(found)

    def _text(self, part: str, most: int) -> str | None:
        """Its text with plain line ends; None where it is not there or cannot be read."""
        content = self.files.get(part)
        if content is None:
            return None
        place = Place(self._path(part))
        if len(content) > most:
            fix = "put what is seldom needed into files beside it"
            self._wrong(
                f"{part} is too large", place, fix, got=f"{len(content)} bytes", expected=f"at most {most}"
            )
            return None
        try:
            text = content.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as cause:
            before = content[: cause.start]
            place = Place(place.file, before.count(b"\n") + 1)
            byte = f"the byte 0x{content[cause.start]:02x}"
            self.mistakes.append(
                UsageError("C023", f"{part} is not UTF-8", where=place, got=byte, fix="save it as UTF-8")
            )
            return None
        found = list(hazards(text))
        self.mistakes += [_hazard(one, Place(place.file, one.line, one.column)) for one in found]
        return None if found else text

    def _document(self, text: str, part: str, *, texts: bool = False, first: int = 1) -> Document | None:
        """What a text of YAML says, where it is a map of keys; ``first`` is the line where it begins."""
        name = self._path(part)

        def locate(mark: Mark | None) -> Where:
            return Place(name, mark.line + first, mark.column + 1) if mark else Place(name)

        try:
            document = read_yaml(text, locate, texts=texts)
        except UsageError as problem:
            self.mistakes.append(problem)
            return None
        if not isinstance(document.value, dict):
            what = "it is empty" if document.value in (None, "") else f"it holds {shown(document.value)}"
            fix = (
                "write key: value, a line each"
                if part == SKILL
                else "begin it with schema_version: 1, or delete it"
            )
            self.mistakes.append(
                UsageError("C030", f"{part} is no map of keys: {what}", where=Place(name, first), fix=fix)
            )
            return None
        for keys, value in walk(document.value):
            for found in hazards(value) if isinstance(value, str) else ():
                self.mistakes.append(_hazard(found, document.value_place(keys)))
        return document

    def _keep(self, document: Document) -> None:
        self.mistakes += in_order(document.problems)

    def _wrong(
        self, what: str, where: Where | None, fix: str, *, got: str | None = None, expected: str | None = None
    ) -> None:
        self.mistakes.append(DataError("D042", what, where=where, got=got, expected=expected, fix=fix))


def join_tools(document: Document) -> None:
    """Some write allowed-tools as a list, where the specification has names behind spaces."""
    tools = document.value.get("allowed-tools")
    if isinstance(tools, list) and all(isinstance(tool, str) for tool in tools):
        document.value["allowed-tools"] = " ".join(tools)


def _check_pattern(step: StepSettings, at: int, document: Document) -> None:
    if step.expect is None or step.expect.kind != "regex" or not isinstance(step.expect.value, str):
        return
    try:
        # As it is used: by the package whose search can be given a time.
        regex.compile(step.expect.value, regex.DOTALL | regex.VERSION0)
    except (regex.error, RecursionError, OverflowError) as cause:
        keys = ("steps", at, "expect", "value")
        what = f"{document.dotted(keys)} is no regular expression: {cause}"
        fix, got = "write a regular expression, between single quotes", quoted(step.expect.value)
        document.report(keys, UsageError("C010", what, where=document.value_place(keys), fix=fix, got=got))


def _hazard(found: Hazard, where: Where | None) -> DataError:
    fix = (
        "name the variable of the environment that holds it, and make it invalid"
        if found.secret
        else "delete it"
    )
    return DataError("D046", f"the text holds {found.what}", where=where, fix=fix)


def _eval(row: Any, place: Place) -> Eval:
    if not isinstance(row, dict):
        fix = 'write {"query": "...", "should_trigger": true}'
        raise UsageError("C030", "the line is no map of keys", where=place, got=shown(row), fix=fix)
    keys = ("query", "should_trigger")
    for key in row:
        if key not in keys:
            fix = pick(key, keys)
            raise UsageError("C001", f"unknown key {quoted(key)}", where=place, fix=fix)
    if not isinstance(row.get("query"), str) or not row["query"].strip():
        fix = "write a request as people write it"
        raise UsageError(
            "C003",
            "query has the wrong type",
            where=place,
            got=shown(row.get("query")),
            expected="text",
            fix=fix,
        )
    if not isinstance(row.get("should_trigger"), bool):
        got = shown(row.get("should_trigger"))
        what, expected = "should_trigger has the wrong type", "true or false"
        raise UsageError("C003", what, where=place, got=got, expected=expected, fix="write true or false")
    for found in hazards(row["query"]):
        raise _hazard(found, place)
    return Eval(row["query"], row["should_trigger"])


def _procedure(head: SkillHead, body: str, sop: SopFile | None, evals: tuple[Eval, ...]) -> Procedure:
    extra = {"license": head.license, "compatibility": head.compatibility, "metadata": head.metadata}
    its = sop or SopFile(schema_version=1)
    score = its.triggers.min_score
    return Procedure(
        name=head.name,
        description=head.description.strip(),
        body=body,
        allowed_tools=tuple(_TOOLS.findall(head.allowed_tools or "")),
        triggers=Triggers(
            its.triggers.examples,
            its.triggers.negatives,
            its.triggers.keywords,
            its.triggers.files,
            None if score == "auto" else float(score),
        ),
        inputs=tuple(Input(one.name, one.description, one.required, one.default) for one in its.inputs),
        steps=tuple(_step(step) for step in its.steps),
        success=its.success.step if its.success else "",
        evals=evals,
        extra={key: value for key, value in extra.items() if value is not None},
    )


def _step(step: StepSettings) -> Step:
    fail, expect = step.on_fail, step.expect
    return Step(
        step.id,
        step.do,
        step.when,
        step.tools,
        None if expect is None else Expect(Kind(expect.kind), expect.value),
        OnFail(fail.retry, Fallback(fail.then), fail.goto, fail.max),
    )
