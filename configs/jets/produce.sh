#!/bin/sh
# Jets of the NAE paper: Delphes files, then jet images. No pile-up and the ATLAS card, as in the top-tagging
# dataset (arXiv:1902.09914). About 30 minutes on one core with the default numbers; finished files are kept.
#   usage: produce.sh FOLDER [darktrigger command]
set -eu
folder=$1
shift
darktrigger=${*:-darktrigger}
here=$(dirname "$0")

# generate NAME PROCESS EVENTS SEED [options]
generate() {
    name=$1 process=$2 events=$3 seed=$4
    shift 4
    [ -e "$folder/$name.root" ] && return
    $darktrigger generate "$process" -n "$events" --seed "$seed" -o "$folder/$name.root" \
        --pileup 0 --detector embedded --card atlas --workers 1 "$@"
}

mkdir -p "$folder"
# Small files first, so that there is something of every class early on.
for part in 1 2; do
    generate "qcd-$part" qcd-jets 12500 "10${part}1"
    generate "top-$part" ttbar 12500 "10${part}2"
    generate "qcd-low-$part" qcd-jets 6500 "10${part}3" --config "$here/qcd-low.yaml"
    generate "aachen-$part" aachen 6500 "10${part}4"
    # A heavier Z' would need forward jets to stay within the window; with this one the jets' p_T is that of QCD.
    generate "heidelberg-$part" heidelberg 6000 "10${part}5" --mass 550
done
