/* The decoder for ARM processors that multiply small matrices of int8, too (ARMv8.6; Apple's since the M2). */
#include "isa.h"
#if defined(__aarch64__)
#define ISA_NEON
#define ISA_I8MM
#include <arm_neon.h>
TARGET_BEGIN_I8MM
#include "forward.h"
const Isa isa_i8mm = {"i8mm", forward};
TARGET_END
#endif
