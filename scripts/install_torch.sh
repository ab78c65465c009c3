#!/bin/sh
# Install the CPU build of torch where pip can find one, else what pip takes by itself.
# usage: install_torch.sh PYTHON VERSION
set -eu
python=$1
version=$2
pip="$python -m pip install --quiet"

$python -c 'import torch' 2>/dev/null && exit 0
# On Linux the plain wheel brings several GB of CUDA libraries; "+cpu" names the build without them.
$pip "torch==$version+cpu" 2>/dev/null && exit 0
$pip "torch==$version" --index-url https://download.pytorch.org/whl/cpu --timeout 15 --retries 1 2>/dev/null && exit 0
$pip "torch==$version" 2>/dev/null || $pip torch
