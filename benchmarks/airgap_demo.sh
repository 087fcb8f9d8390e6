#!/usr/bin/env bash
# airgap_demo.sh BIN FOLDER MODEL...: from a bundle to a finished `mollia demo` without a network.
#
# BIN is the bin folder of an environment that mollia and the models are installed in. With the network: wheels of
# mollia and its dependencies (FOLDER/wheels, made once; mollia's own each time) and a bundle. Then, in a network namespace without an
# interface and with a models' home of its own: verify, make an environment, install, check, run the demo.
set -euo pipefail
bin=$(realpath "$1") folder=$2
shift 2
mkdir -p "$folder"
wheel=("$bin/python" -m pip wheel --quiet --wheel-dir "$folder/wheels" --constraint constraints.txt)
rm -f "$folder"/wheels/mollia-*.whl
if [ ! -d "$folder/wheels" ]; then
    echo "compiling llama.cpp for every kind of x86-64 processor, which takes about 5 minutes on two cores"
    portable="-DCMAKE_PROJECT_INCLUDE=\"$PWD/release/llama.cmake\" -DMOLLIA_PORTABLE=ON"
    CMAKE_ARGS=$portable "${wheel[@]}" --no-cache-dir --no-deps llama-cpp-python
    "${wheel[@]}" --find-links "$folder/wheels" .
else
    "${wheel[@]}" --no-deps .
fi
rm -rf "$folder/bundle.tar" "$folder/other"
"$bin/mollia" bundle -o "$folder/bundle.tar" "$@" --wheels "$folder/wheels"
mkdir "$folder/other"
cd "$folder/other"
export MOLLIA_HOME=$PWD/home PYTHON=${PYTHON:-python3}
unshare --map-root-user --net bash -euo pipefail -c '
    ! (exec 3<>/dev/tcp/192.0.2.1/9) 2>/dev/null || { echo "there is a network" >&2; exit 1; }
    tar -xf ../bundle.tar install.py
    "$PYTHON" install.py ../bundle.tar venv
    venv/bin/mollia doctor
    venv/bin/mollia demo'
