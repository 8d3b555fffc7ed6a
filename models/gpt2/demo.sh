#!/usr/bin/env bash
# The main job, command by command: a text whose entropy is known, a GPT trained on it, and how good
# what it writes is. Every command is printed before it runs, as it can be typed at a prompt.
#   models/gpt2/demo.sh [--NAME=VALUE ...]    the names and their defaults are below
# Exit status 1 where the model misses a target.
set -euo pipefail

declare -A option=(
  [bin]=build/bin                                 # where trama and trama-text are
  [out]=build/demo                                # where the text and the model go
  [text]=models/gpt2/text                         # the grammars
  [config]=models/gpt2/recipes/demo.textproto     # how to train
  [backend]=cpu
  [train_bytes]=3000000 [val_bytes]=200000
  [samples]=200 [temperature]=0.4 [top_p]=0.8
  [max_ratio]=1.15                                # validation loss / entropy rate
  [min_parsed]=0.90 [max_copies]=0.05             # of the samples
)
for argument in "$@"; do
  name=${argument%%=*} name=${name#--}
  [[ $argument == --*=* && -v option[$name] ]] || { echo "error: no option $argument" >&2; exit 2; }
  option[$name]=${argument#*=}
done
bin=${option[bin]} out=${option[out]} backend=--backend=${option[backend]}
grammars=--grammar=${option[text]}/english.grammar,${option[text]}/portuguese.grammar

show() {  # show COMMAND... [> FILE]: as it is typed
  local line='' word
  for word in "$@"; do
    [[ $word == '>' ]] && line+=' >' || line+=" $(printf '%q' "$word")"
  done
  printf '\n$%s\n' "$line"
}
run() { show "$@"; "$@"; }
to() {  # to FILE COMMAND...
  local file=$1
  shift
  show "$@" '>' "$file"
  "$@" >"$file"
}
number() { sed -n 's/.*"'"$1"'": *\([-+.0-9eE]*\).*/\1/p' "$2"; }  # number NAME FILE: of its JSON

mkdir -p "$out"
echo "1. Sentences of an English and a Portuguese grammar, and the entropy of their characters in nats."
to "$out/train.txt" "$bin/trama-text" "$grammars" --bytes="${option[train_bytes]}" --seed=1
to "$out/val.txt" "$bin/trama-text" "$grammars" --bytes="${option[val_bytes]}" --seed=2
to "$out/entropy.json" "$bin/trama-text" "$grammars" --entropy
cat "$out/entropy.json"

echo $'\n2. A small GPT learns them, character by character.'
run "$bin/trama" train gpt --data="$out/train.txt" --config="${option[config]}" "$backend" \
  --out="$out/gpt" --overwrite

echo $'\n3. Its loss on sentences that it has not seen; no model can go below the entropy.'
to "$out/eval.json" "$bin/trama" eval "$out/gpt" --data="$out/val.txt" "$backend"
cat "$out/eval.json"

echo $'\n4. It writes, and the grammars read it.'
to "$out/samples.txt" "$bin/trama" generate "$out/gpt" --prompt=$'\n' --stop=$'\n' \
  --num_samples="${option[samples]}" --temperature="${option[temperature]}" \
  --top_p="${option[top_p]}" --max_tokens=160 --seed=1 "$backend"
head -n 8 "$out/samples.txt"
to "$out/check.json" "$bin/trama-text" "$grammars" --check="$out/samples.txt" \
  --known="$out/train.txt"
cat "$out/check.json"

echo
# Where the locale has a decimal comma, mawk reads 0.6 as 0.
LC_ALL=C awk -v entropy="$(number nats_per_character "$out/entropy.json")" \
    -v loss="$(number loss "$out/eval.json")" -v parsed="$(number parsed "$out/check.json")" \
    -v copies="$(number copies "$out/check.json")" -v samples="${option[samples]}" \
    -v max_ratio="${option[max_ratio]}" -v min_parsed="${option[min_parsed]}" \
    -v max_copies="${option[max_copies]}" '
  function target(met, text) {
    print (met ? "  ok      " : "  MISSED  ") text
    if (!met) missed = 1
  }
  BEGIN {
    print "What it came to:"
    target(loss > 0 && loss <= max_ratio * entropy,
           sprintf("validation loss %.3f, entropy %.3f nats a character: ratio %.3f (at most %.2f)",
                   loss, entropy, loss / entropy, max_ratio))
    target(parsed >= min_parsed * samples,
           sprintf("%d of %d sentences parse (at least %.0f %%)", parsed, samples, 100 * min_parsed))
    target(copies < max_copies * samples || copies == 0,
           sprintf("%d of %d stand in the training text (under %.0f %%)", copies, samples,
                   100 * max_copies))
    exit missed
  }'
printf 'The model is in %s: %q generate %q --prompt='\''The '\''\n' "$out/gpt" "$bin/trama" "$out/gpt"
