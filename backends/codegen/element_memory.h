// How code that computes element by element reads and writes a tensor: what differs by backend.
#pragma once

#include "backends/codegen/builder.h"

namespace trama::codegen {

// Where elements lie in row-major order: one, or a vector of them, lane l at
// base + l * stride + lanes[l].
struct Address {
  Value base;          // index
  int64_t stride = 0;  // elements from lane to lane
  Value lanes;         // vector of index, or null
  // `base` is a multiple of the builder's lanes.
  bool aligned = false;

  bool IsScalar() const { return stride == 0 && !lanes; }
};

// A tensor's memory. Elements are as stored: bool as i8.
class ElementMemory {
 public:
  virtual ~ElementMemory() = default;
  // A scalar where the address is one's, else a vector of the builder's lanes. Lanes off the mask
  // (i1, null: all on) are not accessed.
  virtual Value Load(Builder& b, const Address& address, Value mask) const = 0;
  virtual void Store(Builder& b, Value stored, const Address& address, Value mask) const = 0;
};

}  // namespace trama::codegen
