"""A sweep's workspace and report as specifications: pure, no server is asked.

Scatter plots of W&B can't be grouped: the metric against γ stands in one panel an arm (each arm
has its own γ column, see `content`), coloured by depth; the report has a run set for each arm and
depth.
"""

from __future__ import annotations

import json
from typing import Any

import wandb_workspaces.expr as ex
import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

from orchestrator.tracking.facets import Facets

MOST_RUNSETS = 24
"""Run sets of one grid; beyond that they go by arm alone."""
_VIRIDIS = [("#440154", 0), ("#21918c", 50), ("#fde725", 100)]


def workspace(facets: Facets, entity: str, project: str) -> ws.Workspace:
    """The saved view of a sweep's runs."""
    return ws.Workspace(
        entity=entity, project=project, name=f"sweep {facets.sweep}",
        sections=sections(facets), settings=settings(facets), runset_settings=runset(facets),
        auto_generate_panels=False,
    )  # fmt: skip


def settings(facets: Facets) -> ws.WorkspaceSettings:
    return ws.WorkspaceSettings(x_axis="tokens", max_runs=min(max(facets.runs, 10), 500))


def runset(facets: Facets) -> ws.RunsetSettings:
    metric = facets.metric
    return ws.RunsetSettings(
        filters=[ex.Tags().isin([facets.tag])],
        order=[ex.Ordering(ex.Summary(metric), ascending=metric != "accuracy")],
        pinned_columns=[
            "config:arm", "config:depth", "config:gamma", "config:seed", f"summary:{metric}",
            "summary:status",
        ],
    )  # fmt: skip


def sections(facets: Facets) -> list[ws.Section]:
    """Curves, the metric against γ, depth × γ, failures, and the comparer."""
    curves = _curves("depth") + _curves("gamma") + [
        _curve("train_loss", log=True), _curve("grad_norm", log=True), _curve("lr"),
        wr.LinePlot(title="tokens per second", x="tokens", y=["tokens_per_second"]),
    ]  # fmt: skip
    if facets.learned:
        curves.append(wr.LinePlot(title="learned γ", x="tokens", metric_regex="^gamma"))
    return [
        ws.Section(name="Curves", is_open=True, panels=curves),
        ws.Section(
            name=f"{facets.metric} against γ", is_open=True,
            panels=[against_gamma(facets, arm) for arm in facets.arms],
        ),
        ws.Section(name="Depth × γ", is_open=True, panels=[heat_map(facets), _parallel(facets)]),
        ws.Section(
            name="Failures and divergences", is_open=True,
            panels=[
                wr.ScatterPlot(
                    title="diverged (1) against γ, coloured by depth", x=wr.Config("gamma"),
                    y=wr.SummaryMetric("diverged"), z=wr.Config("depth"), gradient=_gradient(),
                ),
                wr.ScatterPlot(
                    title="diverged (1) against learning rate", x=wr.Config("lr"), log_x=True,
                    y=wr.SummaryMetric("diverged"), z=wr.Config("depth"), gradient=_gradient(),
                ),
            ],
        ),
        ws.Section(
            name="Compare runs", is_open=True,
            panels=[
                wr.RunComparer(diff_only="split"),
                wr.ParameterImportancePlot(with_respect_to=facets.metric),
            ],
        ),
    ]  # fmt: skip


def report_blocks(
    facets: Facets, entity: str, project: str, workspace_url: str | None,
    analysis_id: str, laws: str | None, figures: list[str],
) -> list[Any]:  # fmt: skip
    """The blocks of a sweep's report: the law's figures, laws.json as text, the runs, the links.

    `figures`: media keys of the analysis run; `laws`: the text of laws.json, None before a fit.
    """
    own = {"entity": entity, "project": project}
    blocks: list[Any] = [wr.H1(f"Sweep {facets.sweep}")]
    if workspace_url:
        blocks.append(wr.P(["The runs: ", wr.Link(text="workspace", url=workspace_url)]))
    blocks.append(wr.H2("The law"))
    if figures:
        only = wr.Runset(name="analysis", filters=[ex.Metric("Name") == analysis_id], **own)
        blocks.append(
            wr.PanelGrid(
                runsets=[only],
                panels=[
                    wr.MediaBrowser(title=key.removeprefix("figures/"), media_keys=[key])
                    for key in figures
                ],
            )
        )
    if laws is None:
        blocks.append(wr.P("Not fitted yet: orchestrator collect, then analysis fit."))
    else:
        blocks.append(wr.CodeBlock(code=laws, language="json"))
    blocks += [
        wr.H2("The runs"),
        wr.PanelGrid(
            runsets=runsets(facets, entity, project),
            panels=[
                *[against_gamma(facets, arm) for arm in facets.arms], heat_map(facets),
                *_curves("depth"),
            ],
        ),
    ]  # fmt: skip
    return blocks


