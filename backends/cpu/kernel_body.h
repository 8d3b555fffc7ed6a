// How the cpu backend's emitters read and write what codegen/kernel_body.h addresses: vectors of
// the target's lanes, the last one masked.
#pragma once

#include "backends/codegen/kernel_body.h"

namespace trama::cpu {

using codegen::Access;
using codegen::ArrayRef;
using codegen::Builder;
using codegen::ElementIndex;
using codegen::Epilogue;
using codegen::FindAnchor;
using codegen::MergeDimensions;
using codegen::Output;
using codegen::OutputsOf;
using codegen::ReadAccess;
using codegen::ShapeOf;
using codegen::SmallVector;
using codegen::Value;
using codegen::ValueRange;

// The buffers of a phase as flat memrefs, in the order of Access::buffer.
SmallVector<Value> FlatBuffers(Builder& b, const codegen::PhaseArguments& arguments);

// `live` elements from `at` on along the last dimension as a vector of b.lanes (bool as i1); lanes
// from `live` on are not read.
Value LoadLanes(Builder& b, ArrayRef<Value> buffers, const Access& access, ValueRange at,
                int64_t live);
void StoreLanes(Builder& b, Value vector, ArrayRef<Value> buffers, const Access& access,
                ValueRange at, int64_t live);

// Computes and stores `live` elements of the epilogue at `at`, where the anchor is `accumulator`.
void EmitEpilogue(Builder& b, const Epilogue& epilogue, ArrayRef<Value> buffers, ValueRange at,
                  Value accumulator, int64_t live);

}  // namespace trama::cpu
