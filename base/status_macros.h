// Propagation of absl::Status, which Debian's Abseil has without macros.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define TRAMA_CONCAT_INNER_(a, b) a##b
#define TRAMA_CONCAT_(a, b) TRAMA_CONCAT_INNER_(a, b)

// Returns the status of `expr` from the enclosing function unless it is OK.
#define TRAMA_RETURN_IF_ERROR(expr)                       \
  do {                                                    \
    if (absl::Status trama_status_ = (expr); !trama_status_.ok()) return trama_status_; \
  } while (false)

// TRAMA_ASSIGN_OR_RETURN(auto x, F()): x = *F(), or returns F()'s status.
#define TRAMA_ASSIGN_OR_RETURN(lhs, expr) \
  TRAMA_ASSIGN_OR_RETURN_(TRAMA_CONCAT_(trama_statusor_, __LINE__), lhs, expr)
#define TRAMA_ASSIGN_OR_RETURN_(tmp, lhs, expr) \
  auto tmp = (expr);                            \
  if (!tmp.ok()) return std::move(tmp).status(); \
  lhs = *std::move(tmp)
