// One of the wrong backends as a plugin; WRONG says how.
#include "tests/plugins/wrong.h"

static absl::StatusOr<std::unique_ptr<trama::plugin::DeviceBase>> Open(
    const trama::plugin::Options&) {
  return trama::OpenWrong(WRONG);
}

TRAMA_BACKEND("wrong_" WRONG, Open)
