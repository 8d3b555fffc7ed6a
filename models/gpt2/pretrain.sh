#!/usr/bin/env bash
# From a book to a model that goes on with it: learns a vocabulary of byte pairs, pretrains a small
# GPT on its tokens, draws the losses, measures the best parameters and lets them write.
#   models/gpt2/pretrain.sh [BOOK] [OUT] [STEPS]    BOOK: a .txt; "" makes one of two small grammars
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${TRAMA_BIN:-$root/build/bin} book=${1:-} out=${2:-$root/build/pretrain} steps=${3:-1500}
mkdir -p "$out"
if [[ -z $book ]]; then
  book=$out/book.txt
  text=$root/models/gpt2/text
  "$bin/trama-text" --grammar="$text/english.grammar,$text/portuguese.grammar" --bytes=400000 \
    --seed=1 >"$book"
fi
# The end of the book, which training does not see.
tail -n $(($(wc -l <"$book") * 9 / 100)) "$book" >"$out/end.txt"
set -x
"$bin/trama" tokenizer train --kind=bpe --data="$book" --vocab_size=1024 --out="$out/tokenizer" \
  --overwrite
"$bin/trama" train gpt --config="$root/models/gpt2/recipes/pretrain.textproto" --data="$book" \
  --tokenizer="$out/tokenizer" --steps="$steps" --metrics="$out/metrics.jsonl" --out="$out/model" \
  --overwrite
"$bin/trama" plot "$out/metrics.jsonl"
"$bin/trama" eval "$out/model/best" --data="$out/end.txt" --seq_len=128 --stride=32
"$bin/trama" generate "$out/model/best" --prompt=$'\n' --max_tokens=100 --temperature=0.8 --top_k=40
