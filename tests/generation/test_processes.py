from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.stats import ks_2samp

from darktrigger.errors import ConfigError, GenerationError
from generation.config import make_process
from generation.events import GenEvents, concatenate_events
from generation.filters import HtFilter, JetFilter, LeptonFilter, visible_jets
from generation.hepmc import read_hepmc
from generation.hooks import ContainedTopHook
from generation.processes import PROCESSES
from generation.processes.base import Process, PythiaProcess
from generation.processes.electroweak import (
    AToFourLeptons,
    HadronicTop,
    HPlusToTauNu,
    Leptoquark,
    QcdLeptons,
    WToLeptons,
)
from generation.processes.mixture import Proportions, StandardModelLeptons
from generation.processes.qcd import MinimumBias, Qcd, QcdJets
from generation.processes.suep import Decay, Suep
from generation.processes.svj import Aachen, Coupling, Heidelberg, Svj
from generation.processes.user import CommandFile
from generation.pythia import Generator, Normalisation, generate_batches, initialised_pythia, mean_of

Run = tuple[GenEvents, Normalisation]

CHARGED = (11, 13, 211, 321, 2212, 3112, 3222, 3312, 3334)


def per_event(events: GenEvents, mask: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    index = np.repeat(np.arange(len(events)), np.diff(events.offsets))
    return np.bincount(index[mask], weights=None if weights is None else weights[mask], minlength=len(events))


def n_charged(events: GenEvents, pt_min: float = 0.1) -> np.ndarray:
    pt = np.hypot(events.px, events.py)
    central = np.abs(events.pz) < np.sinh(2.5) * pt
    return per_event(events, np.isin(np.abs(events.pid), CHARGED) & central & (pt > pt_min))


def run(process: Process, n_events: int, seed: int = 1) -> Run:
    batches = list(process.batches(n_events, seed, 20))
    return concatenate_events([batch.events for batch in batches]), batches[-1].normalisation


@pytest.fixture(scope="module")
def qcd() -> Run:
    return run(Qcd(), 80)


@pytest.fixture(scope="module")
def suep() -> Run:
    return run(Suep(mass=400), 60)


@pytest.fixture(scope="module")
def svj() -> Run:
    return run(Svj(), 50)


@pytest.mark.parametrize("fixture", ["qcd", "suep", "svj"])
def test_energy_and_momentum_are_conserved(fixture: str, request: pytest.FixtureRequest) -> None:
    events, _ = request.getfixturevalue(fixture)
    everything = np.ones(len(events.pid), dtype=bool)
    np.testing.assert_allclose(per_event(events, everything, events.e.astype(float)), 13_600, rtol=1e-4)
    for component in (events.px, events.py, events.pz):
        np.testing.assert_allclose(per_event(events, everything, component.astype(float)), 0, atol=0.1)


@pytest.mark.parametrize("fixture", ["qcd", "suep", "svj"])
def test_only_stable_particles_on_their_mass_shell(fixture: str, request: pytest.FixtureRequest) -> None:
    events, _ = request.getfixturevalue(fixture)
    assert not np.isin(np.abs(events.pid), [1, 2, 3, 4, 5, 6, 21, 23, 24, 25, 111, 310 * 100, 999998, 999999]).any()
    square = events.e.astype(float) ** 2 - sum(np.square(p.astype(float)) for p in (events.px, events.py, events.pz))
    np.testing.assert_allclose(square, np.square(events.mass.astype(float)), atol=2e-6 * np.square(events.e).max())


def test_same_seed_same_events_other_seed_others() -> None:
    a, b, c = (concatenate_events(list(generate_batches(Suep(), 4, seed, 2))) for seed in (7, 7, 8))
    assert len(a) == len(b) == len(c) == 4
    np.testing.assert_array_equal(a.px, b.px)
    np.testing.assert_array_equal(a.number, [0, 1, 2, 3])
    assert len(a.px) != len(c.px)


def test_nothing_on_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    list(generate_batches(Suep(filter=HtFilter(ht_min=50)), 2, 1, 10))
    assert capfd.readouterr() == ("", "")


# Weights and cross-sections


def test_qcd_weights_undo_the_bias(qcd: Run) -> None:
    events, normalisation = qcd
    # Weights are (pT-hat / 200 GeV)^-4.5: at most about 1, and small for what was made too often.
    assert events.weight.max() < 1.05
    assert events.weight.min() < 0.05
    assert normalisation.sum_of_weights == pytest.approx(events.weight.sum())
    assert events.cross_section == pytest.approx(normalisation.cross_section, rel=0.3)


def test_weighted_qcd_spectrum_is_the_unweighted_one(qcd: Run) -> None:
    weighted, biased = qcd
    unweighted, plain = run(Qcd(bias_power=0), 80, seed=2)
    np.testing.assert_array_equal(unweighted.weight, 1.0)
    assert biased.cross_section == pytest.approx(plain.cross_section, rel=0.25)

    def leading(events: GenEvents) -> NDArray[Any]:
        jets = visible_jets(events, 0.5, 20, 5)
        return np.asarray(ak.to_numpy(ak.fill_none(ak.max(jets.pt, axis=1), 0.0)))

    weighted_leading, unweighted_leading = leading(weighted), leading(unweighted)
    weights = weighted.weight
    n_effective = weights.sum() ** 2 / np.square(weights).sum()
    for threshold in (230, 280):
        fraction = weights[weighted_leading > threshold].sum() / weights.sum()
        expected = (unweighted_leading > threshold).mean()
        assert abs(fraction - expected) < 4 * np.sqrt(
            expected * (1 - expected) * (1 / n_effective + 1 / len(unweighted))
        )
    # ... while the biased sample itself is far harder.
    assert np.mean(weighted_leading) > 1.3 * np.mean(unweighted_leading)


def test_independent_runs_average_their_cross_sections(qcd: Run) -> None:
    _, normalisation = qcd
    both = mean_of([normalisation, normalisation])
    assert both.accepted == 2 * normalisation.accepted
    assert both.cross_section == pytest.approx(normalisation.cross_section)
    assert both.cross_section_error == pytest.approx(normalisation.cross_section_error / np.sqrt(2))


# Signals


def test_suep_muons_follow_from_mass_temperature_and_branching_fractions(suep: Run) -> None:
    events, _ = suep
    muons = per_event(events, np.abs(events.pid) == 13)
    # A meson makes 0.6 muons; 400 GeV within the width of such a Higgs boson make about 58 mesons of 6.7 GeV.
    assert abs(muons.mean() - 0.6 * 400 / 6.74) < 4 * muons.std() / np.sqrt(len(muons)) + 1


def test_narrow_mediator_gives_its_mass(suep: Run) -> None:
    decays = (Decay(fraction=1, products=(13, -13)),)
    events, _ = run(Suep(mass=400, width=0.01, photon_decays=decays), 20)
    muons = np.abs(events.pid) == 13
    e, px, py, pz = (per_event(events, muons, getattr(events, name).astype(float)) for name in ("e", "px", "py", "pz"))
    # Decays of b and c hadrons add a muon here and there.
    assert np.median(np.sqrt(e**2 - px**2 - py**2 - pz**2)) == pytest.approx(400, abs=0.5)


def test_svj_invisible_fraction_is_r_inv() -> None:
    # Without parton showers in the visible part, count dark mesons by their decays: 51 and 53 are the invisible ones.
    n_mesons = {}
    for r_inv in (0.3, 1.0):
        events, _ = run(Svj(r_inv=r_inv), 80, seed=3)
        n_mesons[r_inv] = np.isin(np.abs(events.pid), (51, 53)).sum() / 2 / len(events)
    fraction = n_mesons[0.3] / n_mesons[1.0]
    error = np.sqrt(0.3 * 0.7 / (80 * n_mesons[1.0])) + 0.3 * 0.35 / np.sqrt(80)
    assert abs(fraction - 0.3) < 4 * error


def test_svj_without_invisible_states_has_none_and_all_invisible_has_few_tracks(svj: Run) -> None:
    visible, _ = run(Svj(r_inv=0), 30)
    invisible, _ = run(Svj(r_inv=1), 30)
    assert not np.isin(np.abs(visible.pid), (51, 53)).any()
    assert n_charged(invisible).mean() < n_charged(svj[0]).mean() < n_charged(visible).mean()


def test_svj_dark_states_can_pass_for_neutral_hadrons() -> None:
    events, _ = run(Svj(stable_dark_states="hcal"), 10)
    assert not np.isin(np.abs(events.pid), (51, 53)).any()
    massless = (events.pid == 130) & (events.mass < 0.01)
    assert massless.any()


def test_aachen_is_mostly_invisible_and_heidelberg_is_not() -> None:
    aachen, normalisation = run(Aachen(), 5)
    assert np.isin(np.abs(aachen.pid), (51, 53)).sum() > 10 * len(aachen)
    assert normalisation.generated > normalisation.accepted
    heidelberg, _ = run(Heidelberg(), 5)
    assert not (np.abs(heidelberg.pid) > 1_000_000).any()
    for events in (aachen, heidelberg):
        assert JetFilter(pt_min=150, pt_max=300).accept(events).all()


def test_signals_and_background_of_dark_jets_agree_on_multiparton_interactions() -> None:
    settings = [process().settings() for process in (QcdJets, HadronicTop, Aachen, Heidelberg)]
    assert all("PartonLevel:MPI = off" in lines for lines in settings)


def test_jet_filter_takes_the_leading_jet() -> None:
    events, normalisation = run(QcdJets(), 20)
    jets = visible_jets(events, 0.8, 20, 5)
    leading = jets[ak.argmax(jets.pt, axis=1, keepdims=True)]
    assert ak.all((leading.pt > 0.9 * 550) & (leading.pt < 1.1 * 650) & (abs(leading.eta) < 2))
    assert normalisation.filter_efficiency < 1
    soft = replace(events, **{name: 0.01 * getattr(events, name) for name in ("px", "py", "pz", "e")})
    assert not JetFilter().accept(soft).any()


def test_early_veto_of_the_jet_filter_takes_no_event_that_passes() -> None:
    """Same share of events above an early veto as without it."""
    wide, tight = (QcdJets(filter=JetFilter(parton_margin=margin)) for margin in (None, 0.3))
    shares = [run(process, 60)[1] for process in (wide, tight)]
    first, second = (run.filter_efficiency for run in shares)
    error = np.sqrt(sum((1 - run.filter_efficiency) / run.accepted for run in shares))
    assert abs(np.log(first / second)) < 4 * error


def test_tops_are_no_wider_than_a_jet() -> None:
    hook = ContainedTopHook(0.8)

    def width(process: Any) -> float:
        widest: float = max(
            np.hypot(process[i].eta() - process[top].eta(), (process[i].phi() - process[top].phi() + 3 * np.pi)
                     % (2 * np.pi) - np.pi)
            for top in range(process.size()) if process[top].idAbs() == 6
            for i in range(process.size())
            if process[i].statusAbs() == 23 and top in (process[i].mother1(), process[process[i].mother1()].mother1())
        )  # fmt: skip
        return widest

    process = HadronicTop(containment=None, filter=None)
    pythia, _ = initialised_pythia(process, 1, None, "PartonLevel:all = off")
    verdicts = []
    for _ in range(60):
        pythia.next()
        verdicts.append((width(pythia.process) < 0.8, hook.doVetoProcessLevel(pythia.process)))
    assert all(narrow != vetoed for narrow, vetoed in verdicts)
    assert len(set(verdicts)) == 2


def test_leading_jets_hold_what_they_stem_from() -> None:
    """Few tops, many semi-visible jets, are led by another jet; the filter asks for the particle and its decays."""
    for process, shares in ((HadronicTop(), (0.9, 1)), (Aachen(), (0.6, 0.9))):
        jets = process.filter
        assert isinstance(jets, JetFilter)
        events, record = Generator(process, 1)._next(400)
        window = jets.model_copy(update={"parent": None}).accept(events)
        kept = process.accept(events, record)
        with pytest.raises(ValueError, match="without the generator's records"):
            process.accept(events)
        assert not (kept & ~window).any()
        assert shares[0] < kept.sum() / window.sum() < shares[1]


def test_leptons_of_the_double_autoencoder_signals() -> None:
    for process in (Leptoquark(), WToLeptons()):
        events, normalisation = run(process, 5)
        assert LeptonFilter().accept(events).all()
        assert 0 < normalisation.filter_efficiency < 1
    leptons, _ = run(AToFourLeptons(filter=None), 30)
    pt = np.hypot(leptons.px, leptons.py)
    assert per_event(leptons, np.isin(np.abs(leptons.pid), (11, 13)) & (pt > 1)).mean() > 2


def test_mixture_has_its_proportions() -> None:
    mixture = StandardModelLeptons(proportions=Proportions(w=0.5, qcd=0, z=0.5, ttbar=0))
    events, normalisation = run(mixture, 24)
    assert len(events) == normalisation.accepted == 24
    taken = per_event(events, np.isin(np.abs(events.pid), (12, 14, 16)) & (np.hypot(events.px, events.py) > 10)) > 0
    assert 3 < taken.sum() < 21  # neutrinos tell W from Z


# Filters


def test_ht_filter_counts_what_it_refuses() -> None:
    events, normalisation = run(Suep(filter=HtFilter(ht_min=100)), 20)
    assert HtFilter(ht_min=100).accept(events).all()
    assert normalisation.generated > 1.5 * normalisation.accepted
    assert normalisation.cross_section < 30


def test_early_veto_takes_no_event_that_the_filter_would_keep() -> None:
    early, a = run(Suep(filter=HtFilter(ht_min=100)), 30, seed=4)
    late, b = run(Suep(filter=HtFilter(ht_min=100, parton_fraction=0)), 30, seed=5)
    ratio, error = a.filter_efficiency / b.filter_efficiency, np.sqrt(2 / 30)
    assert abs(ratio - 1) < 3 * error
    assert ks_2samp(n_charged(early), n_charged(late)).pvalue > 0.001


def test_lepton_filter_on_events_made_by_hand() -> None:
    pt = np.array([30, 30, 30, 10, 30, 30], dtype=np.float32)
    eta = np.array([0, 2.5, 2.5, 0, 3.5, 0])
    pid = np.array([11, -11, 13, 13, 11, 22], dtype=np.int32)
    zero = np.zeros(6, dtype=np.float32)
    pz = (pt * np.sinh(eta)).astype(np.float32)
    offsets = np.array([0, 1, 2, 3, 4, 5, 6, 6])
    events = GenEvents(
        offsets, pid, pt, zero, pz, np.hypot(pt, pz), zero, zero, zero, zero, zero, np.ones(7), 1.0, np.arange(7)
    )
    np.testing.assert_array_equal(LeptonFilter().accept(events), [True, True, False, False, False, False, False])


def test_jets_of_events_made_by_hand() -> None:
    px, py = np.array([40, 20, -50, 500, 1], dtype=np.float32), np.zeros(5, dtype=np.float32)
    pid = np.array([211, 22, 211, 12, 211], dtype=np.int32)
    offsets = np.array([0, 0, 4, 5])
    zero = np.zeros(5, dtype=np.float32)
    events = GenEvents(
        offsets, pid, px, py, zero, np.abs(px), zero, zero, zero, zero, zero, np.ones(3), 1.0, np.arange(3)
    )
    jets = visible_jets(events, 0.5, 20, 5)
    assert jets.pt.tolist() == [[], pytest.approx([50, 60]), []]
    np.testing.assert_array_equal(HtFilter(ht_min=100).accept(events), [False, True, False])


# Errors


def test_unknown_process_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="qcd, suep, svj"):
        make_process("quark", {})


