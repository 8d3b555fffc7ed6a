// What programs under AddressSanitizer add to it; linked where TRAMA_SANITIZE has it.

// Libraries stay loaded: what a Vulkan driver's own variables still point to would be a leak once
// they are gone, and a leak at exit names who made it.
extern "C" int dlclose(void*) { return 0; }
