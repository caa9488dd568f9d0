"""Parameters and noise that depend on characteristics of subjects.

With covariates z_i of subject i, a weight θ_k becomes θ_k + Σ_m θ_km·z_im. The utility stays linear: the
attributes x_k·z_m stand beside x_k, and subjects with other covariates face other situations. θ_k is then the
weight of a subject whose covariates are all 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.data.columns import BlankCellError, Table, combined
from ludens.preferences.estimation.models.expected import model_of
from ludens.preferences.estimation.models.grouped_noise import GroupedNoiseModel
from ludens.preferences.estimation.models.linear import LinearModel, Model, Parameter

Floats = NDArray[np.float64]
_Entry = TypeVar("_Entry", bound=np.generic)

_MOST_GROUPS = 20  # beside the first


def read_covariates(table: Table, columns: Sequence[str], subjects: Sequence[str]) -> dict[str, Floats]:
    """Return each subject's covariates by column; a column of texts becomes an indicator for each of its
    texts but the first in order, named as in ``treatment=high``.

    Raises:
        UsageError: there is no such column, a cell is empty, or it differs between the rows of a subject.
    """
    codes, names = table.keys("subject")
    place = {name: number for number, name in enumerate(subjects)}
    rows = np.array([place[name] for name in names], dtype=np.intp)[codes]
    found: dict[str, Floats] = {}
    for column in columns:
        for name, values in _numeric(table, column).items():
            of_subject = np.zeros(len(subjects))
            of_subject[rows] = values
            apart = np.flatnonzero(of_subject[rows] != values)
            if len(apart):
                raise table.error(
                    int(apart[0]),
                    column,
                    "differs from another row of the same subject, and covariates belong to subjects: "
                    "correct it, or leave this column out",
                )
            found[name] = of_subject
    return found


def with_covariates(
    choices: Choices, model: Model, effects: Mapping[str, Sequence[str]]
) -> tuple[Choices, LinearModel]:
    """Return choices and a model in which weights depend on covariates of subjects.

    Args:
        choices: the data, read with these covariates.
        model: a linear model.
        effects: columns of covariates by the weight that depends on them, as in ``{"kappa": ["age"]}``.

    Raises:
        UsageError: the model is not linear or lacks a weight, a covariate was not read, or clusters cross
            subjects.
    """
    if not isinstance(model, LinearModel):
        raise UsageError(
            f"Covariates need a linear model, such as moralis or bfs; {model.name!r} is not one."
        )
    _check_whole(choices)
    weights = [weight.name for weight in model.weights]
    parameters: list[Parameter] = []
    factors: list[tuple[int, Floats]] = []
    for name, columns in effects.items():
        if name not in weights:
            raise UsageError(f"No weight {name!r} can depend on covariates, only {', '.join(weights)}.")
        weight = model.weights[weights.index(name)]
        for column in columns:
            read = _read_of(choices, column)
            if not read:
                raise UsageError(f"The choices were read without {column!r}: name it among the covariates.")
            for one in read:
                about = f"change of {weight.symbol} by {one}"
                parameters.append(Parameter(f"{name}:{one}", f"{weight.symbol}·{one}", about=about))
                factors.append((weights.index(name) + 1, choices.covariates[one]))
    if not parameters:
        raise UsageError("Name a covariate at least, as in {'kappa': ['age']}.")
    group, first = combined(*(values for _, values in factors))
    attributes = [
        np.concatenate(
            [
                choices.attributes,
                *(choices.attributes[..., [place]] * values[subject] for place, values in factors),
            ],
            axis=-1,
        )
        for subject in first
    ]
    names = tuple(parameter.name for parameter in parameters)
    wider = replace(model, weights=(*model.weights, *parameters), attributes=(*model.attributes, *names))
    return _by_group(choices, group, attributes), wider


def with_noise_groups(choices: Choices, model: Model, column: str) -> tuple[Choices, GroupedNoiseModel]:
    """Return choices and a model in which groups of subjects share preferences and differ in noise.

    Args:
        choices: the data, read with the column among its covariates.
        model: the model of preferences.
        column: the column that names each subject's group; the first group in order is the one to which the
            last parameter belongs.

    Raises:
        UsageError: the column was not read or holds fewer than two groups or more than 20, or clusters cross
            subjects.
    """
    _check_whole(choices)
    read = _read_of(choices, column)
    if not read:
        raise UsageError(
            f"The choices were read without {column!r}, or it holds one group: name a column of several "
            "groups among the covariates."
        )
    if read == [column]:
        values, codes = np.unique(choices.covariates[column], return_inverse=True)
        names = [f"{column}={value:g}" for value in values[1:]]
        group = codes.astype(np.intp)
    else:
        names = read
        shown = np.stack([choices.covariates[one] for one in read], axis=1)
        group = (shown @ np.arange(1, len(read) + 1)).astype(np.intp)
    if not 1 <= len(names) <= _MOST_GROUPS:
        raise UsageError(
            f"Noise by {column!r} needs from 2 to {_MOST_GROUPS + 1} groups of subjects; it holds "
            f"{len(names) + 1}."
        )
    indicators = np.concatenate([np.zeros((1, len(names))), np.eye(len(names))])
    shape = (*choices.attributes.shape[:2], len(names))
    attributes = [
        np.concatenate([choices.attributes, np.broadcast_to(row, shape)], axis=-1) for row in indicators
    ]
    grouped = GroupedNoiseModel(model_of(choices, model), tuple(names))
    return _by_group(choices, group, attributes), grouped


def _read_of(choices: Choices, column: str) -> list[str]:
    """Return the covariates that a column became: itself, or an indicator for each of its texts but one."""
    return [one for one in choices.covariates if one == column or one.startswith(f"{column}=")]


def _check_whole(choices: Choices) -> None:
    if choices.crossed:
        raise UsageError(
            f"Clusters by {choices.clustered_by} cross subjects, which covariates do not allow: cluster by "
            "whole subjects."
        )


def _by_group(choices: Choices, group: NDArray[np.intp], attributes: Sequence[Floats]) -> Choices:
    """Return the choices with situations of their own for every group of subjects, (subjects,)."""
    situations, events = len(choices.available), choices.events
    old = choices.counts.tocoo()
    rows, cells = old.coords
    shape = (len(choices.subjects), len(attributes) * situations * events)
    counts = sparse.coo_array((old.data, (rows, cells + group[rows] * situations * events)), shape=shape)
    return replace(
        choices,
        attributes=np.concatenate(attributes),
        available=np.concatenate([choices.available] * len(attributes)),
        members=_repeated(choices.members, len(attributes)),
        first=_repeated(choices.first, len(attributes)),
        measure=_repeated(choices.measure, len(attributes)),
        situations=choices.situations * len(attributes),
        counts=sparse.csr_array(counts),
    )


def _repeated(array: NDArray[_Entry] | None, times: int) -> NDArray[_Entry] | None:
    return None if array is None else np.concatenate([array] * times)


def _numeric(table: Table, column: str) -> dict[str, Floats]:
    try:
        return {column: table.numbers(column)}
    except BlankCellError:
        raise
    except UsageError:
        codes, texts = table.keys(column)  # says it itself where there is no such column
        order = sorted(range(len(texts)), key=texts.__getitem__)
        return {f"{column}={texts[code]}": (codes == code).astype(np.float64) for code in order[1:]}
