"""Units of work: kept, found again, and never mistaken for others."""

from __future__ import annotations

import json

import pytest

from toolkit.errors import Cancelled, UsageError
from toolkit.evaluation.resumable import Unit, digest, read_rows, run_units
from toolkit.types import no_tick

SCHEMA = "made-up/1"


class Work:
    """Three units, a file, and a count of what was done."""

    def __init__(self, path, *, stop_at=None):
        self.path, self.stop_at = path, stop_at
        self.done, self.told = [], []

    def unit(self, number, **depends):
        def run(tick):
            if number == self.stop_at:
                raise Cancelled
            self.done.append(number)
            return {"square": number**2}

        return Unit("rows", f"number {number}", {"number": number}, depends, run)

    def save(self, sections):
        self.path.write_text(json.dumps({"schema": SCHEMA, **sections}))

    def run(self, **depends):
        return run_units(
            [self.unit(n, **depends) for n in range(3)],
            kept=read_rows(self.path, (SCHEMA,)),
            save=self.save,
            tell=self.told.append,
            tick=no_tick,
        )


def test_stopped_work_goes_on_where_it_was(tmp_path):
    path = tmp_path / "out.json"
    with pytest.raises(Cancelled):
        Work(path, stop_at=2).run(seed=1)
    second = Work(path)
    rows = second.run(seed=1)["rows"]
    assert second.done == [2]
    assert [r["square"] for r in rows] == [0, 1, 4]
    assert [p.seconds for p in second.told[:2]] == [0, 0]
    assert second.told[-1].left_s == 0
    third = Work(path)
    assert third.run(seed=1)["rows"] == rows
    assert third.done == []


def test_what_a_row_depends_on_is_in_its_key(tmp_path):
    path = tmp_path / "out.json"
    Work(path).run(seed=1)
    other = Work(path)
    other.run(seed=2)
    assert other.done == [0, 1, 2]
    work = Work(path)
    assert work.unit(1, seed=1).key != work.unit(1, seed=2).key != work.unit(2, seed=2).key
    assert work.unit(1, seed=1).key == work.unit(1, seed=1).key


def test_a_mistake_in_one_unit_is_its_reason(tmp_path):
    def run(tick):
        raise UsageError("the pictures do not lie on each other", "1 x 1")

    unit = Unit("rows", "wrong", {}, {}, run)
    rows = run_units([unit], kept={}, save=lambda _: None, tick=no_tick)["rows"]
    assert "do not lie" in rows[0]["reason"]


def test_another_file_is_not_overwritten(tmp_path):
    assert read_rows(tmp_path / "none.json", (SCHEMA,)) == {}
    for text in ("{}", "not json", "[1]", '{"schema": "report/1"}'):
        path = tmp_path / "other.json"
        path.write_text(text)
        with pytest.raises(UsageError, match="something else"):
            read_rows(path, (SCHEMA,))


def test_the_time_left_is_learnt_per_section():
    units = [Unit(s, s, {"n": n}, {}, lambda _: {}) for s in ("fast", "slow") for n in range(3)]
    kept = {
        u.key: {"key": u.key, "wall_seconds": w} for u, w in zip(units, (1, 1, 1, 9), strict=False)
    }
    told = []
    run_units(units, kept=kept, save=lambda _: None, tell=told.append, tick=no_tick)
    assert told[0].left_s == pytest.approx(2)  # two slow ones to come, nothing known of them yet
    assert told[3].left_s == pytest.approx(18)


def test_a_file_that_is_not_there_has_no_digest(tmp_path):
    assert digest(tmp_path / "none") is None
