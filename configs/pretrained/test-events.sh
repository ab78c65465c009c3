#!/bin/sh
# Events with pile-up that the pretrained models are judged by (docs/results.md): qcd1 to qcd4 and the signals. The
# pretrained pair's independent scores are learnt from qcd5 to qcd22, and its closure is tested with qcd23 to qcd32 as
# well. About two hours of one core; finished files are kept.
#   usage: test-events.sh FOLDER
set -eu
folder=$1
mkdir -p "$folder"

# sample NAME PROCESS EVENTS SEED [mass of a signal [least generator-level HT]], GeV
sample() {
    name=$folder/$1 process=$2 events=$3 seed=$4 mass=${5:-0} ht=${6:-0}
    if [ ! -e "$name.root" ]; then
        darktrigger generate "$process" -n "$events" --seed "$seed" -o "$name.root" \
            $([ "$mass" = 0 ] || echo --mass "$mass") $([ "$ht" = 0 ] || echo --ht-filter "$ht")
    fi
    if [ ! -e "$name.parquet" ]; then
        darktrigger image "$name.root" -o "$name.parquet" --process "$process" --mass "$mass"
    fi
}

sample qcd1 qcd 6000 90101
for i in $(seq 2 32); do
    sample "qcd$i" qcd 10000 $((90101 + i))
done
sample suep125 suep 9000 90301 125 300
sample suep200 suep 3000 90901 200 300
sample suep200b suep 7000 92901 200 300
sample suep300 suep 2600 91001 300 300
sample suep300b suep 8000 92001 300 300
sample suep400 suep 2600 90501 400 300
sample suep400b suep 10000 92501 400 300
sample suep700 suep 2000 90701 700
sample suep700b suep 8500 92701 700
sample suep1000 suep 1400 90601 1000
sample suep1000b suep 8500 92601 1000
sample svj2100 svj 1500 90401 2100
sample svj2100b svj 900 92401 2100
sample svj3100 svj 1500 90201 3100
sample svj3100b svj 800 92201 3100
sample svj4100 svj 1300 90801 4100
sample svj4100b svj 900 92801 4100
