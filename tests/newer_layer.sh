#!/usr/bin/env bash
# tests/newer_layer.sh BUILD_DIR: the vulkan backend under the validation layer of Debian's package
# chromium-common, which is newer than vulkan-validationlayers and checks barriers between dispatches
# that use descriptors. Needs apt's network; installs nothing.
set -euo pipefail
[[ -x ${1:-}/bin/trama-conformance ]] || { echo "usage: $0 BUILD_DIR (built)" >&2; exit 2; }
build=$(cd "$1" && pwd)
golden=$(cd "$(dirname "$0")" && pwd)/golden
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq chromium-common >&2
dpkg-deb --fsys-tarfile chromium-common_*.deb | tar -x --wildcards '*/libVkLayer_khronos_validation.so'
cat >layer.json <<EOF
{"file_format_version": "1.1.0",
 "layer": {"name": "VK_LAYER_KHRONOS_validation", "type": "GLOBAL", "api_version": "1.4.300",
           "library_path": "$work/usr/lib/chromium/libVkLayer_khronos_validation.so",
           "implementation_version": "1", "description": "Chromium's",
           "instance_extensions": [{"name": "VK_EXT_debug_utils", "spec_version": "1"},
                                   {"name": "VK_EXT_validation_features", "spec_version": "2"}]}}
EOF
export VK_LAYER_PATH=$work TRAMA_VULKAN_VALIDATION=1 TRAMA_VULKAN_ABI=descriptors
export VK_KHRONOS_VALIDATION_VALIDATE_SYNC=1
export VK_KHRONOS_VALIDATION_SYNCVAL_SHADER_ACCESSES_HEURISTIC=1
export VK_KHRONOS_VALIDATION_SYNCVAL_FULL_VALIDATION=1
"$build/bin/trama-conformance" --backend=vulkan | tail -1
for family in tabular attention gpt2; do
  "$build/bin/trama-oracles" "$golden" --family=$family --backend=vulkan | tail -1
done
