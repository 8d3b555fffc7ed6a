/* The C ABI between Trama and a backend: all that a plugin author must read beside plan.proto.
 *
 * A plugin is a shared object `trama_backend_NAME.so` that exports one symbol,
 * trama_backend_api. Every function may be called from one thread at a time for a device. A
 * function that can fail returns NULL for success or a status that the caller frees. Strings are
 * not zero-terminated. Versions: see CHANGELOG.md. */
#ifndef TRAMA_BACKENDS_API_PLUGIN_API_H_
#define TRAMA_BACKENDS_API_PLUGIN_API_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TRAMA_ABI_MAJOR 1
#define TRAMA_ABI_MINOR 1

typedef struct TramaStr {
  const char* data;
  size_t size;
} TramaStr;

typedef struct TramaStatus TramaStatus;         /* an error; NULL is success */
typedef struct TramaDevice TramaDevice;         /* an opened device */
typedef struct TramaBuffer TramaBuffer;         /* memory of a device */
typedef struct TramaExecutable TramaExecutable; /* a loaded plan */

typedef struct TramaBackendApi {
  uint32_t struct_size; /* sizeof(TramaBackendApi) where the plugin was built */
  uint16_t abi_major, abi_minor;
  TramaStr name;

  int (*status_code)(const TramaStatus*); /* absl::StatusCode, by its name below */
  TramaStr (*status_message)(const TramaStatus*);
  void (*status_free)(TramaStatus*);

  /* options: a list "key=value" separated by newlines: device, threads, precision, cache_dir.
   * Unknown keys are ignored. */
  TramaStatus* (*open)(TramaStr options, TramaDevice** out);
  void (*close)(TramaDevice*); /* its buffers and executables must be gone */
  /* JSON: alignment, max_block_bytes, memory_bytes, kernels ("*": compiles any body, or
   * "add,matmul,softmax": kinds and ops it has), device, features ("bf16_products",
   * "f16_products": its products take operands of that type, sum in f32 and give f32; without,
   * operands are widened in kernels before them); devices (their number, where the option `device`
   * chooses one), driver, type, api, limits (an object), for people. Lives as long as the device.
   */
  TramaStr (*info)(TramaDevice*);

  /* Zero-filled. RESOURCE_EXHAUSTED where the device has not so much. */
  TramaStatus* (*alloc)(TramaDevice*, size_t bytes, TramaBuffer** out);
  void (*free_buffer)(TramaBuffer*);
  /* `bytes` bytes of the buffer from byte `at` on. OUT_OF_RANGE where they are not inside it. */
  TramaStatus* (*write)(TramaBuffer*, size_t at, const void* src, size_t bytes);
  TramaStatus* (*read)(TramaBuffer*, size_t at, void* dst, size_t bytes);
  /* The buffer's memory if the host can address it, else NULL. */
  void* (*map)(TramaBuffer*);

  /* plan: a serialized trama.plan.Plan, gone when load returns. */
  TramaStatus* (*load)(TramaDevice*, TramaStr plan, TramaExecutable** out);
  void (*unload)(TramaExecutable*);
  /* Starts programs[program] of the plan over one buffer a block; wait() waits for its end. */
  TramaStatus* (*run)(TramaExecutable*, uint32_t program, TramaBuffer* const* blocks,
                      size_t num_blocks);
  /* UNAVAILABLE and DEADLINE_EXCEEDED, of run too: the device and its buffers are lost. */
  TramaStatus* (*wait)(TramaDevice*);
  /* JSON about a loaded plan: workspace_bytes, compiled and cached kernels, compile_ms, and where
   * profiling is on the time of each dispatch. Lives until the next call. */
  TramaStr (*statistics)(TramaExecutable*);

  /* Since 1.1. What kernel `kernel` of the plan became, as text to read: assembly, SPIR-V. Lives
   * until the next call. */
  TramaStatus* (*code)(TramaExecutable*, uint32_t kernel, TramaStr* out);
} TramaBackendApi;

/* Whether `api` was built with function `fn` and has it. */
#define TRAMA_HAS(api, fn) \
  ((api)->struct_size >= offsetof(TramaBackendApi, fn) + sizeof((api)->fn) && (api)->fn)

#if defined(_WIN32)
#define TRAMA_EXPORT __declspec(dllexport)
#else
#define TRAMA_EXPORT __attribute__((visibility("default")))
#endif

/* The one exported symbol. NULL if the plugin cannot serve a host of this version. */
TRAMA_EXPORT const TramaBackendApi* trama_backend_api(uint16_t host_major, uint16_t host_minor);

#ifdef __cplusplus
}
#endif
#endif /* TRAMA_BACKENDS_API_PLUGIN_API_H_ */
