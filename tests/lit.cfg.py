# The lit suites: tests/ops, tests/passes and tests/tools. ctest runs each folder; see tests/CMakeLists.txt.
import os

import lit.formats

config.name = "trama"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.test_source_root = os.path.dirname(__file__)
config.environment["PATH"] = os.pathsep.join(
    [config.trama_tools_dir, config.llvm_tools_dir, os.environ["PATH"]]
)
# lit puts paths in as they are; that of a checkout may have spaces.
for path in ("%s", "%t"):
    config.substitutions.append((path + r"\b", '"%s"' % path))
# Compiled kernels are cached here, not where the user has theirs.
config.environment["XDG_CACHE_HOME"] = os.path.join(config.test_exec_root, "cache")
for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "HOME"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
