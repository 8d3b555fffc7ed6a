#!/usr/bin/env bash
# The demo's pipeline at a tiny scale: it runs through with targets that anything meets, and fails by
# the targets that it ships with.  usage: demo_test.sh SOURCE_DIR BUILD_DIR
set -euo pipefail
cd "$1"
work=$(mktemp -d "${TMPDIR:-/tmp}/trama test XXXXXX")  # paths may have spaces
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache
fail() { echo "FAILED: $*" >&2; cat "$work/log" >&2; exit 1; }

# A locale with a decimal comma need not be there: this awk refuses any but C.
mkdir "$work/bin"
cat >"$work/bin/awk" <<AWK
#!/bin/sh
[ "\$LC_ALL" = C ] || { echo "awk reads numbers by the locale '\$LC_ALL'" >&2; exit 3; }
exec $(command -v awk) "\$@"
AWK
chmod +x "$work/bin/awk"
export LC_ALL=C.UTF-8 PATH=$work/bin:$PATH

cat >"$work/tiny.textproto" <<'TINY'
steps: 30
seq_len: 32
lr: 3e-3
set: "n_layer=1"
set: "n_embd=32"
TINY
demo() {
  models/gpt2/demo.sh --bin="$2/bin" --out="$work/demo" --config="$work/tiny.textproto" \
    --train_bytes=100000 --val_bytes=2000 --samples=4 "${@:3}" >"$work/log" 2>&1
}
demo "$@" --max_ratio=10 --min_parsed=0 || fail 'the demo'
grep -qF "\$ $(printf '%q train gpt %q' "$2/bin/trama" "--data=$work/demo/train.txt")" "$work/log" || fail 'commands are not shown'
[[ $(grep -c '^  ok  ' "$work/log") == 3 ]] || fail 'not three targets met'
[[ $(wc -l <"$work/demo/samples.txt") -ge 4 ]] || fail 'not four samples'
grep -q '"n_layer": 1,' "$work/demo/gpt/config.json" || fail 'set: in the recipe is ignored'

demo "$@" && fail 'a model that knows nothing met the targets'
[[ $(grep -c '^  MISSED  ' "$work/log") == 2 ]] || fail 'not two targets missed'
demo "$@" --sample=3 && fail '--sample is no option'
[[ $(cat "$work/log") == 'error: no option --sample=3' ]] || fail 'an unknown option'
