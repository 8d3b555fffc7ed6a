// A fused kernel's tensors in buffers of a device.
#pragma once

#include <functional>

#include "backends/codegen/element_memory.h"

namespace trama::vulkan {

// A flat buffer, read and written in aligned vectors where they are contiguous and the buffer takes
// them, else an element at a time.
class BufferMemory : public codegen::ElementMemory {
 public:
  // `buffer(n)`: its memref of n elements at a time, asked for where an access needs it; n is 1, or
  // the builder's lanes if `vectors`.
  BufferMemory(std::function<mlir::Value(int64_t)> buffer, bool vectors)
      : buffer_(std::move(buffer)), vectors_(vectors) {}
  mlir::Value Load(codegen::Builder& b, const codegen::Address& address,
                   mlir::Value mask) const override;
  void Store(codegen::Builder& b, mlir::Value stored, const codegen::Address& address,
             mlir::Value mask) const override;

 private:
  bool IsVector(const codegen::Address& address) const {
    return vectors_ && address.stride == 1 && !address.lanes && address.aligned;
  }
  std::function<mlir::Value(int64_t)> buffer_;
  bool vectors_;
};

}  // namespace trama::vulkan
