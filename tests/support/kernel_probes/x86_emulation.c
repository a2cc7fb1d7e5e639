/* In place of processor.c where x86_emulation.h is included: the emulated processor has every instruction. */
#include "isa.h"

uint32_t processor_features(void) { return ~0u; }
