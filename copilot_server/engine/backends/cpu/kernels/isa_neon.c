/* The decoder for ARM processors with 64 bits and int8 dot products (ARMv8.2; all of Apple's M series). */
#include "isa.h"
#if defined(__aarch64__)
#define ISA_NEON
#include <arm_neon.h>
TARGET_BEGIN_NEON
#include "forward.h"
const Isa isa_neon = {"neon", forward};
TARGET_END
#endif
