"""Standard errors: those of statsmodels, of the bootstrap, and of repeated samples."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from ludens.errors import UsageError
from ludens.preferences.estimation import (
    BRUHIN_FEHR_SCHUNK,
    HOMO_MORALIS,
    LinearModel,
    Parameter,
    fit,
    fit_types,
    read_choices,
)
from ludens.preferences.estimation.fitting.errors import inverse
from tests.preferences.estimation.samples import (
    ALL,
    allocations,
    drawn,
    empty,
    filled,
    games,
    moral,
    probabilities,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what statsmodels imports warns on its own account
    from statsmodels.discrete.conditional_models import ConditionalLogit
    from statsmodels.discrete.discrete_model import Logit

SOCIAL = (0.1, 0.3, 0.1, -0.05, 0.01)


def in_theta(covariance, phi):
    """A covariance of φ in (θ, σ), by differences of the definition θ_k = φ_k/φ_0."""

    def reported(point):
        return np.array([*point[1:] / point[0], point[0]])

    step = 1e-7 * np.maximum(np.abs(phi), 1e-4)
    table = np.stack(
        [
            (reported(phi + one) - reported(phi - one)) / (2 * size)
            for one, size in zip(np.diag(step), step, strict=True)
        ],
        axis=1,
    )
    return table @ covariance @ table.T


@pytest.fixture(scope="module")
def correlated():
    """Subjects who differ: clustered errors are then larger than the Hessian's."""
    rng = np.random.default_rng(2)
    design = allocations(SOCIAL)
    one = [
        drawn(design, BRUHIN_FEHR_SCHUNK, SOCIAL + rng.normal(0, 1, 5) * [0.3, 0.3, 0.3, 0.3, 0], 1, seed)
        for seed in range(60)
    ]
    return filled(design, np.concatenate([each.counts.toarray() for each in one]))


def test_a_logit_of_statsmodels_has_the_same_estimates_and_errors(correlated):
    subject, column = np.nonzero(correlated.counts.toarray())
    situation, chosen = column // 2, column % 2
    gaps = correlated.attributes[situation, 0] - correlated.attributes[situation, 1]
    model = Logit(1.0 - chosen, gaps / 100)
    plain = model.fit(disp=0, tol=1e-10, method="newton")
    clustered = model.fit(
        disp=0,
        tol=1e-10,
        method="newton",
        cov_type="cluster",
        cov_kwds={"groups": subject, "use_correction": False},
    )
    found = fit(correlated, "bfs")
    assert found.log_likelihood == pytest.approx(plain.llf, abs=1e-8)
    phi = np.asarray(plain.params) / 100
    np.testing.assert_allclose(found.optimum, phi, rtol=1e-6, atol=1e-10)
    for kind, theirs, factor in (("hessian", plain, 1.0), ("cluster", clustered, 60 / 59)):
        wanted = in_theta(np.asarray(theirs.cov_params()) / 100**2, phi) * factor
        np.testing.assert_allclose(found.covariances[kind], wanted, rtol=1e-4, atol=1e-12)
    assert np.all(found.standard_errors()[:2] > 1.2 * found.standard_errors("hessian")[:2])


def test_a_conditional_logit_of_statsmodels_has_the_same_estimates_and_errors():
    choices = moral(ALL[6:12], (0.1, 0.2, 0.3, 8), 40, 1)
    choices = filled(choices, choices.counts.toarray())
    subject, column = np.nonzero(choices.counts.toarray())
    situation, chosen = column // 8, column % 8
    rows = choices.attributes[situation, :4].reshape(-1, 4)
    answer = (np.arange(4) == chosen[:, None]).reshape(-1).astype(float)
    theirs = ConditionalLogit(answer, rows, groups=np.repeat(np.arange(len(subject)), 4)).fit(
        disp=0, method="bfgs", gtol=1e-8
    )
    found = fit(choices)
    assert found.log_likelihood == pytest.approx(theirs.llf, abs=1e-6)
    np.testing.assert_allclose(found.optimum, theirs.params, rtol=1e-3, atol=1e-5)


