"""Feed spoilt input of one kind to the commands that read it.

    python -m benchmarks.fuzz KIND --cases 1000 --seed 1

A case is a function of the seed and its number. Every command has to succeed with sound
output, or to fail with exit status 1 or 2, one message, no traceback and nothing left
behind, in time. Anything else is a finding: its files are kept, and the campaign exits
with 1. One case again: ``--first NUMBER --cases 1``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.fuzz.campaign import Campaign, folder_of, run_campaign
from benchmarks.fuzz.kinds import KINDS


def main() -> None:
    """Run a campaign and print its count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", type=int, nargs="+", help="numbers of the cases to run, in the place of a range")
    parser.add_argument("--minutes", type=float, default=600.0, help="start no further case after this time")
    parser.add_argument("--timeout", type=float, default=30.0, help="processor time that a case may take, s")
    parser.add_argument(
        "--drawn", type=float, default=0.02, help="share of the cases with plots drawn and models traced"
    )
    parser.add_argument("--keep", type=Path, default=Path("out/fuzz"), help="folder for the files of findings")
    options = parser.parse_args()
    campaign = Campaign(options.kind, options.seed, options.timeout, options.drawn, options.keep.resolve())
    campaign.keep.mkdir(parents=True, exist_ok=True)
    numbers = options.only or range(options.first, options.first + options.cases)
    counts, findings = run_campaign(campaign, numbers, options.minutes)
    print(
        f"{options.kind}, seed {options.seed}: {counts.total()} cases, {counts['accepted']} accepted, "
        f"{counts['refused']} refused, {counts['finding']} findings"
    )
    for number, reason in findings:
        print(f"  {folder_of(campaign, number)}: {reason}")
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
