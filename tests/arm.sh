#!/usr/bin/env bash
# The kernels for ARM on a Debian of another processor: `bash tests/arm.sh [pytest arguments]` builds the C side for aarch64,
# warnings as errors, and runs the kernel tests under qemu. Needs the packages gcc-aarch64-linux-gnu, qemu-user and
# python3-pip; an arm64 Python and its packages are fetched into a folder of their own, PYQUANT_ARM if that is to be kept.
# QEMU_CPU=cortex-a72 emulates a processor without dot products.
set -euo pipefail
cd "$(dirname "$0")/.."
work=${PYQUANT_ARM:-$(mktemp -d)}
[ -n "${PYQUANT_ARM:-}" ] || trap 'rm -rf "$work"' EXIT
root=$work/root
fetch() { # a Debian that has nothing installed says what the packages need
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::lists="$work/apt/lists" \
        -o Dir::State::status="$work/apt/status" -o Dir::Cache="$work/apt" "$@"
}

if [ ! -e "$work/ready" ]; then
    mkdir -p "$work"/apt/{lists,archives}/partial "$root"
    touch "$work/apt/status"
    fetch update
    fetch install --yes --download-only --no-install-recommends python3 libpython3-dev libstdc++6
    for package in "$work"/apt/archives/*.deb; do dpkg -x "$package" "$root"; done
    version=$(readlink "$root/usr/bin/python3")
    python3 -m pip install -q --target "$work/packages" --python-version "${version#python}" --only-binary :all: \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
        setuptools numpy cffi flatbuffers click rich pillow pytest hypothesis
    touch "$work/ready"
fi

python=$(readlink "$root/usr/bin/python3")
rm -rf "$work/pyquant" && mkdir "$work/pyquant"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$work/pyquant"
cd "$work/pyquant"
export PYTHONPATH=$work/packages:$work/pyquant QEMU_LD_PREFIX=$root PYQUANT_WERROR=1
arm() { qemu-aarch64 "$root/usr/bin/$python" "$@"; }
CC="aarch64-linux-gnu-gcc --sysroot=$root -I=/usr/include/$python" arm setup.py -q build_ext --inplace
[ $# -gt 0 ] || set -- tests/test_native.py tests/test_ops.py -k 'test_native or kernels_equal'
arm -m pytest -p no:cacheprovider "$@"