def test_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        make_process("suep", {"temprature": 3})


@pytest.mark.parametrize(
    ("process", "settings", "message"),
    [
        (Suep, {"photon_decays": [{"fraction": 0.5, "products": [11, -11]}]}, "sum to 0.5"),
        (Suep, {"photon_mass": 1.5}, "does not allow two Z_D"),
        (Svj, {"r_inv": 1.5}, "less than or equal to 1"),
        (Heidelberg, {"pseudoscalar_mass": 13}, "too light for two mesons"),
        (Qcd, {"filter": {"kind": "jet", "pt_min": 300, "pt_max": 200}}, "not below"),
        (StandardModelLeptons, {"proportions": {"w": 0.9}}, "sum to"),
    ],
)
def test_settings_that_contradict_themselves(process: type[Process], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        process.model_validate(settings)


def test_pythia_refusals_are_quoted() -> None:
    with pytest.raises(GenerationError, match="does not know the setting 'HardQCD:everything = on'"):
        Generator(Qcd(extra_settings=("HardQCD:everything = on",)), 1)
    with pytest.raises(GenerationError, match=r"cannot be initialised: .*no process switched on"):
        Generator(CommandFile(commands=("Tune:pp = 14",)), 1)


def test_filter_that_takes_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generation.pythia._MAX_FRUITLESS", 20)
    hopeless = MinimumBias(
        filter=LeptonFilter(pt_min=500),
        extra_settings=("SoftQCD:singleDiffractive = off", "SoftQCD:doubleDiffractive = off"),
    )
    with pytest.raises(GenerationError, match="took none"):
        run(hopeless, 1)


def test_command_file(tmp_path: Path) -> None:
    path = tmp_path / "z.cmnd"
    path.write_text(
        "! Drell-Yan\nMain:numberOfEvents = 5\n\nBeams:eCM = 8000.\nWeakSingleBoson:ffbar2gmZ = on ! on\n"
        "PhaseSpace:mHatMin = 60.\n23:onMode = off\n23:onIfAny = 13\n"
    )
    process = make_process(str(path), {})
    events, normalisation = run(process, 10)
    everything = np.ones(len(events.pid), dtype=bool)
    np.testing.assert_allclose(per_event(events, everything, events.e.astype(float)), 8000, rtol=1e-4)
    assert 500 < normalisation.cross_section < 2000  # pb; about 1 nb at 8 TeV


@pytest.mark.parametrize(
    ("text", "message"), [("! nothing\n", "holds no Pythia settings"), ("Beams:LHEF = a.lhe\n", "not supported")]
)
def test_command_files_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.cmnd"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        make_process(str(path), {})
    with pytest.raises(ConfigError, match="cannot be read"):
        make_process(str(tmp_path / "absent.cmnd"), {})


def test_every_process_has_settings_that_pythia_can_read() -> None:
    import pythia8mc

    for process in PROCESSES.values():
        made = process()
        components: list[PythiaProcess]
        if isinstance(made, PythiaProcess):
            components = [made]
        else:
            assert isinstance(made, StandardModelLeptons)
            components = [made.w, made.qcd, made.ttbar]
        for component in components:
            pythia = pythia8mc.Pythia("", False)
            assert all(pythia.readString(setting) for setting in component.settings()), process.name


# Reference: events that the founders generated with the settings of FACTS.md, section 1


@pytest.mark.parametrize(
    ("name", "process"),
    [
        ("qcd", Qcd()),
        ("suep1000", Suep(mass=1000)),
        # The reference's semi-visible jets have the fixed coupling that Pythia starts from.
        ("svj3100", Svj(coupling=Coupling(order=0, alpha=0.1), heaviest_quark=4)),
    ],
)
def test_reference_events(shared: Path, name: str, process: Process) -> None:
    reference = concatenate_events(list(read_hepmc(shared / "delphes" / f"{name}.hepmc.gz")))
    events, _ = run(process, 60)
    for pt_min in (0.1, 1.0):
        assert ks_2samp(n_charged(events, pt_min), n_charged(reference, pt_min)).pvalue > 0.001


def test_qcd_leptons_come_from_repeated_hadronisation() -> None:
    process = QcdLeptons(filter=LeptonFilter(pt_min=6, heavy_quarks_only=True))
    events, normalisation = run(process, 6)
    again, _ = run(process, 6)
    assert len(events) == normalisation.accepted == 6
    assert LeptonFilter(pt_min=6).accept(events).all()
    assert normalisation.generated > 50
    np.testing.assert_array_equal(events.px, again.px)
    everything = np.ones(len(events.pid), dtype=bool)
    np.testing.assert_allclose(per_event(events, everything, events.e.astype(float)), 13_000, rtol=1e-4)


def test_heavy_quark_veto_is_only_for_qcd() -> None:
    qcd, other = QcdLeptons().filter, WToLeptons().filter
    assert isinstance(qcd, LeptonFilter)
    assert qcd.heavy_quarks_only
    assert isinstance(other, LeptonFilter)
    assert not other.heavy_quarks_only


def test_charged_scalar_comes_with_a_top_unless_it_is_to_come_alone() -> None:
    ht = {}
    for production in ("top", "quarks"):
        events, _ = run(HPlusToTauNu(production=production, filter=None), 40)
        jets = visible_jets(events, 0.5, 20, 5)
        ht[production] = np.median(ak.sum(jets.pt, axis=1))
        of_taus = np.add.reduceat(np.abs(events.pid) == 16, events.offsets[:-1])
        assert (of_taus >= 2).all()  # h± -> tau nu, tau -> nu X
    # A top brings a b quark and, mostly, two more.
    assert ht["top"] > ht["quarks"] + 60
