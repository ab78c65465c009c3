#!/bin/sh
# Jets of the NAE paper: Delphes files, then jet images. No pile-up, no multiparton interactions and the ATLAS card, as
# in the top-tagging dataset (arXiv:1902.09914). About 30 minutes of one core; finished files are kept.
#   usage: produce.sh FOLDER [darktrigger command]
set -eu
folder=$1
shift
darktrigger=${*:-darktrigger}
here=$(dirname "$0")

# sample NAME WINDOW PROCESS EVENTS SEED [options of generate]
sample() {
    name=$1 window=$2 process=$3 events=$4 seed=$5
    shift 5
    if [ ! -e "$folder/$name.root" ]; then
        $darktrigger generate "$process" -n "$events" --seed "$seed" -o "$folder/$name.root" \
            --pileup 0 --detector embedded --card atlas --workers 1 "$@"
    fi
    if [ ! -e "$folder/$name.parquet" ]; then
        $darktrigger image-jets "$folder/$name.root" -o "$folder/$name.parquet" --window "$window" --process "$process" \
            --mass "$(mass_of "$process")"
    fi
}

# Mass of the Z', GeV. A Heidelberg Z' of 2 TeV leaves only forward jets in the window; with this one the p_T of its
# jets is spread as that of the QCD jets is.
mass_of() {
    case $1 in
        aachen) echo 2000 ;;
        heidelberg) echo 550 ;;
        *) echo 0 ;;
    esac
}

mkdir -p "$folder"
# Small files, so that there is something of every class early on.
sample aachen-1 dark aachen 8000 1014
sample heidelberg-1 dark heidelberg 6500 1015 --mass "$(mass_of heidelberg)"
for part in 1 2 3 4; do
    sample "qcd-low-$part" dark qcd-jets 13000 "10${part}3" --config "$here/qcd-low.yaml"
    sample "qcd-$part" top qcd-jets 25000 "10${part}1"
    sample "top-$part" top ttbar 25000 "10${part}2"
done
sample qcd-5 top qcd-jets 25000 1051
