"""How scores are written on plots and in tables."""

from __future__ import annotations

from analysis.trigger import Direction

_NAMES = {
    "bce": "BCE",
    "sse": "SSE",
    "sae": "SAE",
    "sae_mask": "SAE-mask",
    "dice": "Dice",
    "dice_loss": "Inverse Dice loss",
    "inverse_e_t": r"1 / reconstructed $E_T$",
    "classifier": "Classifier",
    "excess": "Excess",
    "excess_tracks": "Excess of tracks",
    "soft_tracks": "Soft tracks",
    "missing_e_t": r"Missing $E_T$",
    "pixel_sum": "PixelSum",
    "z1": "$Z_1$",
    "z2": "$Z_2$",
    "kl_r": "KL-R",
    "kl_f": "KL-F",
    "rarity": "Rarity",
    "n_tracks": r"$n_{\mathrm{tracks}}$",
    "lit_pixels": "Lit pixels",
    "crowding": "Crowding",
    "hcal_cells": "HCAL cells > 10 GeV",
    "total_e_t_trk": r"Total $E_T$ (Trk)",
    "total_e_t_ecal": r"Total $E_T$ (ECAL)",
    "total_e_t_hcal": r"Total $E_T$ (HCAL)",
}


def score_label(name: str, direction: Direction = Direction.HIGHER) -> str:
    """Name of a score; with a minus sign where it was flipped so that higher is more anomalous."""
    label = _NAMES.get(name) or _member_label(name) or name.replace("_", " ")
    return label if direction is Direction.HIGHER else f"\N{MINUS SIGN}{label}"


def _member_label(name: str) -> str | None:
    """Name of a score of one of several members, whose number ends the name."""
    base = name.rstrip("0123456789")
    return f"{_NAMES[base]} ({name[len(base) :]})" if base in _NAMES and base != name else None