def runsets(facets: Facets, entity: str, project: str) -> list[wr.Runset]:
    """One run set for each arm and depth; for each arm where those would be too many."""
    own = {"entity": entity, "project": project}
    mine = ex.Tags().isin([facets.tag])
    pairs = [(arm, depth) for arm in facets.arms for depth in facets.depths]
    if len(pairs) > MOST_RUNSETS:
        return [
            wr.Runset(name=arm, filters=[mine, ex.Config("arm") == arm], **own)
            for arm in facets.arms
        ]
    return [
        wr.Runset(
            name=f"{arm}, depth {depth}",
            filters=[mine, ex.Config("arm") == arm, ex.Config("depth") == depth], **own,
        )
        for arm, depth in pairs
    ]  # fmt: skip


def against_gamma(facets: Facets, arm: str) -> wr.ScatterPlot:
    """The metric against γ for one arm, coloured by depth."""
    return wr.ScatterPlot(
        title=f"{arm}: {facets.metric} against γ, coloured by depth", x=wr.Config(f"gamma_{arm}"),
        y=wr.SummaryMetric(facets.metric), z=wr.Config("depth"), gradient=_gradient(),
        log_y=facets.metric != "accuracy",
    )  # fmt: skip


def heat_map(facets: Facets) -> wr.ScatterPlot:
    """Depth × γ, each run a point coloured by the metric."""
    return wr.ScatterPlot(
        title=f"depth × γ, coloured by {facets.metric}", x=wr.Config("gamma"),
        y=wr.Config("depth"), z=wr.SummaryMetric(facets.metric), gradient=_gradient(),
        log_z=facets.metric != "accuracy",
    )  # fmt: skip


def workspace_spec(view: ws.Workspace) -> dict[str, Any]:
    """The specification that would be saved."""
    return json.loads(view._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))


def report_spec(blocks: list[Any]) -> list[dict[str, Any]]:
    """The blocks as plain data. Only a server can tell W&B's own form of a run set."""
    out = []
    for block in blocks:
        if isinstance(block, wr.PanelGrid):
            sets = [{"name": r.name, "filters": r.filters} for r in block.runsets]
            out.append({"type": "panel-grid", "runsets": sets,
                        "panels": [_plain(p._to_model()) for p in block.panels]})  # fmt: skip
        else:
            out.append(_plain(block._to_model()))
    return out


def _plain(model: Any) -> dict[str, Any]:
    return json.loads(model.model_dump_json(by_alias=True, exclude_none=True))


def _curves(by: str) -> list[wr.LinePlot]:
    grouped = {
        "groupby": wr.Config(by), "groupby_aggfunc": "mean", "groupby_rangefunc": "minmax",
    }  # fmt: skip
    what = {"gamma": "γ"}.get(by, by)
    return [
        _curve("val_loss", f"loss by {what}", log=True, **grouped),
        _curve("accuracy", f"accuracy by {what}", **grouped),
    ]


def _curve(metric: str, title: str | None = None, log: bool = False, **more: Any) -> wr.LinePlot:
    return wr.LinePlot(
        title=title or metric, x="tokens", y=[metric], log_x=True, log_y=log,
        smoothing_factor=0.0, **more,
    )  # fmt: skip


def _parallel(facets: Facets) -> wr.ParallelCoordinatesPlot:
    column = wr.ParallelCoordinatesPlotColumn
    return wr.ParallelCoordinatesPlot(columns=[
        column(metric=wr.Config("depth")), column(metric=wr.Config("gamma")),
        column(metric=wr.Config("lr"), log=True), column(metric=wr.SummaryMetric(facets.metric)),
    ])  # fmt: skip


def _gradient() -> list[wr.GradientPoint]:
    return [wr.GradientPoint(color=color, offset=offset) for color, offset in _VIRIDIS]
