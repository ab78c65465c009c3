"""Our detector cards in the language of Delphes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from generation.detector import card as cards

#: Tree branch, the Delphes array that fills it, and its class.
TREE = (
    ("Track", "TrackMerger/tracks", "Track"),
    ("Track_PUcorr", "TrackPileUpSubtractor/tracks", "Track"),
    ("ecalTower", "ECal/towers", "Tower"),
    ("hcalTower", "HCal/towers", "Tower"),
    ("EFlowTrack", "TrackPileUpSubtractor/eflowTracks", "Track"),
    ("EFlowPhoton", "ECal/eflowTowers", "Tower"),
    ("EFlowNeutralHadron", "HCal/eflowTowers", "Tower"),
    ("Jet", "UniqueObjectFinder/jets", "Jet"),
    ("Electron", "UniqueObjectFinder/electrons", "Electron"),
    ("Photon", "UniqueObjectFinder/photons", "Photon"),
    ("Muon", "UniqueObjectFinder/muons", "Muon"),
    ("MissingET", "MissingET/momentum", "MissingET"),
    ("ScalarHT", "ScalarHT/energy", "ScalarHT"),
    ("Rho", "Rho/rho", "Rho"),
    ("Vertex", "PileUpMerger/vertices", "Vertex"),
)
BRANCHES = tuple(branch for branch, _, _ in TREE)
_KINDS = {"hadron": "ChargedHadron", "electron": "Electron", "muon": "Muon"}
_ARRAYS = {"hadron": "chargedHadrons", "electron": "electrons", "muon": "muons"}


def write_tcl(card: cards.DetectorCard, mean_pileup: float, pileup_file: str | Path, seed: int) -> str:
    """The Tcl card that makes Delphes simulate ``card``.

    Without pile-up the same modules run with a mean of 0, so that vertices are spread alike.
    """
    modules = [
        _pileup(card, mean_pileup, pileup_file),
        _propagator(card),
        *_tracking(card),
        _merger("TrackMerger", [f"{_KINDS[kind]}MomentumSmearing/{_ARRAYS[kind]}" for kind in _KINDS], "tracks"),
        _calorimeter("ECal", card.ecal, card, "TrackMerger/tracks"),
        _calorimeter("HCal", card.hcal, card, "ECal/eflowTracks"),
        _filter("ElectronFilter", "HCal/eflowTracks", "electrons", (11, -11), invert=True),
        _subtractor(card),
        _merger("EFlowMergerAllTracks", ["HCal/eflowTracks", *_NEUTRAL], "eflow"),
        _merger("EFlowMerger", ["TrackPileUpSubtractor/eflowTracks", *_NEUTRAL], "eflow"),
        _filter("EFlowFilter", "EFlowMerger/eflow", "eflow", (11, -11, 13, -13), invert=False),
        _rho(card.jets),
        _jet_finder(card.jets),
        _module("JetPileUpSubtractor", "JetPileUpSubtractor", [
            ("JetInputArray", "FastJetFinder/jets"), ("RhoInputArray", "Rho/rho"),
            ("OutputArray", "jets"), ("JetPTMin", card.jets.pt_min),
        ]),
        *_objects(card),
        _merger("MissingET", [f"EFlowMerger{'AllTracks' if card.met_tracks == 'all' else ''}/eflow"], None),
        _module("UniqueObjectFinder", "UniqueObjectFinder", [], [
            f"InputArray {source} {name}" for source, name in (
                ("PhotonIsolation/photons", "photons"), ("ElectronIsolation/electrons", "electrons"),
                ("MuonIsolation/muons", "muons"), ("JetPileUpSubtractor/jets", "jets"),
            )
        ]),
        _merger("ScalarHT", [f"UniqueObjectFinder/{name}" for name in ("jets", "electrons", "photons", "muons")], None),
        _module("TreeWriter", "TreeWriter", [], [f"Branch {array} {name} {kind}" for name, array, kind in TREE]),
    ]  # fmt: skip
    path = "\n".join(f"  {module.split()[2]}" for module in modules)
    return f"set RandomSeed {seed}\n\nset ExecutionPath {{\n{path}\n}}\n\n" + "\n".join(modules)


_NEUTRAL = ("ECal/eflowTowers", "HCal/eflowTowers")


def _module(kind: str, name: str, settings: Sequence[tuple[str, Any]], added: Iterable[str] = ()) -> str:
    lines = [f"  set {key} {_value(value)}" for key, value in settings] + [f"  add {line}" for line in added]
    return f"module {kind} {name} {{\n" + "\n".join(lines) + "\n}\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _merger(name: str, inputs: Sequence[str], output: str | None) -> str:
    settings = (
        [("OutputArray", output)] if output else [("MomentumOutputArray", "momentum"), ("EnergyOutputArray", "energy")]
    )
    return _module("Merger", name, settings, [f"InputArray {source}" for source in inputs])


def _filter(name: str, source: str, output: str, codes: Sequence[int], *, invert: bool) -> str:
    settings = [("InputArray", source), ("OutputArray", output), ("Invert", invert)]
    return _module("PdgCodeFilter", name, settings, [f"PdgCode {{{code}}}" for code in codes])


def _pileup(card: cards.DetectorCard, mean: float, file: str | Path) -> str:
    z, t = card.vertex.z_sigma / 1e3, card.vertex.t_sigma
    return _module("PileUpMerger", "PileUpMerger", [
        ("InputArray", "Delphes/stableParticles"),
        ("ParticleOutputArray", "stableParticles"),
        ("VertexOutputArray", "vertices"),
        ("PileUpFile", file),
        ("MeanPileUp", mean),
        ("ZVertexSpread", card.vertex.z_max / 1e3),
        ("TVertexSpread", card.vertex.t_max),
        ("VertexDistributionFormula", f"{{exp(-(t^2/{t:g}^2/2))*exp(-(z^2/{z:g}^2/2))}}"),
    ])  # fmt: skip


def _propagator(card: cards.DetectorCard) -> str:
    return _module("ParticlePropagator", "ParticlePropagator", [
        ("InputArray", "PileUpMerger/stableParticles"),
        ("OutputArray", "stableParticles"),
        ("ChargedHadronOutputArray", "chargedHadrons"),
        ("ElectronOutputArray", "electrons"),
        ("MuonOutputArray", "muons"),
        ("Radius", card.solenoid.radius),
        ("HalfLength", card.solenoid.half_length),
        ("Bz", card.solenoid.b_z),
    ])  # fmt: skip


def _in_regions(regions: Sequence[Any], term: Callable[[Any], str]) -> str:
    """Sum of terms, each times 1 in its region of abs(eta)."""
    low, terms = None, []
    for region in regions:
        above = "" if low is None else f"(abs(eta) > {low:g}) * "
        terms.append(f"{above}(abs(eta) <= {region.eta_max:g}) * ({term(region)})")
        low = region.eta_max
    return "{" + " + ".join(terms) + "}"


def _efficiency(regions: Sequence[cards.EfficiencyRegion]) -> str:
    def steps(region: cards.EfficiencyRegion) -> str:
        ends = [f" * (pt <= {step.pt_min:g})" for step in region.steps[1:]] + [""]
        return " + ".join(
            f"(pt > {step.pt_min:g}){end} * {step.value:g}"
            + (f" * exp({step.exponent:g} + pt*({step.slope:g}))" if step.exponent or step.slope else "")
            for step, end in zip(region.steps, ends, strict=True)
        )

    return _in_regions(regions, steps)


def _tracking(card: cards.DetectorCard) -> list[str]:
    modules = []
    for kind, name in _KINDS.items():
        model: cards.TrackModel = getattr(card.tracking, kind)
        array = _ARRAYS[kind]
        efficiency, smearing = f"{name}TrackingEfficiency", f"{name}MomentumSmearing"
        resolution = _in_regions(model.resolution, lambda r: f"sqrt({r.constant:g}^2 + pt^2*{r.linear:g}^2)")
        modules.append(_module("Efficiency", efficiency, [
            ("InputArray", f"ParticlePropagator/{array}"), ("OutputArray", array),
            ("EfficiencyFormula", _efficiency(model.efficiency)),
        ]))  # fmt: skip
        modules.append(_module("MomentumSmearing", smearing, [
            ("InputArray", f"{efficiency}/{array}"), ("OutputArray", array), ("ResolutionFormula", resolution),
        ]))  # fmt: skip
    return modules


def _subtractor(card: cards.DetectorCard) -> str:
    arrays = (
        ("HCal/eflowTracks", "eflowTracks"), ("ElectronFilter/electrons", "electrons"),
        ("MuonMomentumSmearing/muons", "muons"), ("TrackMerger/tracks", "tracks"),
    )  # fmt: skip
    return _module("TrackPileUpSubtractor", "TrackPileUpSubtractor", [
        ("VertexInputArray", "PileUpMerger/vertices"),
        ("ZVertexResolution", card.tracking.pileup_z_resolution / 1e3),
    ], [f"InputArray {source} {name}" for source, name in arrays])  # fmt: skip


def _calorimeter(name: str, calorimeter: cards.Calorimeter, card: cards.DetectorCard, tracks: str) -> str:
    sigma = _in_regions(
        calorimeter.resolution,
        lambda r: (
            f"({r.scale:g} + {r.bend:g}*(abs(eta)-{r.eta_0:g})^2)"
            f"*sqrt(energy^2*{r.constant:g}^2 + energy*{r.stochastic:g}^2 + {r.noise:g}^2)"
        ),
    )
    invisible = {code: 0.0 for entry in card.invisible for code in range(entry.first, entry.last + 1)}
    fractions = calorimeter.fractions | invisible
    lines = [*_towers(calorimeter), *(f"EnergyFraction {{{code}}} {{{share:g}}}" for code, share in fractions.items())]
    return _module("SimpleCalorimeter", name, [
        ("ParticleInputArray", "ParticlePropagator/stableParticles"),
        ("TrackInputArray", tracks),
        ("TowerOutputArray", "towers"),
        ("EFlowTrackOutputArray", "eflowTracks"),
        ("EFlowTowerOutputArray", "eflowTowers"),
        ("IsEcal", name == "ECal"),
        ("EnergyMin", calorimeter.energy_min),
        ("EnergySignificanceMin", calorimeter.significance_min),
        ("SmearTowerCenter", True),
        ("ResolutionFormula", sigma),
    ], lines)  # fmt: skip


def _towers(calorimeter: cards.Calorimeter) -> list[str]:
    """Edges in eta with the phi edges of the ring below each; the first edge has no ring."""
    lines = []
    for i, ring in enumerate(calorimeter.towers):
        phi = " ".join(f"{2 * 3.141592653589793 * (j / ring.n_phi - 0.5):.9g}" for j in range(ring.n_phi + 1))
        edges = ring.edges() if i == 0 else ring.edges()[1:]
        lines.append(f"EtaPhiBins {{{' '.join(f'{edge:.9g}' for edge in edges)}}} {{{phi}}}")
    return lines


def _rho(jets: cards.Jets) -> str:
    ranges = (f"GridRange {r.rapidity_min:g} {r.rapidity_max:g} {r.d_rapidity:g} {r.d_phi:g}" for r in jets.rho)
    return _module(
        "FastJetGridMedianEstimator", "Rho", [("InputArray", "EFlowMerger/eflow"), ("RhoOutputArray", "rho")], ranges
    )


def _jet_finder(jets: cards.Jets) -> str:
    return _module("FastJetFinder", "FastJetFinder", [
        ("InputArray", "EFlowMerger/eflow"),
        ("OutputArray", "jets"),
        ("AreaAlgorithm", 5),
        ("GhostArea", jets.ghost_area),
        ("JetAlgorithm", 6),
        ("ParameterR", jets.radius),
        ("JetPTMin", jets.pt_min),
    ])  # fmt: skip


def _objects(card: cards.DetectorCard) -> list[str]:
    sources = {
        "photon": "ECal/eflowTowers", "electron": "TrackPileUpSubtractor/electrons",
        "muon": "TrackPileUpSubtractor/muons",
    }  # fmt: skip
    modules = []
    for kind, source in sources.items():
        isolated: cards.Isolated = getattr(card.objects, kind)
        name, array = kind.capitalize(), f"{kind}s"
        modules.append(_module("Efficiency", f"{name}Efficiency", [
            ("InputArray", source), ("OutputArray", array), ("EfficiencyFormula", _efficiency(isolated.efficiency)),
        ]))  # fmt: skip
        modules.append(_module("Isolation", f"{name}Isolation", [
            ("CandidateInputArray", f"{name}Efficiency/{array}"),
            ("IsolationInputArray", "EFlowFilter/eflow"),
            ("RhoInputArray", "Rho/rho"),
            ("OutputArray", array),
            ("DeltaRMax", isolated.isolation_radius),
            ("PTMin", isolated.isolation_pt_min),
            ("PTRatioMax", isolated.isolation_max),
        ]))  # fmt: skip
    return modules
