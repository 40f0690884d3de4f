"""``benchmark``, ``explain-benchmark``, ``speed`` and ``study files``: measure what there is."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from toolkit._i18n import _
from toolkit.cli import batch
from toolkit.cli.common import DETECTOR_HELP, Command, TellAhead, finished, frames, write_json
from toolkit.errors import UsageError
from toolkit.jobs import TerminalLine
from toolkit.runtime import DEVICES
from toolkit.types import Sampling


def add_benchmark(command: Command) -> None:
    """Add the command that runs detectors over labelled clips."""
    sub = command("benchmark", _benchmark, "run detectors over labelled clips")
    sub.add_argument("clips", type=Path, help="CSV: path, label, method, dataset, scene, ...")
    sub.add_argument("--out", type=Path, required=True, help="JSON file; a page is put beside it")
    sub.add_argument(
        "--detectors",
        default="seamnet",
        help="names, separated by commas; also control.size, control.blur, control.imagenet",
    )
    sub.add_argument(
        "--reshare", default="", metavar="CHAIN", help="first do this, e.g. crop10,scale480,crf28"
    )
    sub.add_argument(
        "--compare",
        type=Path,
        action="append",
        default=[],
        metavar="JSON",
        help="result along another chain, for curves in the page; may be repeated",
    )
    sub.add_argument(
        "--robustness",
        action="store_true",
        help="also along ten re-share chains, one JSON file for each, with curves in the page",
    )
    sub.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="keep what was read of each clip (faces!) here, for other weights or to go on later",
    )
    batch.add_workers(sub)
    sub.add_argument(
        "--card",
        type=Path,
        metavar="JSON",
        help="write into SeamNet's card how genuine clips fared",
    )
    sub.add_argument("--device", choices=DEVICES, default="auto")
    sub.add_argument("--frames", type=frames)
    sub.add_argument("--seed", type=int, default=0)


def add_explain_benchmark(command: Command) -> None:
    """Add the command that grades explanations."""
    sub = command(
        "explain-benchmark",
        _explain_benchmark,
        "grade explanations on forgeries whose original is known",
    )
    sub.add_argument(
        "pairs", type=Path, nargs="?", help="CSV: original, fake, method, scene, crop_x, ..."
    )
    sub.add_argument(
        "--planted",
        type=Path,
        nargs="*",
        metavar="CLIP",
        help="instead of pairs: plant into these genuine clips; none named: the samples",
    )
    sub.add_argument(
        "--out", type=Path, required=True, help="JSON file; if it is unfinished, goes on with it"
    )
    sub.add_argument("--methods", default="", help="keys, separated by commas; default: all")
    sub.add_argument("--faces", type=int, help="faces explained per pair (3) or planted clip (1)")
    sub.add_argument(
        "--parts",
        default="where,when,transplants",
        help="of the work on pairs: where, when, transplants, attack",
    )
    sub.add_argument("--attack", choices=("quick", "full"), default="quick", help="its budget")
    sub.add_argument("--fresh", action="store_true", help="do again what the file already has")
    sub.add_argument(
        "--gallery",
        type=Path,
        action="append",
        help="genuine clip of other people, for references; default: the samples",
    )
    sub.add_argument(
        "--known-originals",
        action="store_true",
        help="take other seconds of each original as known to be genuine: the best case",
    )
    batch.add_workers(sub)
    sub.add_argument("--detector", default="seamnet", help=DETECTOR_HELP)
    sub.add_argument("--device", choices=DEVICES, default="auto")
    sub.add_argument("--seed", type=int, default=0)


def add_speed(command: Command) -> None:
    """Add the command that measures time and memory."""
    sub = command("speed", _speed, "measure seconds per stage and memory of the process tree")
    sub.add_argument("clip", type=Path, nargs="?", help="default: the sample cap12_edit")
    sub.add_argument("--runs", type=int, default=3)
    sub.add_argument(
        "--paths", action="store_true", help="how far SeamNet in INT8 and in float32 lie apart"
    )
    sub.add_argument(
        "--explain", action="store_true", help="what an explanation costs, beside Captum's sampling"
    )
    sub.add_argument("--device", choices=DEVICES, default="auto")
    sub.add_argument("--out", type=Path, help="JSON file")


def add_files(studies: Any) -> None:
    """Add the study of files as people have them."""
    text = "files as people have them: what is right for each, and what comes out"
    sub = studies.add_parser("files", help=text, description=text)
    sub.set_defaults(run=_study)
    sub.add_argument("--rows", default="", help="of the table, separated by commas; default: all")
    sub.add_argument(
        "--clips",
        type=Path,
        metavar="DIR",
        help="folder of genuine clips, for rows that need one; default: ../shared/data/clips/real",
    )
    sub.add_argument("--device", choices=DEVICES, default="auto")
    sub.add_argument("--out", type=Path, help="JSON file")


def _benchmark(options: argparse.Namespace) -> int:
    from toolkit.evaluation.verdicts import benchmark as verdicts
    from toolkit.evaluation.verdicts import model_card, page, risk_coverage
    from toolkit.storage.cache import Cache
    from toolkit.training import train

    others = [page.read(path) for path in options.compare]
    if options.robustness and (options.reshare or others):
        raise UsageError("--robustness goes along its own chains", "", "Leave the others out.")
    clips = verdicts.read_list(options.clips)
    chains = ["", *verdicts.ROBUSTNESS] if options.robustness else [options.reshare]
    results = []
    with batch.workers_of(options) as workers, TerminalLine() as progress:
        folder = workers.cache_folder
        keep = Cache(folder, limit_bytes=verdicts.CACHE_BYTES) if folder else None
        for chain in chains:
            workers.read([clip.path for clip in clips], options, chain, verdicts.CACHE_BYTES)
            result = verdicts.benchmark(
                clips,
                detectors=[n for n in options.detectors.split(",") if n],
                chain=chain,
                imagenet=train.new_network,
                device=options.device,
                sampling=Sampling(frames=options.frames),
                seed=options.seed,
                cache=keep,
                on_partial={
                    name: TellAhead(partial(_write_for, progress, name), clips=len(clips))
                    for name in options.detectors.split(",")
                },
                tick=progress,
            )
            results.append(result)
            name = f"-{chain.replace(',', '-')}" if options.robustness and chain else ""
            write_json(options.out.with_name(f"{options.out.stem}{name}.json"), result)
            if options.robustness:
                text = _("{n} of {total}: {chain}")
                title = chain or _("as it is")
                progress.write(text.format(n=len(results), total=len(chains), chain=title))
    first, *further = results
    everything = [first, *others, *further]
    judges = [n for n, s in first["summary"].items() if s["threshold"] is not None]
    first["coverage"] = {n: risk_coverage.curves(everything, n) for n in judges}
    write_json(options.out, first)
    page.write(first, options.out.with_suffix(".html"), others=[*others, *further])
    print(verdicts.table(first))
    if further:
        print(verdicts.chains_table(results))
    for name in judges:
        print(f"{name}: errors of forced decisions on the clips that a limit leaves")
        print(risk_coverage.table(first["coverage"][name]))
    if options.card:
        counts = model_card.record(options.card, first)
        text = _("held back: {n} of {total} genuine clips called forged")
        print(text.format(n=counts.called_forged, total=counts.genuine))
    return 0


def _write_for(progress: TerminalLine, name: str, line: str) -> None:
    progress.write(f"{name}: {line}")


def _explain_benchmark(options: argparse.Namespace) -> int:
    from toolkit import samples
    from toolkit.evaluation.explanations import benchmark as explanations
    from toolkit.evaluation.explanations import tables

    if (options.pairs is None) == (options.planted is None):
        raise UsageError("give a list of pairs, or --planted", "", "One of the two.")
    if options.planted is not None and options.known_originals:
        raise UsageError("planted clips have no originals", "--known-originals", "Leave it out.")
    shipped = [samples.path(n) for n in samples.names(present=True) if n != samples.planted().id]
    methods = [n for n in options.methods.split(",") if n]
    gallery = shipped if options.gallery is None else options.gallery
    settings: dict[str, Any] = {
        "detector": options.detector,
        "device": options.device,
        "seed": options.seed,
    }
    if options.planted is not None:
        clips = options.planted or shipped
        settings["methods"] = methods or list(explanations.PLANTED_METHODS)
        settings["faces"] = 1 if options.faces is None else options.faces
        items = [str(clip) for clip in clips]
    else:
        pairs = explanations.read_pairs(options.pairs)
        settings["methods"] = methods
        settings["faces"] = explanations.FACES if options.faces is None else options.faces
        settings["parts"] = [p for p in options.parts.split(",") if p]
        settings["budget"] = options.attack
        settings["known"] = options.known_originals
        items = [f"{options.pairs}:{number}" for number in range(len(pairs))]
    is_graded = batch.grade(options, items, settings | {"gallery": [str(p) for p in gallery]})
    with TerminalLine() as progress:
        common: dict[str, Any] = settings | {
            "gallery": gallery,
            "out": options.out,
            "fresh": options.fresh and not is_graded,
            "on_result": lambda unit: progress.write(finished(unit)),
            "tick": progress,
        }
        if options.planted is not None:
            result = explanations.planted(clips, **common)
        else:
            result = explanations.benchmark(pairs, **common)
    show = tables.table if options.planted is None else tables.planted_table
    print(show(result))
    return 0


def _speed(options: argparse.Namespace) -> int:
    from toolkit import samples
    from toolkit.evaluation.studies import speed

    if options.explain:
        from toolkit.evaluation.explanations import cost

        clip = options.clip or samples.path(samples.planted().id)
        result = cost.measure(clip, device=options.device)
        print("\n".join(cost.lines(result)))
        if options.out:
            write_json(options.out, result)
        return 0
    clip = options.clip or samples.path("cap12_edit")
    if options.paths:
        with TerminalLine() as progress:
            gap = speed.paths(clip, tick=progress)
        print(
            f"{gap['crops']} crops: logits {gap['median']:.2f} apart in the median, "
            f"{gap['q95']:.2f} in 95 %, {gap['largest']:.2f} at most; the same verdict on "
            f"{gap['same_verdict']:.1%}"
        )
        if options.out:
            write_json(options.out, gap)
        return 0
    result = speed.measure(clip, runs=options.runs, device=options.device)
    for row in result["runs"]:
        stages = ", ".join(f"{k} {v:.2f}" for k, v in row["stages"].items())
        print(f"{row['total_s']:.2f} s, {row['peak_mb']:.0f} MB ({stages})")
    print(f"median {result['median_total_s']:.2f} s, peak {result['peak_mb']:.0f} MB")
    for name, crop in result["crop_ms"].items():
        print(
            f"{name}: {crop['analysis']:.1f} ms per face crop ({crop['cpu']:.1f} ms of processor "
            f"time), {crop['explanation']:.1f} ms while explaining, {crop['batch']} at a time"
        )
    print(f"import toolkit: {result['import_s']:.3f} s")
    if options.out:
        write_json(options.out, result)
    return 0


def _study(options: argparse.Namespace) -> int:
    from toolkit.evaluation.studies import files as study_files

    wanted = [name for name in options.rows.split(",") if name]
    rows = []
    for row in study_files.run(wanted, clips=options.clips, device=options.device):
        print(study_files.line(row), flush=True)
        rows.append(row)
    print(study_files.summary(rows))
    if options.out:
        write_json(options.out, {"rows": rows})
    return 0 if all(row["ok"] is not False for row in rows) else 1
