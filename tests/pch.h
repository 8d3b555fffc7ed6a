// The precompiled header of the tests.
#pragma once

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/pch.h"
