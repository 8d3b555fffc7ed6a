// A model's Config as a config.json.
#pragma once

#include "base/config.h"
#include "runtime/formats/json.h"

namespace trama {

// The members that a Config can hold: nested objects and arrays of anything but strings stay out.
Config ConfigFromJson(const Json& json);
// The values by key, in alphabetical order.
Json ConfigToJson(const Config& config);

}  // namespace trama
