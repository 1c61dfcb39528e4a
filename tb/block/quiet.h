/* Included (-include) before the files of the Verilator run time: a failing assertion is recorded by its place (stepped.h), not said. */
#define VL_PRINTF(...) ((void)0)
