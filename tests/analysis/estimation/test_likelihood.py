"""The four-region likelihood: closed form against pyhf and against the plain formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from analysis.abcd import Regions
from analysis.estimation.discovery import fitted_significance, simple_significance
from analysis.estimation.inference import Toys, discovery
from analysis.estimation.likelihood import fit_regions
from analysis.estimation.model import abcd_model, fit_sample
from darktrigger.errors import AnalysisError

SIGNAL = Regions(30.0, 10.0, 8.0, 5.0)
UNIT = Regions(1.0, 1.0, 1.0, 1.0)
COUNT = st.integers(20, 5000)


def one(*counts: float) -> np.ndarray:
    return np.array([counts], dtype=float)


@given(COUNT, COUNT, COUNT, COUNT)
def test_without_contamination_it_is_the_plain_formula(a: int, b: int, c: int, d: int) -> None:
    fit = fit_regions(one(a, b, c, d), Regions(10.0, 0.0, 0.0, 0.0))
    assert fit.background[0] == pytest.approx(b * c / d) == pytest.approx(fit.plain[0])
    assert fit.background_error[0] == pytest.approx(b * c / d * np.sqrt(1 / b + 1 / c + 1 / d))
    assert fit.plain_error[0] == pytest.approx(fit.background_error[0])
    assert fit.strength[0] == pytest.approx((a - b * c / d) / 10, abs=1e-9)


@given(COUNT, COUNT, COUNT, st.floats(0, 3), st.floats(0, 0.1))
def test_injected_signal_is_found(b: int, c: int, d: int, strength: float, non_closure: float) -> None:
    background = np.array([b * c / d, b, c, d])
    fit = fit_regions((background + strength * np.array(list(SIGNAL)))[None], SIGNAL, non_closure=non_closure)
    slope = SIGNAL.a * d + SIGNAL.d * background[0] - SIGNAL.b * c - SIGNAL.c * b
    # The other root is nearer where the signal sits in regions B and C.
    if slope > 0 and SIGNAL.a * SIGNAL.d > SIGNAL.b * SIGNAL.c:
        assert fit.strength[0] == pytest.approx(strength, abs=1e-6)
        assert fit.background[0] == pytest.approx(background[0], rel=1e-6)


@given(COUNT, COUNT, COUNT, COUNT)
def test_b_and_c_may_be_exchanged(a: int, b: int, c: int, d: int) -> None:
    left = fit_regions(one(a, b, c, d), Regions(30.0, 10.0, 8.0, 5.0), non_closure=0.05)
    right = fit_regions(one(a, c, b, d), Regions(30.0, 8.0, 10.0, 5.0), non_closure=0.05)
    for name in ("strength", "strength_error", "background", "background_error"):
        np.testing.assert_allclose(getattr(left, name), getattr(right, name), rtol=1e-6)


def test_prescales_restore_the_full_sample() -> None:
    full = fit_regions(one(130, 300, 400, 1200), SIGNAL)
    prescaled = fit_regions(one(130, 100, 100, 120), SIGNAL, prescales=Regions(1, 3, 4, 10))
    np.testing.assert_allclose(prescaled.background, full.background)
    assert prescaled.background_error[0] > full.background_error[0]


CASES = [
    ((130, 300, 400, 1200), None, 0.0),
    ((130, 300, 400, 1200), None, 0.05),
    ((8300, 72200, 72200, 648300), None, 0.01),
    ((130, 100, 100, 120), Regions(1, 3, 4, 10), 0.05),
    ((22, 40, 50, 110), None, 0.1),
]


@pytest.mark.parametrize(("counts", "prescales", "non_closure"), CASES)
def test_pyhf_agrees(counts: tuple[int, ...], prescales: Regions | None, non_closure: float) -> None:
    signal = Regions(*(0.2 * counts[0] * share for share in (1, 0.4, 0.3, 0.2)))
    found = fit_sample(Regions(*counts), signal, prescales=prescales, non_closure=non_closure, limits=False)
    fit = fit_regions(one(*counts), signal, prescales=prescales, non_closure=non_closure)
    assert fit.strength[0] > 0
    assert found.strength.value == pytest.approx(fit.strength[0], rel=1e-3)
    assert found.strength.uncertainty == pytest.approx(fit.strength_error[0], rel=1e-3)
    assert found.background.value == pytest.approx(fit.background[0], rel=1e-4)
    assert found.background.uncertainty == pytest.approx(fit.background_error[0], rel=1e-3)
    own = fitted_significance(one(*counts), signal, prescales=prescales, non_closure=non_closure)
    assert found.significance == pytest.approx(own[0], abs=2e-3)


def test_model_keeps_the_abcd_relation() -> None:
    model = abcd_model(Regions(100, 300, 400, 1200), SIGNAL, non_closure=0.1)
    parameters = dict(zip(model.config.par_names, model.config.suggested_init(), strict=True))
    parameters |= {"strength": 0.0, "background": 1.3, "first": 0.8, "second": 2.1}
    for theta, kappa in ((0.0, 1.0), (1.0, 1.1), (-1.0, 1 / 1.1)):
        parameters["closure"] = theta
        a, b, c, d = model.expected_actualdata([parameters[name] for name in model.config.par_names])
        assert a * d == pytest.approx(kappa * b * c)


def test_upper_limits() -> None:
    signal = Regions(30.0, 1.0, 1.0, 0.0)
    found = fit_sample(Regions(100.0, 1000.0, 1000.0, 10_000.0), signal)
    assert found.significance == pytest.approx(0, abs=0.03)
    assert list(found.expected_limits) == sorted(found.expected_limits)
    # Nothing was observed, so the limit is the median, near 1.96 uncertainties.
    assert found.limit == pytest.approx(found.expected_limits[2], rel=0.05)
    assert found.limit == pytest.approx(norm.isf(0.025) * found.strength.uncertainty, rel=0.12)


def test_limits_where_no_hypothesis_gives_the_data() -> None:
    """A signal that sits in the control regions: both tail probabilities vanish at some strengths, which is no 0/0."""
    signal = Regions(88.0, 511.0, 18.0, 1066.0)
    found = fit_sample(Regions(27_379.0, 89_964.0, 89_471.0, 294_277.0), signal)
    limits = [limit for limit in found.expected_limits if np.isfinite(limit)]
    assert limits == sorted(limits)
    assert found.strength.value == pytest.approx(1, abs=0.2)


@pytest.mark.slow
def test_limits_from_pseudo_experiments() -> None:
    counts, signal = Regions(20.0, 40.0, 50.0, 200.0), Regions(8.0, 1.0, 1.0, 0.0)
    found, formulas = (fit_sample(counts, signal, toys=toys) for toys in (Toys(40, 1), None))
    assert found.limit == pytest.approx(formulas.limit, rel=0.35)
    assert found.expected_limits[0] < found.expected_limits[2]


def test_discovery_from_pseudo_experiments(capfd: pytest.CaptureFixture[str]) -> None:
    model = abcd_model(Regions(20.0, 40.0, 50.0, 200.0), SIGNAL)
    data = [*Regions(17.0, 40.0, 50.0, 200.0), *model.config.auxdata]
    before = np.random.get_state(legacy=False)["state"]["key"].copy()  # noqa: NPY002
    found, again, other = (discovery(data, model, Toys(50, seed)) for seed in (1, 1, 3))
    # The global generator, from which pyhf draws, is as it was, and nothing was printed.
    assert (before == np.random.get_state(legacy=False)["state"]["key"]).all()  # noqa: NPY002
    assert found == again
    assert found == pytest.approx(other, abs=0.7)
    assert found == pytest.approx(discovery(data, model), abs=0.5)
    # A p-value is a multiple of one experiment.
    assert norm.sf(found) * 50 == pytest.approx(round(norm.sf(found) * 50), abs=1e-9)
    assert capfd.readouterr() == ("", "")
    excess = [*Regions(60.0, 40.0, 50.0, 200.0), *model.config.auxdata]
    assert discovery(excess, model, Toys(10, 1)) == pytest.approx(norm.isf(0.05))


def test_a_signal_outside_region_a_cannot_be_fitted() -> None:
    with pytest.raises(AnalysisError, match="no event in region A"):
        fit_sample(Regions(10, 20, 20, 40), Regions(0.0, 1.0, 1.0, 1.0))


def test_simple_significance() -> None:
    assert simple_significance(100.0, 80.0) == 2.0
    assert simple_significance(80.0, 100.0) == simple_significance(0.0, 1.0) == 0.0


def test_deficits_have_no_significance() -> None:
    assert fitted_significance(one(50, 300, 400, 1200), Regions(30.0, 0.0, 0.0, 0.0))[0] == 0
