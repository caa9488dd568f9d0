"""The page of an implantation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ludens.experiments.pricing.effects import ImplantResult
from ludens.experiments.pricing.tables import effects_table
from ludens.experiments.report import provenance
from ludens.experiments.report.names import policy_name
from ludens.experiments.report.page import Page
from ludens.experiments.report.transcripts import Entry, Transcripts
from ludens.experiments.runs.records import DecisionRecord

NOTES = (
    "The experiment is that of Fish, Gonczarowski & Shorrer (2024); the sentences are ours, and so is the "
    "control with empty plans.",
)


def page(result: ImplantResult) -> Page:
    """Return what the report of an implantation shows: the effects, and every question."""
    config = result.manifest["config"]
    policies = dict.fromkeys(policy_name(record.policy) for record in result.decisions)
    first, last = config["periods"]
    groups = [each.sentence is None for each in result.effects]  # they stand out, above their sentences
    return Page(
        title=" and ".join(policies) or "Sentences in place of plans",
        lead="One sentence took the place of a model's plans, its insights were erased, and it was asked for "
        "the same period again: what does the sentence do to its price?",
        kind="implantation",
        warnings=provenance.unfinished(result.ended, result.planned, result.run_path),
        tables=[replace(effects_table(result.effects), tested=tuple(groups))],
        transcripts=Transcripts(result.decisions, _entry, caption="Every question that was asked again."),
        notes=NOTES,
        facts=provenance.facts(
            result.manifest,
            result.run_path,
            {
                "source": Path(config["source"]).name,
                "periods": f"{first} to {last}",
                "places": f"{config['places']} for each firm of each run",
                "replicates": str(config["replicates"]),
            },
        ),
    )


def _entry(record: DecisionRecord) -> Entry:
    labels, firm = record.labels, record.agent.replace("_", " ")
    return Entry(
        title=f"Run {labels['source']}, period {labels['period']}, {firm}",
        labels={
            "group": labels["group"],
            "run": labels["source"],
            "firm": firm,
            "status": record.decision.status,
        },
        brief=labels["sentence"] or "empty plans",
        about=labels["sentence"] or "empty plans",
        outcome="" if record.choice is None else f"price {record.choice}",
        taken="Price set",
    )
