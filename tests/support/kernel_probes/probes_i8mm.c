#include "isa.h"
#if defined(__aarch64__)
#define ISA_NEON
#define ISA_I8MM
#define PROBE(function) probe_##function##_i8mm
#include <arm_neon.h>
TARGET_BEGIN_I8MM
#include "probes.h"
TARGET_END
#endif
