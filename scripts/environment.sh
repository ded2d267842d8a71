# shellcheck shell=bash
# Sourced by the scripts beside it: sets `root` and `venv`, and offers prepare_environment.

# CDPATH would send `cd` elsewhere; the other two would let .venv import another environment's packages.
unset CDPATH PYTHONPATH PYTHONHOME

# Where stdin is closed, the first file that a program opens would become its stdin.
{ : 3<&0; } 2>/dev/null || exec </dev/null

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"
venv="$root/.venv"

# 6.4 GB installed, and 3 GB of downloads in the temporary folder meanwhile; another 3 GB where pip caches them.
first_install_gb=10
cached_install_gb=13
later_install_gb=1

fail() {
    printf '%s\n' "$1" >&2
    exit 2
}

# version_of PYTHON: runs it, because version managers leave commands on PATH that only print an error.
version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

is_supported() {
    [[ "$1" =~ ^3\.1[0-3]$ ]]
}

find_python() {
    local candidates=(python3 python3.13 python3.12 python3.11 python3.10 python)
    [[ -z "${PYTHON:-}" ]] || candidates=("$PYTHON")
    local candidate version found="" without_venv=""
    for candidate in "${candidates[@]}"; do
        version="$(version_of "$candidate")" || continue
        found+="${found:+, }$candidate is $version"
        is_supported "$version" || continue
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
        without_venv="$candidate"
    done
    [[ -z "$without_venv" ]] || fail "$without_venv has no venv module: install it (the package python3-venv on Debian and Ubuntu), or name another Python 3.10-3.13 with PYTHON=/path/to/python."
    fail "Python 3.10-3.13 is needed (${found:-${PYTHON:-none} does not run}): install one, or name it with PYTHON=/path/to/python."
}

# The free disk of the checkout in whole GB; nothing where it cannot be read.
free_gb() {
    df -Pk "$root" | awk 'NR == 2 && $4 ~ /^[0-9]+$/ { print int($4 / 1024 / 1024) }'
}

# has_disk GB: also true where the free disk cannot be read.
has_disk() {
    local free
    free="$(free_gb)" || return 0
    [[ -z "$free" ]] || ((free >= $1))
}

require_disk() {
    has_disk "$1" || fail "Installing needs $1 GB of free disk, and $root has $(free_gb) GB: make room, or move the checkout to a larger disk."
}

venv_works() {
    is_supported "$(version_of "$venv/bin/python")" && "$venv/bin/python" -c 'import pip' 2>/dev/null
}

make_venv() {
    local python
    python="$(find_python)"
    require_disk "$first_install_gb"
    "$python" -m venv --clear "$venv" || fail "$python could not make $venv, see above: mend that, or name another Python 3.10-3.13 with PYTHON=/path/to/python."
}

# install_requirements FILE: installs FILE, unless FILE, pyproject.toml and the path of the checkout are as they were
# at the last installation. The path matters because the environment points to it.
install_requirements() {
    local stamp="$venv/installed-$1" checksum needed="$first_install_gb" options=()
    checksum="$({ cat "$root/$1" "$root/pyproject.toml" && printf '%s' "$root"; } | cksum)"
    [[ ! -f "$stamp" || "$(<"$stamp")" != "$checksum" ]] || return 0
    [[ ! -f "$venv/installed-requirements.txt" ]] || needed="$later_install_gb"
    require_disk "$needed"
    has_disk "$cached_install_gb" || options=(--no-cache-dir)
    echo "Installing $1 into $venv (the first time takes some minutes)"
    # To pip, the "." of a requirements file is the folder in which pip runs.
    (cd -- "$root" && "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-input ${options[@]+"${options[@]}"} -r "$1") ||
        fail "Installing $1 failed, see above: check the network and the free disk, then run the same command again."
    printf '%s\n' "$checksum" >"$stamp"
}

# prepare_environment FILE...: .venv with these requirements files installed, and its python first on PATH.
prepare_environment() {
    local file
    venv_works || make_venv
    for file in "$@"; do
        install_requirements "$file"
    done
    export PATH="$venv/bin:$PATH"
}
