#!/usr/bin/env bash
# recipes_test.sh SOURCE_DIR BUILD_DIR: the recipes, on the stand-ins that they make, a few steps each,
# called from another folder.
set -euo pipefail
export LC_ALL=C  # awk would read numbers by the locale
export TRAMA_BIN=$2/bin
work=$(mktemp -d "${TMPDIR:-/tmp}/trama test XXXXXX")  # paths may have spaces
trap 'rm -rf "$work"' EXIT
cd "$work"
recipes=$1/models/gpt2
fail() {
  echo "error: $*" >&2
  cat "$work/log" >&2
  exit 1
}
"$recipes/pretrain.sh" "" "$work/pretrain" 4 >"$work/out" 2>"$work/log" || fail "pretrain.sh"
grep -q '"perplexity_per_byte"' "$work/out" || fail "pretrain.sh measures nothing"
for file in metrics.svg metrics.png model/best/evaluation.json tokenizer/merges.txt; do
  [[ -s $work/pretrain/$file ]] || fail "pretrain.sh made no $file"
done

"$recipes/tokens.sh" "" "$work/tokens" 2 >"$work/out" 2>"$work/log" || fail "tokens.sh"
[[ $(grep -c '"loss_per_byte"' "$work/out") == 2 ]] || fail "tokens.sh measures not both"
# As many parameters: within one in five hundred.
grep -o '^gpt: [0-9]* parameters' "$work/log" | awk '
  { n[NR] = $2 }
  END { d = n[1] - n[2]; exit !(NR == 2 && (d < 0 ? -d : d) * 500 < n[1]) }' ||
  fail "the models of tokens.sh differ in size"

"$recipes/spam.sh" "" "$work/spam" 1 >"$work/out" 2>"$work/log" || fail "spam.sh"
grep -q '"confusion_matrix"' "$work/out" || fail "spam.sh measures nothing"
[[ $(grep -c '"label"' "$work/out") == 2 ]] || fail "spam.sh predicts nothing"

"$recipes/instructions.sh" "" "" "$work/instructions" 1 >"$work/out" 2>"$work/log" ||
  fail "instructions.sh"
[[ $(grep -c '"exact_match"' "$work/out") == 2 ]] || fail "instructions.sh measures not both"
[[ $(wc -l <"$work/instructions/responses.jsonl") == 100 ]] || fail "instructions.sh keeps no answers"
