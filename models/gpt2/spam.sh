#!/usr/bin/env bash
# A classifier of messages: trains, tests on what it has not seen, reads two new messages.
#   models/gpt2/spam.sh [DATA] [OUT] [EPOCHS]    DATA: lines of label TAB text; "" makes 600 simple ones
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${TRAMA_BIN:-$root/build/bin} data=${1:-} out=${2:-$root/build/spam}
mkdir -p "$out"
if [[ -z $data ]]; then
  data=$out/messages.tsv
  LC_ALL=C awk 'BEGIN {
    srand(1)
    split("mum dad Ana Leo Rita Paulo coach boss", who, " ")
    split("dinner lunch class home work football", what, " ")
    split("prize phone holiday cash-award ringtone", prize, " ")
    for (i = 0; i < 600; ++i) {
      w = who[1 + int(8 * rand())]; e = what[1 + int(6 * rand())]; p = prize[1 + int(5 * rand())]
      n = 10000 + int(80000 * rand())
      if (rand() < 0.3) print "spam\t" (rand() < 0.5 ? "WINNER! You have won a " p ", call " n " now" : "Free " p "! Text YES to " n)
      else print "ham\t" (rand() < 0.5 ? "Hi " w ", see you at " e " at " int(12 * rand()) : "is " w " coming to " e "? call me")
    }
  }' >"$data"
fi
split=(--data="$data" --balance --splits=70/10/20)
set -x
"$bin/trama" train gpt --config="$root/models/gpt2/recipes/spam.textproto" --data="$data" \
  --epochs="${3:-8}" --out="$out/model" --overwrite
"$bin/trama" eval "$out/model" "${split[@]}" --part=test
printf '%s\n' 'You are a winner you have been specially selected to receive $1000 cash or a $2000 award.' \
  "Hey, just wanted to check if we're still on for dinner tonight? Let me know!" >"$out/new.txt"
"$bin/trama" predict "$out/model" --input="$out/new.txt"
