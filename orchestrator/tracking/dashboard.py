"""A sweep's saved workspace and report in W&B, with its law, table and figures as artifacts.

Made once and then updated in place: the addresses stand in the store, under tracking/. The
analysis goes up as one W&B run of its own, so that the report can show its figures.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import UserError
from orchestrator.records.manifests import read_sweep
from orchestrator.records.sealed import seal
from orchestrator.records.store import Store, read_json, write_atomic
from orchestrator.settings import Tracking
from orchestrator.tracking.facets import Facets, facets
from orchestrator.tracking.sender import client_folder, client_settings, quiet_client
from orchestrator.tracking.server import base_url, require_reachable

FILES = ("laws.json", "table.parquet", "curves.parquet")


@dataclass(frozen=True)
class Analysis:
    """What `collect`, `fit` and `plot` left in results/SWEEP; any of it may be missing."""

    files: list[Path]
    figures: list[Path]
    laws: str | None

    @property
    def digest(self) -> str:
        """Changes with any file's content."""
        digest = hashlib.sha256()
        for path in [*self.files, *self.figures]:
            digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Dashboard:
    """Where it stands."""

    workspace: str
    report: str
    created: bool
    """False where an earlier one was updated."""
    uploaded: list[str]
    """Files that went up; [] where W&B had them."""


class _Kept:
    """The addresses of what was made, kept in the store as soon as it is made."""

    def __init__(self, store: Store, sweep: str, where: str) -> None:
        self.path, self.where = store.root / "tracking" / f"{sweep}.json", where
        self.state: dict[str, Any] = read_json(self.path) or {}

    @property
    def known(self) -> dict[str, str]:
        return self.state.get(self.where, {})

    def keep(self, name: str, value: str) -> None:
        self.state.setdefault(self.where, {})[name] = value
        self.path.parent.mkdir(exist_ok=True)
        write_atomic(self.path, seal(self.state))


def analysis_of(results: Path, sweep: str) -> Analysis:
    """The files of results/SWEEP that go into W&B."""
    folder = results / sweep
    files = [folder / name for name in FILES if (folder / name).is_file()]
    figures = sorted((folder / "figures").glob("*.png"))
    laws = folder / "laws.json"
    return Analysis(files, figures, laws.read_text() if laws.is_file() else None)


def specification(store: Store, sweep: str, tracking: Tracking, results: Path) -> dict[str, Any]:
    """Workspace and report as plain data; asks no server and needs no key. Raises: UserError."""
    pages = _pages()
    about, analysis = facets(store, read_sweep(store, sweep)), analysis_of(results, sweep)
    entity = tracking.entity or "ENTITY"
    blocks = pages.report_blocks(
        about, entity, tracking.project, None, _analysis_name(about), analysis.laws,
        _keys(analysis),
    )  # fmt: skip
    view = pages.workspace(about, entity, tracking.project)
    return {
        "workspace": {"name": view.name, "spec": pages.workspace_spec(view)},
        "report": {"title": _title(about), "blocks": pages.report_spec(blocks)},
    }


def dashboard(store: Store, sweep: str, tracking: Tracking, results: Path) -> Dashboard:
    """Make or update a sweep's workspace and report, and send its analysis.

    Raises: UserError where the server can't be used or refuses.
    """
    pages = _pages()
    about, analysis = facets(store, read_sweep(store, sweep)), analysis_of(results, sweep)
    url = base_url()
    require_reachable(url)
    quiet_client()
    import wandb

    try:
        entity = tracking.entity or wandb.Api(timeout=20).default_entity
        kept = _Kept(store, sweep, f"{url} {entity}/{tracking.project}")
        uploaded = []
        if kept.known.get("analysis") != analysis.digest:
            uploaded = _send_analysis(about, analysis, tracking, entity)
            kept.keep("analysis", analysis.digest)
        view, new = _workspace(pages, about, entity, tracking.project, kept.known.get("workspace"))
        kept.keep("workspace", view.url)
        blocks = pages.report_blocks(
            about, entity, tracking.project, view.url, _analysis_name(about), analysis.laws,
            _keys(analysis),
        )  # fmt: skip
        report = _report(about, entity, tracking.project, blocks, kept.known.get("report"))
        kept.keep("report", report.url)
    except (wandb.errors.Error, ValueError, OSError) as e:
        raise UserError(f"W&B: {(str(e).strip().splitlines() or [type(e).__name__])[0]}") from e
    return Dashboard(view.url, report.url, new, uploaded)


def _pages() -> Any:
    try:
        from orchestrator.tracking import pages
    except ModuleNotFoundError as e:
        if e.name is None or not e.name.startswith("wandb_workspaces"):
            raise
        raise UserError(
            "dashboard: wandb-workspaces is not installed; pip install 'momentum-lab[dashboard]'"
        ) from e
    return pages


def _workspace(
    pages: Any, about: Facets, entity: str, project: str, url: str | None
) -> tuple[Any, bool]:
    """The saved workspace, and whether it is a new one; one that the user deleted is made anew."""
    import wandb_workspaces.workspaces as ws

    view, new = pages.workspace(about, entity, project), True
    if url is not None:
        try:
            old = ws.Workspace.from_url(url)
        except (ValueError, LookupError):
            old = None
        if old is not None:
            old.name, old.sections = view.name, view.sections
            old.settings, old.runset_settings = view.settings, view.runset_settings
            view, new = old, False
    return view.save(), new


def _report(about: Facets, entity: str, project: str, blocks: list[Any], url: str | None) -> Any:
    import wandb_workspaces.reports.v2 as wr

    report = None
    if url is not None:
        try:
            report = wr.Report.from_url(url)
        except (ValueError, LookupError):
            report = None
    if report is None:
        report = wr.Report(project=project, entity=entity)
    report.title, report.blocks = _title(about), blocks
    report.description = f"{about.runs} runs, by the orchestrator"
    return report.save()


def _send_analysis(
    about: Facets, analysis: Analysis, tracking: Tracking, entity: str
) -> list[str]:  # fmt: skip
    """One W&B run that carries the figures, and the law and the table as artifacts."""
    import wandb

    if not analysis.files and not analysis.figures:
        return []
    name = _analysis_name(about)
    run_id = hashlib.sha256(name.encode()).hexdigest()[:16]
    with client_folder() as folder:
        run = wandb.init(
            id=run_id, name=name, group=about.sweep, job_type="analysis", entity=entity,
            project=tracking.project, dir=str(folder), resume="allow", reinit="create_new",
            settings=client_settings(tracking),
        )  # fmt: skip
        for path, key in zip(analysis.figures, _keys(analysis), strict=True):
            run.log({key: wandb.Image(str(path))}, commit=False)
        if analysis.figures:
            run.log({"files": len(analysis.files) + len(analysis.figures)}, commit=True)
        kinds = {"laws.json": "law", "table.parquet": "table", "curves.parquet": "curves"}
        for path in analysis.files:
            artifact = wandb.Artifact(f"{about.sweep}-{kinds[path.name]}", kinds[path.name])
            artifact.add_file(str(path), policy="immutable")
            run.log_artifact(artifact)
        run.finish()
    return [p.name for p in [*analysis.files, *analysis.figures]]


def _keys(analysis: Analysis) -> list[str]:
    return [f"figures/{path.stem}" for path in analysis.figures]


def _analysis_name(about: Facets) -> str:
    return f"analysis of {about.sweep}"


def _title(about: Facets) -> str:
    return f"Sweep {about.sweep}"[:128]
