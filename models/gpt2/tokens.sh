#!/usr/bin/env bash
# Byte pairs or characters? Two GPTs of as many parameters, the same steps, one text: their losses a
# byte of the text's end, and a sample of each.
#   models/gpt2/tokens.sh [TEXT] [OUT] [STEPS]    TEXT: a .txt; "" makes one of two small grammars
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${TRAMA_BIN:-$root/build/bin} text=${1:-} out=${2:-$root/build/tokens} steps=${3:-1500} vocabulary=1024
mkdir -p "$out"
if [[ -z $text ]]; then
  text=$out/text.txt grammars=$root/models/gpt2/text
  "$bin/trama-text" --grammar="$grammars/english.grammar,$grammars/portuguese.grammar" \
    --bytes=400000 --seed=1 >"$text"
fi
tail -n $(($(wc -l <"$text") * 9 / 100)) "$text" >"$out/end.txt"
# The byte pairs' larger embedding is made up for in the characters' inner layers: 257 parameters a
# unit in each of 4 blocks.
characters=$(($(LC_ALL=C.UTF-8 grep -o . "$text" | LC_ALL=C sort -u | wc -l) + 1))  # and the line's end
inner=$((512 + (vocabulary - characters) * 128 / (4 * 257)))
train=("$bin/trama" train gpt --config="$root/models/gpt2/recipes/pretrain.textproto" --data="$text"
  --steps="$steps" --overwrite)
set -x
"$bin/trama" tokenizer train --kind=bpe --data="$text" --vocab_size=$vocabulary \
  --out="$out/tokenizer" --overwrite
"${train[@]}" --tokenizer="$out/tokenizer" --out="$out/pairs"
"${train[@]}" --tokenizer=chars --set=n_inner=$inner --out="$out/characters"
for model in pairs characters; do
  "$bin/trama" eval "$out/$model/best" --data="$out/end.txt" --seq_len=128 --stride=32
  "$bin/trama" generate "$out/$model/best" --prompt=$'\n' --max_tokens=300 --temperature=0.8 \
    --top_k=40 --seed=1
done
