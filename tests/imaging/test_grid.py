import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.grid import FINE, HCAL, Grid

grids = st.sampled_from([FINE, HCAL])
units = st.floats(0, 1, exclude_max=True, width=32)


@given(grids, units, units)
def test_pixel_contains_its_point(grid: Grid, eta_unit: float, phi_unit: float) -> None:
    eta = np.float32((2 * eta_unit - 1) * grid.eta_max)
    phi = np.float32((2 * phi_unit - 1) * np.pi)
    if not grid.contains(np.array([eta]))[0] or abs(float(phi)) > np.pi:
        return
    eta_bin, phi_bin = divmod(int(grid.pixel(np.array([eta]), np.array([phi]))[0]), grid.n_phi)
    ulp = 1e-12
    assert grid.eta_edges[eta_bin] - ulp <= eta <= grid.eta_edges[eta_bin + 1] + ulp
    assert grid.phi_edges[phi_bin] - ulp <= phi <= grid.phi_edges[phi_bin + 1] + ulp


@pytest.mark.parametrize("grid", [FINE, HCAL])
def test_phi_closes_on_itself(grid: Grid) -> None:
    eta = np.zeros(3, dtype=np.float32)
    pixel = grid.pixel(eta, np.array([-np.pi + 1e-6, np.pi + 1e-6, 3 * np.pi + 1e-6]))
    assert len(set(pixel)) == 1


def test_edges_of_the_detector() -> None:
    assert FINE.eta_max == pytest.approx(2.49535)
    assert HCAL.eta_max == pytest.approx(2.53025)
    assert not FINE.contains(np.array([2.49535, -2.49535])).any()
    below = np.nextafter(np.float64(2.49535), 0)
    assert FINE.pixel(np.array([below, -below]), np.zeros(2)).tolist() == [285 * 360 + 180, 180]
