"""A job and the user at the same time."""

from __future__ import annotations

import threading

from tests.widgets.pressing import run
from toolkit.widgets.workbench.result import Result


def test_a_job_and_a_change_of_language_fill_the_panel_in_turn(panel, monkeypatch):
    run(panel)
    found, fill = panel.examination, Result._fill
    inside, together = set(), []

    def watched(self):
        inside.add(threading.get_ident())
        together.append(len(inside))
        fill(self)
        inside.discard(threading.get_ident())

    monkeypatch.setattr(Result, "_fill", watched)

    def work():
        for _ in range(20):
            panel._result.show(found)

    job = threading.Thread(target=work)
    job.start()
    while job.is_alive():
        panel._result.say()
    job.join()
    assert len(together) > 20
    assert max(together) == 1
