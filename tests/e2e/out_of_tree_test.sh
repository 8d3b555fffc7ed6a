#!/usr/bin/env bash
# Installs Trama, moves what was installed, builds the examples against it as projects of their own
# and runs them.  usage: out_of_tree_test.sh SOURCE_DIR BUILD_DIR
set -euo pipefail
export LC_ALL=C  # awk would read numbers by the locale
source=$1 build=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/trama test XXXXXX")  # paths may have spaces
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache
fail() { echo "FAILED: $*" >&2; exit 1; }

cmake --install "$build" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/prefix"
grep -rlF -e "$source" -e "$work/first" "$work/prefix/lib/cmake" "$work/prefix/include" &&
  fail 'an installed file names the checkout or the folder it was installed to'
plugins=$(cd "$work/prefix/lib/trama/plugins" && ls | grep -v vulkan | xargs)  # built where it can be
[[ $plugins == 'trama_backend_check.so trama_backend_cpu.so trama_backend_reference.so' ]] ||
  fail "installed plugins: $plugins"
empty=$(find "$work/prefix" -type d -empty)
[[ -z $empty ]] || fail "installed and empty: $empty"

for example in my_model my_backend; do
  cp -r "$source/examples/$example" "$work/$example"
  cmake -G Ninja -S "$work/$example" -B "$work/$example/build" -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/log" 2>&1 &&
    cmake --build "$work/$example/build" >"$work/log" 2>&1 || { cat "$work/log"; fail "$example does not build"; }
done

# my_model trains and generates, with the cache as without.
model=$work/my_model/build/my_model
"$work/prefix/bin/trama-text" --grammar="$source/models/gpt2/text/english.grammar" --bytes=20000 >"$work/text.txt"
"$model" train my-model --data="$work/text.txt" --steps=20 --lr=3e-3 --seq_len=32 --set=width=32 \
  --metrics="$work/metrics.jsonl" --out="$work/trained" --quiet >/dev/null
losses=$(sed -n 's/.*"loss": *\([0-9.e+-]*\).*/\1/p' "$work/metrics.jsonl")
[[ $(wc -l <<<"$losses") == 20 ]] || fail "not 20 steps: $losses"
awk '{ loss[NR] = $1 } END { exit !(loss[NR] < loss[1] - 0.3) }' <<<"$losses" || fail "it does not learn: $losses"
generate() { "$model" generate "$work/trained" --prompt='The ' --max_tokens=60 --greedy --ids "$@"; }
with=$(generate) without=$(generate --no_cache)
[[ $(wc -w <<<"$with") == 60 ]] || fail "not 60 ids: $with"
[[ $with == "$without" ]] || fail "with the cache: $with; without: $without"
"$model" generate "$work/trained" --prompt=x --backend=cpv 2>"$work/log" && fail 'cpv is no backend'
grep -q 'did you mean cpu' "$work/log" || fail "$(cat "$work/log")"

# my_backend, which saw nothing but the API's two files, is found and trains as the reference does.
export TRAMA_PLUGIN_PATH=$work/my_backend/build
trama=$work/prefix/bin/trama
"$trama" devices | grep -q '^my_backend ' || fail 'trama devices does not list my_backend'
printf 'a,b,y\n1,2,0\n2,1,1\n-1,3,0\n3,-1,1\n' >"$work/rows.csv"
for backend in reference my_backend; do
  "$trama" train logistic-regression --data="$work/rows.csv" --target=y --optimizer=sgd --lr=0.5 --steps=20 \
    --batch_size=0 --backend=$backend --out="$work/by_$backend" --quiet >/dev/null
  "$trama" eval "$work/by_$backend" --data="$work/rows.csv" --backend=reference >"$work/by_$backend.json"
done
loss() { sed -n 's/.*"loss": *\([0-9.e+-]*\).*/\1/p' "$work/by_$1.json"; }
awk -v a="$(loss reference)" -v b="$(loss my_backend)" 'BEGIN { exit !(a > 0 && a < 0.3 && (a - b) ^ 2 < 1e-10) }' ||
  fail "reference: $(loss reference), my_backend: $(loss my_backend)"
