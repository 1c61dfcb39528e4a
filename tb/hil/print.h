/* Included (-include) before the files of the Verilator run time: what VL_PRINTF is. */
#ifdef __cplusplus
extern "C"
#endif
int hil_printf(const char *format, ...);
