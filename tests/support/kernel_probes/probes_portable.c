#include "isa.h"
#define PROBE(function) probe_##function##_portable
#include "probes.h"
