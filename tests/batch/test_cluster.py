"""The same on a Dask cluster."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'doorzicht[batch]'")

from distributed import Client, LocalCluster

from toolkit.batch import inputs, rehearsal, study_kills
from toolkit.batch.cluster import ClusterWorkers, SchedulerGoneError, connect
from toolkit.batch.journal import TABLE
from toolkit.batch.local import LocalWorkers
from toolkit.batch.plan import BatchPlan
from toolkit.batch.run import run
from toolkit.errors import ModelError, UsageError

# what the library itself warns of when a cluster of this process goes away
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def client():
    options = {"n_workers": 1, "threads_per_worker": 2, "processes": False}
    with (
        LocalCluster(dashboard_address=":0", silence_logs=50, **options) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def clips(tmp_path, monkeypatch):
    monkeypatch.setenv(rehearsal.PAUSE_VARIABLE, "0")
    folder = tmp_path / "clips"
    rehearsal.make_files(folder, 6)
    (folder / "die.mp4").write_text("die")
    return inputs.find(folder).tasks


@pytest.fixture
def plan(tmp_path):
    return BatchPlan(out=str(tmp_path / "results"), judge=rehearsal.JUDGE, retries=1)


def test_a_cluster_gives_the_rows_and_the_bytes_of_this_computer(client, plan, clips, tmp_path):
    progress = run(clips, plan, lambda plan: ClusterWorkers(plan, client))
    assert progress.counts == {"analysed": 6, "refused": 0, "failed": 1, "timed_out": 0}
    here = replace(plan, out=str(tmp_path / "here"))
    run(clips, here, lambda plan: LocalWorkers(plan, 1))
    one, other = (pd.read_parquet(p.folder / TABLE).drop(columns="seconds") for p in (plan, here))
    pd.testing.assert_frame_equal(one, other)
    for report in one["report"].dropna():
        pair = [(p.folder / report / "report.json").read_bytes() for p in (plan, here)]
        assert pair[0] == pair[1]


def test_what_ends_a_batch_here_ends_it_there(client, plan, clips, monkeypatch):
    broken = replace(plan, judge="tests.batch.test_run:lacks_a_model")
    monkeypatch.setenv("PYTHONPATH", str(inputs.Path(__file__).parents[2]))
    with pytest.raises(ModelError, match="a model file is missing"):
        run(clips, broken, lambda plan: ClusterWorkers(plan, client))


def test_an_interrupt_takes_back_what_waits(client, plan, clips):
    def interrupt(progress):
        if progress.last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(clips, plan, lambda plan: ClusterWorkers(plan, client), on_progress=interrupt)
    assert run(clips, plan, lambda plan: ClusterWorkers(plan, client)).done == len(clips)
    assert len(pd.read_parquet(plan.folder / TABLE)) == len(clips)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr("toolkit.batch.cluster.CONNECT_S", 0.3)
    with pytest.raises(UsageError, match="no Dask scheduler answers"):
        connect("tcp://127.0.0.1:9")


def test_a_scheduler_that_ends_is_told_and_what_is_done_is_kept(plan, clips):
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False}
    with LocalCluster(dashboard_address=":0", silence_logs=50, **options) as cluster:
        client = Client(cluster, set_as_default=False)

        def end(progress):
            if progress.last:
                client.close()

        with pytest.raises(SchedulerGoneError, match="goes on where it stopped"):
            run(clips, plan, lambda plan: ClusterWorkers(plan, client), on_progress=end)
    done = len(pd.read_parquet(plan.folder / TABLE))
    assert done >= 1
    progress = run(clips, plan, lambda plan: LocalWorkers(plan, 1))
    assert (progress.known >= done, progress.done) == (True, len(clips))


@pytest.mark.slow
@pytest.mark.parametrize("dask", [False, True])
def test_every_file_ends_with_one_row_whatever_is_killed(dask):
    result = study_kills.study(80, kills=4, dask=dask, seed=3, on_result=lambda _text: None)
    assert result["is_right"]
    assert result["rows"] == result["distinct"] == 80
    assert sum(result["killed"].values()) >= 2
    assert result["half_written"] == 0
