"""Every warning is tripped by data made for it, with NaN for what it concerns, and by no healthy data."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.preferences.estimation import BRUHIN_FEHR_SCHUNK, FEHR_SCHMIDT, HOMO_MORALIS, fit, fit_individuals
from ludens.preferences.estimation.identification.noise_model import noise_model_directions
from tests.preferences.estimation.samples import (
    ALL,
    FAMILIES,
    allocations,
    drawn,
    empty,
    filled,
    games,
    moral,
    probabilities,
)

NAMES = HOMO_MORALIS.names


def told(found):
    """Kinds and parameters of a fit's warnings."""
    return [(note.kind, note.parameters) for note in found.warnings]


def check_silence(found):
    """What warnings name is NaN in estimates and errors, and nothing else is."""
    silent = {name for note in found.warnings for name in note.parameters}
    for place, name in enumerate(found.names):
        assert np.isnan(found.values[place]) == (name in silent)
        for table in found.covariances.values():
            assert np.isnan(table[place]).all() == np.isnan(table[:, place]).all()
        assert np.isnan(found.standard_errors("hessian")[place]) == (name in silent or name in found.fixed)
    assert np.isfinite(found.optimum).all()
    for note in found.warnings:
        assert note.message.endswith(".")
        assert "\n" not in note.message