def test_clusters_of_several_subjects_are_summed(correlated):
    pairs = filled(correlated, correlated.counts.toarray(), clusters=np.arange(60) // 2)
    merged = filled(correlated, correlated.counts.toarray().reshape(30, 2, -1).sum(axis=1))
    one, other = fit(pairs, "bfs"), fit(merged, "bfs")
    assert (one.clusters, one.subjects) == (30, 60)
    np.testing.assert_allclose(one.covariances["cluster"], other.covariances["cluster"], rtol=1e-9)


def test_the_bootstrap_is_near_the_sandwich_and_the_same_for_a_seed(correlated):
    one, same, other = (fit(correlated, "bfs", draws=400, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.draws, same.draws)
    assert not np.array_equal(one.draws, other.draws)
    np.testing.assert_allclose(one.standard_errors("bootstrap"), one.standard_errors("cluster"), rtol=0.3)
    assert one.draws.shape == (400, 5)
    low, high = one.intervals(kind="bootstrap").T
    assert np.all((low < one.values) & (one.values < high))


def test_bootstrap_draws_are_fits_of_resampled_clusters(correlated):
    found = fit(correlated, "bfs", draws=3, seed=5)
    rng = np.random.default_rng(np.random.SeedSequence(5).spawn(2)[1])
    weights = rng.multinomial(60, np.full(60, 1 / 60), size=3)
    for draw, weight in zip(found.draws, weights, strict=True):
        again = fit(filled(correlated, correlated.counts.toarray() * weight[:, None]), "bfs")
        np.testing.assert_allclose(draw, again.values, rtol=1e-6, atol=1e-9)


def test_errors_are_the_spread_of_repeated_samples():
    design = games(ALL)
    fits = [fit(drawn(design, HOMO_MORALIS, (0.1, 0.2, 0.3, 8), 100, seed)) for seed in range(60)]
    spread = np.std([one.values for one in fits], axis=0, ddof=1)
    for kind in ("hessian", "cluster"):
        mean = np.mean([one.standard_errors(kind) for one in fits], axis=0)
        np.testing.assert_allclose(mean, spread, rtol=0.35)  # 60 samples know a spread to about 9 %


def test_intervals_of_five_clusters_cover():
    """With G/(G−1) and t of four degrees of freedom; normal ones of the same errors are too short."""
    design, truth, covered, normal = games(ALL), np.array([0.1, 0.2, 0.3, 8.0]), [], []
    for seed in range(100):
        sample = drawn(design, HOMO_MORALIS, truth, 20, seed)
        found = fit(filled(design, sample.counts.toarray(), np.repeat(np.arange(5), 4)), fix={"alpha": 0.1})
        low, high = found.intervals().T
        covered.append((low <= truth) & (truth <= high))
        normal.append(np.abs(found.values - truth) < 1.96 * found.standard_errors())
    shares, shorter = np.mean(covered, axis=0)[1:], np.mean(normal, axis=0)[1:]
    assert np.all(shares > 0.95 - 3 * 0.022)  # 100 samples know a share of .95 to .022
    assert np.all(shorter < shares)


def test_fractional_choices_have_the_errors_of_one_answer_and_those_over_clusters():
    shares = probabilities(games(ALL), HOMO_MORALIS, (0.1, 0.2, 0.3, 8))
    rows = np.zeros((18, *shares.shape))
    rows[np.arange(18), np.arange(18)] = shares  # a cluster is a protocol
    exact = fit(filled(games(ALL), rows))
    np.testing.assert_allclose(exact.values, [0.1, 0.2, 0.3, 8], atol=1e-6)
    many = fit(moral(ALL, (0.1, 0.2, 0.3, 8), 2000, 3))
    np.testing.assert_allclose(
        exact.standard_errors("hessian"), many.standard_errors("hessian") * np.sqrt(2000), rtol=0.1
    )
    np.testing.assert_allclose(exact.standard_errors("cluster"), 0, atol=1e-6)
    assert [note.kind for note in exact.warnings] == ["few_clusters"]


def test_what_is_fixed_has_no_error_and_lends_none(correlated):
    found = fit(correlated, "bfs", fix={"gamma": 0, "delta": 0}, draws=20)
    for kind in ("hessian", "cluster", "bootstrap"):
        errors = found.standard_errors(kind)
        assert np.isnan(errors[2:4]).all()
        assert np.isfinite(errors[[0, 1, 4]]).all()
    free = fit(correlated, "bfs")
    assert np.all(found.standard_errors("hessian")[:2] < free.standard_errors("hessian")[:2])


def test_the_inverse_leaves_out_what_is_flat():
    known = np.array([[4.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 2.0]])  # rank 2
    found = inverse(known, np.ones(3))
    np.testing.assert_allclose(found, np.linalg.pinv(known), atol=1e-12)
    full = known + np.eye(3)
    np.testing.assert_allclose(inverse(full, np.array([1.0, 10.0, 0.1])), np.linalg.inv(full), rtol=1e-9)


def test_clusters_may_cross_subjects_one_way_and_two():
    """The numbers of Cameron, Gelbach & Miller's formula, from statsmodels for each way."""
    rng = np.random.default_rng(3)
    rows = 900
    own, other = rng.integers(20, 100, (2, rows, 2)) * 10.0
    subject, session = rng.integers(0, 45, rows), rng.integers(0, 12, rows)
    worth = np.array([0.004, 0.01])[:, None]
    lean = rng.normal(0, 0.5, 45)[subject] + rng.normal(0, 0.5, 12)[session]
    x = np.stack([own[:, 0] - own[:, 1], other[:, 0] - other[:, 1]])
    taken = (rng.random(rows) < 1 / (1 + np.exp(-(worth * x).sum(axis=0) - lean))).astype(int)
    model = LinearModel(
        "plain", "plain", "", (Parameter("weight", "w"),), ("own", "other"), scale="precision"
    )
    table = {"self_x": own[:, 0], "other_x": other[:, 0], "self_y": own[:, 1], "other_y": other[:, 1]}
    table |= {"subject": subject, "session": session, "choice_x": taken}
    peer = Logit(taken, x.T)
    parts = [
        peer.fit(disp=0, cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False})
        for groups in (subject, session, subject * 12 + session)
    ]
    wide = [part.cov_params() for part in parts]
    counts = [len(np.unique(groups)) for groups in (subject, session, subject * 12 + session)]
    wide = [one * n / (n - 1) for one, n in zip(wide, counts, strict=True)]
    phi = parts[0].params
    one = fit(read_choices(table, model, cluster="session"), model)
    assert (one.clusters, one.subjects, one.clustered_by) == (12, 45, "session")
    np.testing.assert_allclose(one.covariance(), in_theta(wide[1], phi), rtol=1e-4)
    two = fit(read_choices(table, model, cluster="subject", cluster_2="session"), model)
    assert (two.clusters, two.clustered_by) == (12, "subject and session")
    np.testing.assert_allclose(two.covariance(), in_theta(wide[0] + wide[1] - wide[2], phi), rtol=1e-4)
    with pytest.raises(UsageError, match="cross subjects"):
        fit(read_choices(table, model, cluster="session"), model, draws=5)
    with pytest.raises(UsageError, match="whole subjects"):
        fit_types(read_choices(table, model, cluster="session"), model, 2)
    # Clusters of two ways, of which one holds the other, are the larger ones alone.
    nested = {**table, "session": subject // 9}
    both = fit(read_choices(nested, model, cluster="session", cluster_2="subject"), model)
    lone = fit(read_choices(nested, model, cluster="session"), model)
    ratio = both.standard_errors() / lone.standard_errors()
    np.testing.assert_allclose(ratio, 1, rtol=1e-6)


def _reduced_by_hand(design, outcome, cluster, beta, contrasts):
    """CR2 of a logit, and Satterthwaite's degrees of freedom of contrasts, by whole matrices of residuals
    after Pustejovsky & Tipton (2018): A_g = W_g^(1/2) ((I − H)_gg)^(−1/2) W_g^(−1/2) for weights p(1 − p).
    """
    chance = 1 / (1 + np.exp(-design @ beta))
    root = np.sqrt(chance * (1 - chance))
    weighted = design * root[:, None]
    bread = np.linalg.inv(weighted.T @ weighted)
    residual = np.eye(len(design)) - weighted @ bread @ weighted.T
    standardised = (outcome - chance) / root
    middle, vectors = np.zeros_like(bread), []
    for one in np.unique(cluster):
        rows = np.flatnonzero(cluster == one)
        curvature, axes = np.linalg.eigh(residual[np.ix_(rows, rows)])
        adjusted = axes / np.sqrt(curvature) @ axes.T
        score = weighted[rows].T @ adjusted @ standardised[rows]
        middle += np.outer(score, score)
        vectors.append(residual[:, rows] @ adjusted @ weighted[rows] @ bread)
    freedoms = []
    for contrast in contrasts:
        table = np.stack([each @ contrast for each in vectors], axis=1)
        freedoms.append((table**2).sum() ** 2 / ((table.T @ table) ** 2).sum())
    return bread @ middle @ bread, np.array(freedoms)


def test_bias_reduced_errors_are_those_of_whole_matrices_of_residuals():
    rng = np.random.default_rng(5)
    clusters, weights = 7, np.array([0.8, -0.4, 0.3])
    sizes = rng.integers(3, 30, clusters)  # very unequal, so that degrees of freedom are far below 6
    cluster = np.repeat(np.arange(clusters), sizes)
    design = rng.normal(size=(len(cluster), 3)) + rng.normal(size=(clusters, 3))[cluster]
    outcome = (rng.random(len(cluster)) < 1 / (1 + np.exp(-design @ weights))).astype(float)
    model = LinearModel(
        "three", "three", "", (Parameter("a", "a"), Parameter("b", "b")), ("x", "y", "z"), "precision"
    )
    attributes = np.stack([design, np.zeros_like(design)], axis=1)
    counts = np.zeros((len(cluster), len(cluster) * 2))
    counts[np.arange(len(cluster)), np.where(outcome > 0, 0, 1) + 2 * np.arange(len(cluster))] = 1
    found = fit(filled(empty(attributes), counts, cluster), model)
    phi = found.optimum
    scale = phi[0]
    contrasts = np.array([[-phi[1] / scale**2, 1 / scale, 0], [-phi[2] / scale**2, 0, 1 / scale], [1, 0, 0]])
    covariance, freedoms = _reduced_by_hand(design, outcome, cluster, phi, contrasts)
    assert found.covariance("cr2") == pytest.approx(in_theta(covariance, phi), rel=1e-4)
    assert found.freedoms == pytest.approx(freedoms, rel=1e-6)
    assert found.freedom("cr2") < 6
    low, high = found.intervals(kind="cr2")[2]
    wide = found.intervals(kind="cluster")[2]
    assert high - low > wide[1] - wide[0]


def test_bias_reduced_errors_of_equal_clusters_have_one_degree_less_than_clusters():
    """The known case: with G equal clusters and one parameter, CR2 is G/(G − 1)·Σ s² and ν is G − 1."""
    rng = np.random.default_rng(1)
    attributes = np.stack([np.ones((4, 1)), np.zeros((4, 1))], axis=1) * rng.uniform(0.5, 2, (4, 1, 1))
    counts = np.zeros((6, 8))
    for row in counts:
        row[2 * np.arange(4) + (rng.random(4) < 0.3)] = 1
    model = LinearModel("one", "one", "", (), ("x",), "precision")
    found = fit(filled(empty(attributes), counts), model)
    assert found.covariance("cr2") == pytest.approx(found.covariance("cluster"), rel=1e-6)
    assert found.freedom("cr2", "precision") == pytest.approx(5)
