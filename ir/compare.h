// What trama.compare's predicates mean.
#pragma once

#include "ir/dialect.h"
#include "llvm/Support/ErrorHandling.h"

namespace trama {

template <typename T>
bool Holds(ComparePredicate predicate, T lhs, T rhs) {
  switch (predicate) {
    case ComparePredicate::eq:
      return lhs == rhs;
    case ComparePredicate::ne:
      return lhs != rhs;
    case ComparePredicate::lt:
      return lhs < rhs;
    case ComparePredicate::le:
      return lhs <= rhs;
    case ComparePredicate::gt:
      return lhs > rhs;
    case ComparePredicate::ge:
      return lhs >= rhs;
  }
  llvm_unreachable("every predicate is above");
}

}  // namespace trama
