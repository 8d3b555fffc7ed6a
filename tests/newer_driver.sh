#!/usr/bin/env bash
# tests/newer_driver.sh BUILD_DIR [FOLDER]: the vulkan backend on the Mesa and under the validation layer of
# a newer Debian (sid; SUITE=.. is another), with synchronization validation and in both ABIs: conformance,
# its unit tests, oracles. FOLDER (default: one that is removed again) gets that Debian's packages, unpacked
# and not installed; the programs of BUILD_DIR run with its C library. Needs apt's network, no rights.
set -euo pipefail
[[ -x ${1:-}/bin/trama-conformance ]] || { echo "usage: $0 BUILD_DIR [FOLDER] (built)" >&2; exit 2; }
build=$(cd "$1" && pwd)
golden=$(cd "$(dirname "$0")" && pwd)/golden
work=${2:-}
if [[ -z $work ]]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
mkdir -p "$work" && work=$(cd "$work" && pwd)
root=$work/root
lib=$root/usr/lib/$(uname -m)-linux-gnu

unpack() {
  local mirror options
  mkdir -p "$work"/{state/lists/partial,cache/archives/partial}
  : >"$work/status"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep '/debian/\?$' | head -1)
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror ${SUITE:-sid} main" >"$work/sources.list"
  # No package counts as installed, so all that the drivers depend on comes along.
  options=(-qq -o "Dir::State=$work/state" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o Debug::NoLocking=1
    -o APT::Sandbox::User=)
  apt-get "${options[@]}" update
  apt-get "${options[@]}" install -y --no-install-recommends --download-only \
    libc6 libvulkan1 mesa-vulkan-drivers spirv-tools vulkan-validationlayers >&2
  mkdir -p "$root"
  for package in "$work"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root"
  done
  rm -rf "$work"/{state,cache,status}
}
[[ -e $lib/libvulkan_lvp.so ]] || unpack

# Manifests with the libraries' paths.
mkdir -p "$work/layer"
absolute() { sed "s#\"library_path\": \"\(.*/\)\?\([^/\"]*\)\"#\"library_path\": \"$lib/\2\"#" "$1"; }
absolute "$root"/usr/share/vulkan/icd.d/lvp_icd*.json >"$work/lvp.json"
absolute "$root"/usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json >"$work/layer/layer.json"
export VK_ICD_FILENAMES=$work/lvp.json VK_LAYER_PATH=$work/layer TRAMA_VULKAN_VALIDATION=1
export VK_KHRONOS_VALIDATION_VALIDATE_SYNC=1
export VK_KHRONOS_VALIDATION_SYNCVAL_SHADER_ACCESSES_HEURISTIC=1
export VK_KHRONOS_VALIDATION_SYNCVAL_FULL_VALIDATION=1

# The build's own LLVM and MLIR, then the newer Debian's libraries, then what that has not.
llvm=$(dirname "$(ldd "$build/lib/libtrama.so" | awk '/libLLVM/ { print $3 }')")
newer() {
  "$lib"/ld-linux-*.so.2 --library-path "$llvm:$lib:/usr/lib/$(uname -m)-linux-gnu" "$@"
}

# The unit tests' spirv-val: Debian 12's knows no cooperative matrices.
printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' "$(echo "$lib"/ld-linux-*.so.2)" "$lib" \
  "$root/usr/bin/spirv-val" >"$work/spirv-val"
chmod +x "$work/spirv-val"
export TRAMA_SPIRV_VAL=$work/spirv-val

failed=0
check() { # check NAME COMMAND...: its last line, all of it where it fails
  local name=$1 log=$work/log
  shift
  if newer "$@" >"$log" 2>&1; then
    echo "$name: $(tail -1 "$log")"
  else
    failed=1
    cat "$log"
    echo "$name: FAILED"
  fi
}
newer "$build/bin/trama" devices
for abi in address descriptors; do
  export TRAMA_VULKAN_ABI=$abi
  check "conformance ($abi)" "$build/bin/trama-conformance" --backend=vulkan
  for family in tabular attention gpt2; do
    check "oracles $family ($abi)" "$build/bin/trama-oracles" "$golden" --family=$family --backend=vulkan
  done
done
unset TRAMA_VULKAN_ABI # the unit tests choose
for test in "$build"/tests/vulkan_*_test; do
  check "$(basename "$test")" "$test" --gtest_brief=1
done
exit $failed
