"""The ``[live]`` table and the options: what is in force, and every mistake at once with its place."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from sort_drift import config as policies
from sort_drift import geometry
from sort_drift.errors import BadPolicy, MissingInput, SortDriftError, UsageError
from sort_drift.live import config
from sort_drift.live.settings import Address, Limits, Settings, Watching, Webhook


def load(folder: Path, text: str, *, name: str = "sort-drift.toml", **given: Any) -> Settings:
    """Write a file and read it, as ``--config`` does."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return config.load(folder / "store", file=file, given=given)


def mistakes(folder: Path, text: str) -> list[str]:
    """Return what is said of a file, a line each."""
    with pytest.raises(BadPolicy) as caught:
        load(folder, text)
    found: list[SortDriftError] = list(caught.value.mistakes) or [caught.value]
    return [one.line() for one in found]


def test_every_field_of_the_settings_can_be_said() -> None:
    """Each has a key of its name, but for those that only the command line has; and each key has a field."""
    from_options = {"store", "insecure", "limits", "watching", "token"}
    told = {"": Settings, "limits": Limits, "watching": Watching}
    for into, cls in told.items():
        names = {field.name for field in fields(cls)} - from_options
        keys = {key for key, setting in config.KEYS.items() if setting.into == into} - {"token_file"}
        assert names - {"depth", "idle_s"} <= keys, into
        assert keys <= names, into


def test_defaults_are_the_settings(tmp_path: Path) -> None:
    """Without a file nothing is changed; without a table in a file of a policy, neither."""
    assert config.load(tmp_path, file=None, given={}) == Settings(tmp_path)
    (tmp_path / "sort-drift.toml").write_text("alpha = 0.01\n")
    assert config.load(tmp_path, file=None, given={}, start=tmp_path) == Settings(tmp_path)


def test_a_whole_table(tmp_path: Path) -> None:
    """Addresses, sizes, times, what is watched and webhooks come into their places; options win."""
    (tmp_path / "token").write_text("s3cret\nsecond line\n")
    found = load(
        tmp_path,
        f"""
[live]
otlp_http = "0.0.0.0:9318"
otlp_grpc = "off"
token_file = "{tmp_path}/token"
seal_bytes = "8 MiB"
body_bytes = 4096
rate = 0.001
by = []
tolerances = {{ retry_depth = 0.5 }}
hosts = "traces.example"
[[live.webhooks]]
url = "https://hooks.example/x"
form = "alertmanager"
""",
        otlp_http=Address("127.0.0.1", 1),
    )
    assert (found.otlp_http, found.otlp_grpc) == (Address("127.0.0.1", 1), None)
    assert (found.token, found.seal_bytes, found.limits.body_bytes) == ("s3cret", 8 << 20, 4096)
    assert (found.watching.rate, found.watching.by) == (0.001, ())
    assert found.watching.tolerances == {"retry_depth": 0.5}
    assert found.hosts == ("traces.example",)
    assert found.webhooks == (Webhook("https://hooks.example/x", "alertmanager"),)
    assert "s3cret" not in repr(found)


def test_the_table_may_stand_in_pyproject(tmp_path: Path) -> None:
    """[tool.sort-drift.live] is the same table, and the policy beside it does not mind it."""
    file = tmp_path / "pyproject.toml"
    file.write_text("[tool.sort-drift]\nalpha = 0.01\n[tool.sort-drift.live]\nseal_s = 3\n")
    assert config.load(tmp_path, file=None, given={}, start=tmp_path).seal_s == 3.0
    assert policies.load(geometry.variables(), start=tmp_path).values["alpha"] == 0.01


@pytest.mark.fault(71)
def test_every_mistake_is_said_at_once_with_its_line(tmp_path: Path) -> None:
    """Unknown keys get the nearest one, values what to write, each with file, line and key."""
    said = mistakes(
        tmp_path,
        """[live]
seel_s = 3
rate = 2
page = "somewhere"
variables = ["retry_dept"]
seal_bytes = "many"
tls = { certificate = "nothere" }
[[live.webhooks]]
form = "slack"
""",
    )
    text = "\n".join(said)
    assert len(said) == 8
    assert "unknown key 'seel_s' (" in said[0]
    assert "sort-drift.toml:2:live.seel_s). Did you mean 'seal_s'?" in said[0]
    assert "sort-drift.toml:3:live.rate" in text
    assert "Did you mean 'retry_depth'?" in text
    assert 'Write "16 MiB", or bytes' in text
    assert "live.webhooks[0].form" in text
    assert "there is no url" in text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("live = 3\n", "this is not a table"),
        ("alpha = 1\n", "there is no [live] in it"),
        ("[live\n", "this is no TOML"),
        ("[live]\nbaseline = 'no.parquet'\n", "there is no file no.parquet"),
        ("[live]\ncontent = 'hide'\n", "unknown way with content 'hide'"),
        ("[live]\nseal_s = true\n", "no number"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, what: str) -> None:
    """One clear line each."""
    (line,) = mistakes(tmp_path, text)
    assert what in line


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Named by --config, it has to be there."""
    with pytest.raises(MissingInput, match="no such configuration"):
        config.load(tmp_path, file=tmp_path / "no.toml", given={})


@pytest.mark.parametrize("text", ["", "4318", "a:b", "host:70000", ":1", "http://x:1:"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """With the option and what to write."""
    with pytest.raises(UsageError, match="--page"):
        config.listen(text, "--page")
