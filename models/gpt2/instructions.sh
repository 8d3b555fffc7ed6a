#!/usr/bin/env bash
# Instruction tuning with adapters: tunes a GPT on records of instruction, input and output, has it
# answer those it has not seen, before and after, and asks it once more.
#   models/gpt2/instructions.sh [DATA] [BASE] [OUT] [EPOCHS]
# DATA: .json or .jsonl with instruction, input, output; "" makes 1,000 of three kinds.
# BASE: a GPT-2 directory with a tokenizer; "" trains a small one of bytes on the records' text.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${TRAMA_BIN:-$root/build/bin} data=${1:-} base=${2:-} out=${3:-$root/build/instructions}
mkdir -p "$out"
if [[ -z $data ]]; then
  data=$out/records.jsonl
  LC_ALL=C awk 'BEGIN {
    srand(1)
    for (i = 0; i < 1000; ++i) {
      word = rand() < 0.5 ? substr("aeiou", 1 + int(5 * rand()), 1) : ""
      for (k = 0; k < 2; ++k) word = word substr("bdfglmnprst", 1 + int(11 * rand()), 1) substr("aeiou", 1 + int(5 * rand()), 1)
      number = 10 + int(990 * rand())
      kind = int(3 * rand())
      input = kind == 1 ? number : word
      if (kind == 0) { ask = "Does the word begin with a vowel?"; answer = word ~ /^[aeiou]/ ? "Yes, it does." : "No, it does not." }
      if (kind == 1) { ask = "Is the number even?"; answer = number % 2 ? "No, it is odd." : "Yes, it is even." }
      if (kind == 2) { ask = "Name the last letter."; answer = "It is " substr(word, length(word)) "." }
      print "{\"instruction\": \"" ask "\", \"input\": \"" input "\", \"output\": \"" answer "\"}"
    }
  }' >"$data"
fi
split=(--data="$data" --splits=85/5/10)
answers=("${split[@]}" --part=test --mask_instruction --respond --max_tokens=40)
epochs=${4:-2} lr=2e-4
if [[ -z $base ]]; then
  base=$out/base epochs=${4:-6} lr=4e-3
  set -x
  "$bin/trama" train gpt "${split[@]}" --tokenizer=bytes --set=eos_token_id=0 --set=n_positions=256 \
    --set=n_layer=2 --seq_len=256 --steps=100 --batch_size=8 --optimizer=adamw --lr=2e-3 \
    --out="$base" --overwrite
fi
set -x
"$bin/trama" eval "$base" "${answers[@]}"
"$bin/trama" train "$base" --config="$root/models/gpt2/recipes/instructions.textproto" \
  --data="$data" --lora_rank=8 --lr=$lr --epochs="$epochs" --mask_instruction \
  --out="$out/tuned" --overwrite
"$bin/trama" eval "$out/tuned" "${answers[@]}" --responses="$out/responses.jsonl"
"$bin/trama" generate "$out/tuned" --instruction="Is the number even?" --input="124" --greedy \
  --max_tokens=40
