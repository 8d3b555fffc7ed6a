// A tokenizer's files ("==== NAME" before each): what loads encodes and decodes.
#include "runtime/tokenizer/tokenizer.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string folder = trama::fuzz::FolderOf(
      trama::fuzz::Files(trama::fuzz::Text(data, size)),
      {"tokenizer_config.json", "vocab.json", "merges.txt", "encoder.json", "vocab.bpe",
       "vocab.txt", "tokenizer.json", "special_tokens_map.json", "added_tokens.json"});
  const auto tokenizer = trama::Tokenizer::Load(folder);
  if (!tokenizer.ok()) return 0;
  for (const char* text :
       {"", "low lower, newest! 1999", " <|endoftext|> ação\n\n 世界", "[CLS] Été"}) {
    const auto ids = (*tokenizer)->EncodeWithSpecial(text);
    if (!ids.ok()) continue;
    for (const int32_t id : *ids)
      if (id < 0 || id >= (*tokenizer)->vocab_size()) __builtin_trap();
    (void)(*tokenizer)->DecodeText(*ids);
    (void)(*tokenizer)->ForModel(*ids, *ids);
  }
  (void)(*tokenizer)->Decode({-1, 0, 1, INT32_MAX});
  return 0;
}
