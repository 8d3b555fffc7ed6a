// Backends that are wrong in one way each, for the tests of conformance and of check.
#pragma once

#include <memory>
#include <string_view>

#include "backends/api/plugin.h"

namespace trama {

// The reference, but wrong. how: see the table in wrong.cc.
absl::StatusOr<std::unique_ptr<plugin::DeviceBase>> OpenWrong(std::string_view how);

}  // namespace trama
