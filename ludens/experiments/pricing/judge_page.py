"""The page of a judge's run."""

from __future__ import annotations

from pathlib import Path

from ludens.experiments.pricing.tables import judged_table
from ludens.experiments.pricing.verdicts import JudgeResult
from ludens.experiments.report import provenance
from ludens.experiments.report.names import policy_name
from ludens.experiments.report.page import Page
from ludens.experiments.report.transcripts import Entry, Transcripts
from ludens.experiments.runs.records import DecisionRecord


def page(result: JudgeResult) -> Page:
    """Return what the report of a judge's run shows: its verdicts by kind, and each sentence."""
    config = result.manifest["config"]
    judges = dict.fromkeys(policy_name(record.policy) for record in result.decisions)
    return Page(
        title=" and ".join(judges) or "A judge of notes",
        lead="A language model read sentences of firms' notes, one at a time: what does each say the firm "
        "wants?",
        kind="judge of notes",
        warnings=provenance.unfinished(result.ended, result.planned, result.run_path),
        tables=[judged_table(result.judged, "Sentences by kind")],
        transcripts=Transcripts(result.decisions, _entry, caption="Every sentence with its verdict."),
        facts=provenance.facts(
            result.manifest,
            result.run_path,
            {"source": Path(config["source"]).name, "sentences": f"{result.planned} different ones"},
        ),
    )


def _entry(record: DecisionRecord) -> Entry:
    sentence, verdict = record.labels["sentence"], record.choice
    return Entry(
        title=sentence,
        labels={"verdict": verdict or "-", "status": record.decision.status},
        about=policy_name(record.policy),
    )
