/* A plugin that is wrong in the way that BROKEN names, for the registry's tests. */
#include <stddef.h>

#include "backends/api/plugin_api.h"

#define NULL_API 1
#define OTHER_MAJOR 2
#define NO_FUNCTIONS 3
#define SHORT_TABLE 4

TRAMA_EXPORT const TramaBackendApi* trama_backend_api(uint16_t host_major, uint16_t host_minor) {
  static TramaBackendApi api;
  (void)host_major, (void)host_minor;
  api.struct_size = sizeof(api);
  api.abi_major = TRAMA_ABI_MAJOR;
  api.abi_minor = TRAMA_ABI_MINOR;
#if BROKEN == NULL_API
  return NULL;
#elif BROKEN == OTHER_MAJOR
  api.abi_major = TRAMA_ABI_MAJOR + 1;
#elif BROKEN == SHORT_TABLE
  api.struct_size = offsetof(TramaBackendApi, status_message);
#endif
  return &api;
}
