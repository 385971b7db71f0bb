"""The bill of materials: valid, of the product alone, and naming what it is made of."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.repository import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    output = tmp_path_factory.mktemp("dist") / "sbom.cdx.json"
    subprocess.run([sys.executable, "tools/sbom.py", str(output)], cwd=ROOT, check=True)
    return output.read_text()


@pytest.fixture(scope="module")
def bill(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def test_it_is_valid_cyclonedx(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_it_lists_the_product_and_not_its_tools(bill: dict[str, Any]) -> None:
    names = {component["name"] for component in bill["components"]}
    assert bill["metadata"]["component"]["name"] == "cesello"
    assert {"torch", "peft", "transformers", "lightning", "click"} <= names
    assert not {"cesello", "hypothesis", "mypy", "pytest", "ruff"} & names


def test_every_component_has_a_version_and_is_reached(bill: dict[str, Any]) -> None:
    assert all(component["version"] for component in bill["components"])
    needed = {ref for each in bill["dependencies"] for ref in each["dependsOn"]}
    assert needed == {component["bom-ref"] for component in bill["components"]}


def test_it_names_no_folder_of_this_machine(text: str) -> None:
    assert str(ROOT) not in text
    assert sys.prefix not in text


def test_the_make_target_runs_it() -> None:
    done = subprocess.run(["make", "--dry-run", "sbom"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "tools/sbom.py dist/sbom.cdx.json" in done.stdout
