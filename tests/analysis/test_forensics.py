"""Figures of probed models: drawn from the tables alone, for any arms, depths and γ."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from analysis.errors import InputError
from analysis.show import figures as of_sweep
from analysis.show.figures import style
from analysis.show.figures.forensics import figures
from analysis.tables.probe import of_table
from analysis.tables.table import Primary, Table
from tests.analysis import made_up

OMEGA = np.linspace(0, np.pi, 129)


def tables(depths=(1, 2), gammas=(0.0, 0.2, 0.8)) -> dict[str, pd.DataFrame]:
    """What a probe writes: raw and key_only at every γ, and an arm whose γ is learned."""
    random = np.random.default_rng(0)
    out: dict[str, list] = {n: [] for n in ("response", "spectra", "bands", "heads", "causal")}
    cells = [(a, d, g) for a in ("raw", "key_only") for d in depths for g in gammas]
    cells += [("learned", d, np.nan) for d in depths]
    for (arm, depth, gamma), seed in itertools.product(cells, (0, 1)):
        run = {"run_id": f"{arm}-{depth}-{gamma}-{seed}", "arm": arm, "task": "recall",
               "depth": depth, "gamma": gamma, "seed": seed}  # fmt: skip
        real = 0.5 if np.isnan(gamma) else gamma
        score = min(1.0, 0.2 + real + 0.02 * random.normal())
        for layer in range(depth):
            place = {**run, "layer": layer, "head": 0}
            out["heads"].append(pd.DataFrame([{**place, "prefix_matching": score / (layer + 1),
                                               "uniform": 0.09, "copying": score}]))  # fmt: skip
            for stream in "qk":
                h = 1 + real * (1 - np.exp(-1j * OMEGA)) * (arm != "key_only" or stream == "k")
                both = {
                    f"{kind}_{source}": value
                    for source in ("theory", "impulse", "sequences")
                    for kind, value in (("magnitude", abs(h)), ("phase", np.angle(h)))
                }
                out["response"].append(
                    pd.DataFrame(
                        {
                            **place,
                            "stream": stream,
                            "omega": OMEGA,
                            "error_impulse": 1e-15,
                            "error_sequences": 1e-14,
                            **both,
                        }
                    )
                )
                pair, at = np.meshgrid(range(4), np.linspace(-np.pi, np.pi, 64, endpoint=False),
                                       indexing="ij")  # fmt: skip
                out["spectra"].append(
                    pd.DataFrame(
                        {
                            **place,
                            "stream": stream,
                            "pair": pair.ravel(),
                            "omega": at.ravel(),
                            "theta": 10.0 ** -pair.ravel(),
                            "power_before": 1.0,
                            "power_after": 2.0,
                        }
                    )
                )
                out["bands"].append(pd.DataFrame([
                    {**place, "stream": stream, "quantity": q, "value": v, "low": v - 0.01,
                     "high": v + 0.01}
                    for q, v in (("overlap", 0.69), ("overlap_flat", 0.7), ("low_content", 0.5),
                                 ("low_momentum", 0.2), ("low_filtered", 0.3))]))  # fmt: skip
        out["causal"].append(pd.DataFrame([
            {**run, "intervention": i, "accuracy": a, "chance": 0.06}
            for i, a in (("intact", 1.0), ("gamma_zero", 0.2), ("sign_flipped", 0.05),
                         ("half_gamma", 0.9), ("double_gamma", 1.0), ("norm_matched", 1.0),
                         ("gain_only", 0.2), ("queries_off", 1.0), ("keys_off", 0.2))]))  # fmt: skip
    return {name: pd.concat(rows, ignore_index=True) for name, rows in out.items()}


@pytest.fixture
def probed(tmp_path):
    folder = tmp_path / "probe"
    folder.mkdir()
    for name, frame in tables().items():
        frame.to_parquet(folder / f"{name}.parquet")
    return tmp_path / "table.parquet"


def at(path: Path) -> Table:
    runs = tables()["bands"][["run_id", "gamma"]].drop_duplicates()
    return Table(path, runs, "s", Primary(), len(runs))


def test_figures_are_drawn_where_the_probe_lies_beside_the_table(probed, tmp_path):
    result = made_up.result([made_up.arm("raw", {1: "right"}, line=False)])
    paths = of_sweep.write(
        of_sweep.of_table(at(probed), result), tmp_path / "figures", say=lambda line: None
    )
    names = {p.name for p in paths if p.name.startswith("forensics_") and p.suffix == ".png"}
    of_arms = {
        f"forensics_{kind}_{arm}.png"
        for kind in ("bode", "spectra", "bands")
        for arm in ("raw", "key_only", "learned")
    }
    assert names == of_arms | {f"forensics_{kind}.png" for kind in (
        "overlap", "prefix_matching", "copying", "causal")}  # fmt: skip
    elsewhere = of_sweep.of_table(at(Path("unused/table.parquet")), result)
    assert not any("forensics" in name for name in elsewhere)


def test_texts_stay_on_the_canvas_and_tick_labels_apart(probed):
    with style.styled():
        drawn = figures(of_table(probed))
    assert len(drawn) == 13
    for name, figure in drawn.items():
        with style.styled():
            style.settle(figure)
            figure.canvas.draw()
        box = figure.bbox.padded(2)
        texts = list(figure.texts) + [t for legend in figure.legends for t in legend.get_texts()]
        for axes in figure.axes:
            texts += [axes.title, axes.xaxis.label, axes.yaxis.label]
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                labels = [t.label1.get_window_extent() for t in axis.get_major_ticks()
                          if t.label1.get_visible() and t.label1.get_text()
                          and low <= t.get_loc() <= high]  # fmt: skip
                for one, other in itertools.combinations(labels, 2):
                    assert not one.overlaps(other), (name, axes.get_title())
        for text in texts:
            if text.get_visible() and text.get_text().strip():
                extent = text.get_window_extent()
                assert box.x0 <= extent.x0 and extent.x1 <= box.x1, (name, text.get_text())
                assert box.y0 <= extent.y0 and extent.y1 <= box.y1, (name, text.get_text())


def test_runs_without_a_filter_have_no_causal_checks():
    still = {n: f[(f["gamma"] == 0) & (f["arm"] == "raw")] for n, f in tables().items()}
    drawn = figures(still)
    assert "no probed run has a filter" in drawn["forensics_causal"]
    assert not isinstance(drawn["forensics_bode_raw"], str)


def test_a_table_of_another_kind_is_named(probed):
    frame = pd.read_parquet(probed.parent / "probe" / "heads.parquet")
    frame.drop(columns="copying").to_parquet(probed.parent / "probe" / "heads.parquet")
    with pytest.raises(InputError, match="heads.parquet: lacks copying"):
        of_table(probed)
    assert of_table(probed.parent / "nowhere" / "table.parquet") is None


def test_only_the_rows_that_a_loaded_table_holds(probed):
    wanted = sorted(tables()["heads"]["run_id"].unique())[:3]
    some = of_table(SimpleNamespace(path=probed, runs=pd.DataFrame({"run_id": wanted})))
    assert all(set(frame["run_id"]) == set(wanted) for frame in some.values())
    none = SimpleNamespace(path=probed, runs=pd.DataFrame({"run_id": ["other"]}))
    assert of_table(none) is None
