#include "isa.h"
#if defined(__aarch64__)
#define ISA_NEON
#define PROBE(function) probe_##function##_neon
#include <arm_neon.h>
TARGET_BEGIN_NEON
#include "probes.h"
TARGET_END
#endif
