#!/usr/bin/env bash
# Instruction tuning with adapters: pretrains a small GPT on the records' text, tunes it, asks it.
#   models/gpt2/instructions.sh [DATA] [BASE] [OUT]
# DATA: .json or .jsonl with instruction, input, output; "" makes 300 that ask to repeat a word.
# BASE: a GPT-2 directory with a tokenizer; "" trains a small one of bytes.
set -euo pipefail
bin=${TRAMA_BIN:-build/bin} data=${1:-} base=${2:-} out=${3:-build/instructions}
mkdir -p "$out"
if [[ -z $data ]]; then
  data=$out/records.jsonl
  awk 'BEGIN {
    srand(1)
    for (i = 0; i < 300; ++i) {
      w = ""
      for (k = 0; k < 3; ++k) w = w substr("bdfglmnprst", 1 + int(11 * rand()), 1) substr("aeiou", 1 + int(5 * rand()), 1)
      print "{\"instruction\": \"Repeat the word.\", \"input\": \"" w "\", \"output\": \"" w "\"}"
    }
  }' >"$data"
fi
if [[ -z $base ]]; then
  base=$out/base
  set -x
  "$bin/trama" train gpt --data="$data" --tokenizer=bytes --set=eos_token_id=0 --seq_len=256 \
    --set=n_layer=2 --steps=300 --batch_size=8 --lr=2e-3 --out="$base" --overwrite
fi
set -x
"$bin/trama" train "$base" --config=models/gpt2/recipes/instructions.textproto --data="$data" \
  --lora_rank=8 --lr=2e-3 --mask_instruction --out="$out/tuned" --overwrite
"$bin/trama" generate "$out/tuned" --instruction="Repeat the word." --input="banana" --greedy \
  --max_tokens=40