@pytest.mark.parametrize("nodes", [False, True])
@pytest.mark.parametrize("subjects", [100, 100_000])
@pytest.mark.parametrize("kappa", [0.0, 0.5])
def test_kappa_is_not_read_off_ultimatum_games(nodes, subjects, kappa):
    """However many answers: only how rarely "unequal, reject" is played tells κ from the noise."""
    design = games(FAMILIES["UG"], nodes=nodes)
    shares = probabilities(design, HOMO_MORALIS, (0.1, 0.1, kappa, 8))
    rng = np.random.default_rng(0)
    counts = rng.multinomial(subjects // 50, shares / shares.sum(-1, keepdims=True), size=(50, len(shares)))
    found = fit(filled(design, counts))
    assert told(found) == [("weak", NAMES)]
    assert np.isnan(found.values).all()
    assert "fix={'kappa': 0}" in found.warnings[0].message
    assert "kappa" in found.warnings[0].message
    check_silence(found)
    # As the message says: with κ held the others are estimated.
    held = fit(filled(design, counts), fix={"kappa": kappa})
    assert held.warnings == ()
    truth = np.array([0.1, 0.1, kappa, 8])
    free = [0, 1, 3]
    assert np.all(np.abs(held.values - truth)[free] < 4 * held.standard_errors("hessian")[free])


@pytest.mark.parametrize("family", ["SPD", "TG"])
@pytest.mark.parametrize("kappa", [0.0, 0.2])
def test_kappa_is_told_by_dilemmas_and_trust_games_alone(family, kappa):
    sampled = fit(moral(FAMILIES[family], (0.1, 0.2, kappa, 8), 100, 2))
    assert sampled.warnings == ()
    check_silence(sampled)


@pytest.mark.parametrize("nodes", [False, True])
def test_all_games_together_trip_nothing(nodes):
    for seed, theta in enumerate([(0, 0, 0, 8), (0, 0, 0.5, 8), (0.3, 0.2, 0.2, 8), (0.1, 0.4, 0.7, 8)]):
        assert fit(moral(ALL, theta, 100, seed, nodes=nodes)).warnings == ()


def test_leaning_is_a_matter_of_the_design():
    def weights(names, keep=slice(None)):
        design = games(names)
        return sorted(noise_model_directions(design.attributes[..., keep], design.available, 0))

    assert 3 in weights(FAMILIES["UG"])
    assert weights(FAMILIES["UG"], slice(0, 3)) == []  # without κ nothing leans
    for names in (FAMILIES["SPD"], FAMILIES["TG"], ALL, [*FAMILIES["UG"], "TG1"], ["SPD1", "SPD2"]):
        assert weights(names) == []
    rng = np.random.default_rng(0)
    # A weight that only one of three options carries is told from the noise by the others: it does not lean.
    own = rng.uniform(0, 100, (20, 3))
    behind = np.zeros((20, 3))
    behind[:, 2] = rng.uniform(0, 50, 20)
    table = np.stack([own, -behind], axis=-1)
    assert noise_model_directions(table, np.ones((20, 3), dtype=bool), 0) == {}
    # Two options are a comparison of one with the other, and not a matter of dropping one.
    assert noise_model_directions(table[:, 1:], np.ones((20, 2), dtype=bool), 0) == {}


def test_leaning_looks_at_many_situations_too():
    """Beliefs of one's own make every subject's situations different; the universalised payoff stays."""
    design = games(FAMILIES["UG"])
    rng = np.random.default_rng(0)
    attributes = np.concatenate([design.attributes] * 60)
    own = attributes[..., 0] + rng.normal(0, 3, attributes.shape[:2]) * (np.arange(8) < 4)
    attributes[..., 3] += attributes[..., 0] - own
    attributes[..., 0] = own
    available = np.concatenate([design.available] * 60)
    assert list(noise_model_directions(attributes, available, 0)) == [3]
    attributes[..., 3] += rng.normal(0, 3, attributes.shape[:2]) * (np.arange(8) < 4)
    assert noise_model_directions(attributes, available, 0) == {}


def test_a_range_of_which_nothing_is_rejected_is_weak():
    found = fit(moral(FAMILIES["TG"], (0, 0, 0.5, 8), 30, 1))
    assert told(found)[0] == ("weak", ("beta", "kappa", "noise"))
    assert "no value of kappa from 0 to 1" in found.warnings[0].message
    check_silence(found)
    # What the profile says, by two fits: neither end is rejected, and these move with κ.
    low, high = (fit(moral(FAMILIES["TG"], (0, 0, 0.5, 8), 30, 1), fix={"kappa": end}) for end in (0, 1))
    assert found.log_likelihood - min(low.log_likelihood, high.log_likelihood) < 1.92
    assert abs(low.values[1] - high.values[1]) > 1.96 * low.standard_errors("hessian")[1]
    # With more games κ is told.
    check_silence(fit(moral(ALL, (0, 0, 0.5, 8), 30, 1)))
    assert fit(moral(ALL, (0, 0, 0.5, 8), 30, 1)).warnings == ()


def test_weights_are_ratios_and_need_a_precision_that_is_not_0():
    found = fit(moral(FAMILIES["TG"], (0, 0, 0.5, 8), 30, 0))
    assert told(found) == [("weak", NAMES)]
    assert "does not differ significantly from 0" in found.warnings[0].message
    check_silence(found)
    assert fit(moral(FAMILIES["TG"], (0, 0, 0.5, 8), 30, 0), fix={"kappa": 0.5}).warnings == ()


def test_attributes_that_never_differ_are_flat():
    choices = allocations((0.1, 0.3, 0.0, 0.0, 0.01))
    attributes = choices.attributes.copy()
    attributes[..., 3] = 0
    found = fit(filled(empty(attributes), choices.counts.toarray()), "bfs")
    assert told(found) == [("flat", ("gamma",))]
    check_silence(found)
    without = fit(filled(empty(attributes), choices.counts.toarray()), "bfs", fix={"gamma": 0})
    np.testing.assert_allclose(found.values[[0, 1, 3, 4]], without.values[[0, 1, 3, 4]], rtol=1e-6)
    np.testing.assert_allclose(
        found.standard_errors()[[0, 1, 3, 4]], without.standard_errors()[[0, 1, 3, 4]], rtol=1e-6
    )


def test_attributes_that_move_together_are_flat_together():
    choices = allocations((0.1, 0.3, 0.0, 0.0, 0.01))
    attributes = choices.attributes.copy()
    attributes[..., 4] = 2 * attributes[..., 3]
    found = fit(filled(empty(attributes), choices.counts.toarray()), "bfs")
    assert told(found) == [("flat", ("gamma", "delta"))]
    check_silence(found)
    attributes[..., 4] = choices.attributes[..., 4]
    attributes[..., 1] = 0.5 * attributes[..., 0]  # α is confounded with the precision, hence with everything
    found = fit(filled(empty(attributes), choices.counts.toarray()), "bfs")
    assert told(found) == [("flat", BRUHIN_FEHR_SCHUNK.names)]


def test_one_game_alone_is_flat():
    found = fit(moral(["TG1"], (0.1, 0.2, 0.3, 8), 200, 0))
    assert ("flat", NAMES) in told(found)
    assert np.isnan(found.values).all()


def test_choices_at_random_leave_the_precision_at_its_bound():
    rng = np.random.default_rng(1)
    tripped = 0
    for _ in range(40):
        counts = rng.multinomial(1, [0.5, 0.5], size=(40, 40))
        found = fit(filled(allocations((0, 0, 0, 0, 0.01)), counts), "bfs")
        tripped += told(found) == [("bound", BRUHIN_FEHR_SCHUNK.names)]
        check_silence(found)
    assert tripped >= 34  # a 5 % test; fewer than 34 of 40 has a chance of 1 in 1,000
    exact = fit(filled(games(ALL), np.repeat(games(ALL).available[None] / 8.0, 30, axis=0)))
    assert told(exact) == [("bound", NAMES)]
    assert "do not react" in exact.warnings[0].message


def test_choices_against_the_own_payoff_leave_the_precision_at_its_bound():
    rng = np.random.default_rng(0)
    attributes = np.stack(
        [rng.uniform(0, 100, (40, 2)), -rng.uniform(0, 50, (40, 2)), -rng.uniform(0, 50, (40, 2))], -1
    )
    phi = np.array([-0.05, 0.03, 0.02])
    shares = np.exp(attributes @ phi)
    counts = rng.multinomial(1, shares / shares.sum(-1, keepdims=True), size=(50, 40))
    found = fit(filled(empty(attributes), counts), FEHR_SCHMIDT)
    assert told(found) == [("bound", FEHR_SCHMIDT.names)]
    assert "bound 0" in found.warnings[0].message
    check_silence(found)


def test_perfectly_predicted_choices_are_separated():
    design = games(ALL)
    level = design.attributes @ HOMO_MORALIS.to_free(np.array([0.11, 0.23, 0.37, 1]))
    best = np.where(design.available, level, -np.inf).argmax(axis=-1)
    counts = np.zeros((30, 18, 8))
    counts[:, np.arange(18), best] = 1
    found = fit(filled(design, counts))
    assert told(found) == [("separation", NAMES)]
    check_silence(found)
    seen = np.stack([best == number for number in range(8)], axis=-1)
    nodes = games(ALL, nodes=True)
    moves = np.zeros((30, *nodes.members.shape[:2]))
    place = 0
    for row, name in enumerate(ALL):
        for _ in range(3 if name.startswith("SPD") else 2):
            moves[:, place] = (nodes.members[place] & seen[row]).any(axis=-1)
            place += 1
    found = fit(filled(nodes, moves))
    assert told(found) == [("separation", NAMES)]
    # One answer otherwise, and the noise has a maximum again.
    counts[0, 0] = np.roll(counts[0, 0], 1) * design.available[0]
    counts[1, 9] = design.available[9] * (np.arange(8) == (best[9] + 1) % 4)
    counts[2, 14] = design.available[14] * (np.arange(8) == (best[14] + 1) % 4)
    counts[3, 3] = np.arange(8) == (best[3] + 3) % 8
    assert "separation" not in [note.kind for note in fit(filled(design, counts)).warnings]


def test_one_weight_alone_can_be_separated():
    """Whenever the last attribute differs, the option with more of it is taken: its weight is infinite."""
    rng = np.random.default_rng(0)
    attributes = np.stack(
        [rng.uniform(0, 100, (60, 2)), -rng.uniform(0, 50, (60, 2)), np.zeros((60, 2))], axis=-1
    )
    attributes[:20, 0, 2] = 10
    shares = np.exp(attributes[..., :2] @ np.array([0.05, 0.02]))
    counts = rng.multinomial(1, shares / shares.sum(-1, keepdims=True), size=(40, 60))
    counts[:, :20] = [1, 0]
    found = fit(filled(empty(attributes), counts), FEHR_SCHMIDT)
    assert told(found) == [("separation", ("beta",))]
    check_silence(found)
    rest = filled(empty(attributes[20:]), counts[:, 20:])
    np.testing.assert_allclose(
        found.values[[0, 2]], fit(rest, FEHR_SCHMIDT, fix={"beta": 0}).values[[0, 2]], rtol=1e-3
    )


def test_little_noise_is_not_yet_separation():
    found = fit(moral(ALL, (0.1, 0.2, 0.3, 0.5), 100, 0))
    assert found.warnings == ()
    np.testing.assert_allclose(found.values, [0.1, 0.2, 0.3, 0.5], atol=0.2)


def test_few_clusters_are_said_and_fewer_have_no_errors():
    choices = moral(ALL, (0.1, 0.2, 0.3, 8), 100, 0)
    some = fit(filled(choices, choices.counts.toarray(), clusters=np.arange(100) % 10))
    assert told(some) == [("few_clusters", ())]
    assert np.isfinite(some.standard_errors("cluster")).all()
    four = fit(filled(choices, choices.counts.toarray(), clusters=np.arange(100) % 4))
    assert told(four) == [("few_clusters", ())]
    assert np.isnan(four.standard_errors("cluster")).all()
    assert np.isfinite(four.standard_errors("hessian")).all()
    assert np.isfinite(four.values).all()


def test_lost_bootstrap_draws_are_said():
    """With two subjects who reacted to γ and many who did not face it, draws without them are flat."""
    choices = allocations((0.1, 0.3, 0.3, -0.1, 0.01), subjects=12)
    counts = choices.counts.toarray().reshape(12, 40, 2)
    kind = (choices.attributes[..., 3] != 0).any(axis=-1)
    counts[2:, kind] = 0
    counts[:2] *= 20
    found = fit(filled(choices, counts), "bfs", draws=100)
    lost = 100 - len(found.draws)
    assert 5 <= lost <= 40  # (10/12)^12 is 11 %
    assert f"{lost} of 100 bootstrap draws" in found.warnings[-1].message
    assert np.isnan(found.standard_errors("bootstrap")).all() == (lost > 10)


def test_a_maximisation_that_ends_early_is_reported(monkeypatch):
    from ludens.preferences.estimation.fitting import maximise

    choices = moral(ALL, (0.1, 0.2, 0.3, 8), 100, 0)
    original = maximise.optimize.minimize

    def hasty(*arguments, **options):
        options["options"] = {"maxiter": 1}
        return original(*arguments, **options)

    monkeypatch.setattr(maximise.optimize, "minimize", hasty)
    found = fit(choices)
    assert not found.converged
    assert told(found) == [("unconverged", NAMES)]
    check_silence(found)


def test_subjects_are_judged_one_by_one():
    choices = allocations((0.1, 0.3, 0.1, -0.05, 0.01), subjects=6, situations=120)
    counts = choices.counts.toarray().reshape(6, 120, 2)
    own = choices.attributes[..., 0]
    counts[1] = own == own.max(axis=-1, keepdims=True)  # selfish without noise
    counts[1, counts[1].sum(-1) == 2] = [1, 0]
    counts[2] = np.random.default_rng(3).multinomial(1, [0.5, 0.5], size=120)
    together = fit_individuals(filled(choices, counts), "bfs")
    assert told(together.fits[0]) == []
    assert [note.kind for note in together.fits[1].warnings] == ["separation"]
    assert [note.kind for note in together.fits[2].warnings] == ["bound"]
    assert together.warned() == {"separation": 1, "bound": 1}
    assert np.isnan(together.values[1:3]).all()
    for one in together.fits:
        check_silence(one)


def test_a_drawn_sample_of_a_healthy_design_seldom_warns():
    warned = sum(
        bool(fit(drawn(games(ALL), HOMO_MORALIS, (0.1, 0.2, 0.3, 8), 60, seed)).warnings)
        for seed in range(20)
    )
    assert warned == 0
