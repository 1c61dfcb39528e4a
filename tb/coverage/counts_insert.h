// In everything that Verilator writes of a model whose counts are summed by counts.h: whether points are registered.
//
// Verilator's models register every point as they are made: its strings are copied, looked up and kept, some microseconds each. One
// model of a process is enough, since all have the same array of counts.
#pragma once

#include "verilated_cov.h"

extern bool counts_registering;

#undef VL_COVER_INSERT
#define VL_COVER_INSERT(covcontextp, name, countp, ...)      \
  do {                                                       \
    if (counts_registering) {                                \
      auto const counts_context = covcontextp;               \
      counts_context->_inserti(countp);                      \
      counts_context->_insertf(__FILE__, __LINE__);          \
      counts_context->_insertp("hier", name, __VA_ARGS__);   \
    }                                                        \
  } while (false)
