// What programs under a sanitizer add to it; linked where TRAMA_SANITIZE is set.

// Libraries stay loaded: what a Vulkan driver's own variables still point to would be a leak once
// they are gone, and a leak at exit names who made it.
extern "C" int dlclose(void*) { return 0; }

// Validation layers, drivers and fontconfig keep memory of their own. Vulkan objects of ours that
// are not destroyed are the validation layer's to report, and tests fail on its messages.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libVkLayer_\nleak:libvulkan_\nleak:libfontconfig\n";
}

// Debian's LLVM is not instrumented: what it orders by guards and atomics of its own looks
// unordered.
extern "C" const char* __tsan_default_suppressions() { return "race:libLLVM\n"; }
