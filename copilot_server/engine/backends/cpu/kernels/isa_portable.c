/* The decoder for any other processor, in vectors of four that the compiler translates. */
#include "isa.h"
#include "forward.h"
const Isa isa_portable = {"portable", forward};
