"""The report as one HTML page without any request to elsewhere."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ludens.experiments.bench.tables import tables
from ludens.experiments.report.names import policy_name
from ludens.experiments.report.transcripts import transcripts

if TYPE_CHECKING:
    import jinja2
    from matplotlib.figure import Figure

    from ludens.experiments.bench.result import BenchResult


def page(result: BenchResult) -> str:
    """The page's text."""
    from markupsafe import Markup

    here = files("ludens.experiments.report")
    return template("ludens.experiments.report").render(
        title=", ".join(policy_name(model) for model in result.models),
        result=result,
        config=result.manifest["config"],
        facts=_facts(result),
        figures=[{**figure, "svg": Markup(figure["svg"])} for figure in _figures(result)],
        tables=tables(result),
        # These three are ours, or escaped for their place.
        style=Markup(here.joinpath("page.css").read_text(encoding="utf-8")),
        script=Markup(here.joinpath("page.js").read_text(encoding="utf-8")),
        transcripts=Markup(transcripts(result.decisions)),
    )


def template(package: str) -> jinja2.Template:
    """The ``page.html.j2`` of a package: whatever is filled in is escaped."""
    import jinja2

    here = files(package)
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: here.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")


def _facts(result: BenchResult) -> dict[str, str]:
    manifest = result.manifest
    config = manifest["config"]
    versions = manifest["versions"]
    facts = {
        "questions": f"{result.ended} of {result.planned} asked",
        "framings": ", ".join(config["framings"]),
        "elicitation": config["elicit"],
        "replicates": str(config["replicates"]),
        "persona": config["persona"] or "none",
        "beliefs": "asked for" if config["beliefs"] else "not asked for",
        "seed": str(manifest["seed"]),
        "started": str(manifest["started"]),
        "took": f"{manifest['seconds']:.0f} seconds",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "run": result.run_path.name,
    }
    if manifest.get("git"):
        facts["commit"] = manifest["git"]
    return facts


def _figures(result: BenchResult) -> list[dict[str, str]]:
    from ludens.experiments.bench import figures

    drawn: list[tuple[str, str, str, Figure | None]] = [
        (
            "cooperation",
            "How cooperative?",
            "Share of the prosocial option, in per cent, for every protocol and node; orders and "
            "framings averaged. Hatched: no usable answer in every order.",
            figures.heat_map(result),
        ),
        (
            "sensitivity",
            "Does it react to incentives?",
            "Cooperation against the temptation T − R. Points are protocols, lines join their means. "
            "Whoever weighs payoffs cooperates less where temptation is larger; a flat line does not "
            "look at it.",
            figures.sensitivity(result),
        ),
        (
            "agreement",
            "Whose choices are they?",
            "Probability put on what the oracle would choose under uniform beliefs, with 95 % "
            "intervals. Choosing at random agrees half of the time with everybody.",
            figures.agreement(result),
        ),
        (
            "preferences",
            "Which preferences do the choices reveal?",
            "Estimates with 95 % intervals: dislike of being behind (α) and ahead (β), weight on what would "
            "follow if everybody chose alike (κ), noise (λ). Where choices do not tell them, there is no "
            "number.",
            figures.preferences(result),
        ),
    ]
    return [
        inlined(name, title, caption, figure) for name, title, caption, figure in drawn if figure is not None
    ]


def inlined(name: str, title: str, caption: str, figure: Any) -> dict[str, str]:
    """A figure as the page takes it."""
    from ludens.experiments.report.svg import inline

    return {
        "name": name,
        "title": title,
        "caption": caption,
        "svg": inline(figure, name, f"{title} {caption}"),
    }
