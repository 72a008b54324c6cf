"""``docs/operations.md`` leaves nothing out that the operator knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fairlead_operator import document
from fairlead_operator.document import documented, metric_rows, settings_rows
from fairlead_operator.metrics import Metrics
from fairlead_operator.settings import Settings, from_environment
from fairlead_operator.status import ConditionType, reason_table

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "operations.md"
TEXT = DOCUMENT.read_text()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def rows_of(name: str) -> list[list[str]]:
    """The table between two markers, without its head."""
    table = TEXT.partition(f"<!-- {name}:begin -->")[2].partition(f"<!-- {name}:end -->")[0]
    return [cells(line) for line in table.strip().splitlines()[2:]]


def test_its_tables_are_what_the_operator_says() -> None:
    assert documented(TEXT) == TEXT, "run `make generate`"


def test_every_setting_stands_in_it_with_its_default_and_a_meaning() -> None:
    rows = {variable.strip("`"): (default, meaning) for variable, default, meaning in rows_of("settings")}
    assert list(rows) == [f"FAIRLEAD_{name.upper()}" for name in Settings.__dataclass_fields__]
    assert all(default and meaning for default, meaning in rows.values())
    for variable, (default, _) in rows.items():
        if default.startswith("`"):
            assert from_environment({variable: default.strip("`")}, identity="x") == from_environment({}, identity="x")


@pytest.mark.parametrize("row", reason_table(), ids=lambda row: row[1])
def test_every_reason_stands_in_it(row: tuple[str, str, str, str]) -> None:
    condition, reason, meaning, remedy = row
    assert [f"`{condition}`", f"`{reason}`", meaning, remedy] in rows_of("reasons")


@pytest.mark.parametrize("condition", ConditionType)
def test_every_condition_is_explained(condition: ConditionType) -> None:
    assert re.search(rf"^\| [^|]*`{condition}`[^|]*\| [A-Z]", TEXT, re.MULTILINE)


def test_every_metric_stands_in_it_as_it_is_exposed() -> None:
    exposed = set(re.findall(r"^# TYPE (\S+) ", Metrics().render().decode(), re.MULTILINE))
    described = {name.strip("`") for name, *_ in rows_of("metrics")}
    assert described == {name for name in exposed if not name.endswith("_created")}


def test_every_metric_of_an_alert_exists() -> None:
    known = {name.strip("`") for name, *_ in metric_rows()}
    used = set(re.findall(r"fairlead_operator_\w+", TEXT))
    assert used <= known


def test_every_setting_it_speaks_of_exists() -> None:
    known = {variable.strip("`") for variable, *_ in settings_rows()}
    assert set(re.findall(r"FAIRLEAD_\w+", TEXT)) <= known


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]*)(#[^)]*)?\)", TEXT))))
def test_every_link_leads_somewhere(link: tuple[str, str]) -> None:
    path, anchor = link
    target = DOCUMENT.parent / path if path else DOCUMENT
    assert target.exists()
    if anchor:
        headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
        assert anchor[1:] in [re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings]


def test_the_check_tells_a_stale_table_from_a_current_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "operations.md"
    copy.write_text(TEXT.replace("`FAIRLEAD_DEBOUNCE`", "`FAIRLEAD_BOUNCE`"))
    assert document.main([str(copy), "--check"]) == 1
    assert "make generate" in capsys.readouterr().err
    assert document.main([str(copy)]) == 0
    assert copy.read_text() == TEXT
    assert document.main([str(copy), "--check"]) == 0


def test_a_missing_marker_is_named() -> None:
    with pytest.raises(ValueError, match="settings:begin"):
        documented("# Operations\n")
