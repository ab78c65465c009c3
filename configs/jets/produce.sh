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
generate qcd-1 qcd-jets 25000 1001
generate top-1 ttbar 25000 1002
generate qcd-low-1 qcd-jets 13000 1003 --config "$here/qcd-low.yaml"
generate aachen-1 aachen 13000 1004
# A Z' that is heavier would need forward jets to stay within the window; so light, the jets' p_T is that of QCD.
generate heidelberg-1 heidelberg 12000 1005 --mass 550
generate qcd-2 qcd-jets 25000 1011
generate top-2 ttbar 25000 1012
